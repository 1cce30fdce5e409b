/** Open TCP ports of the host: `nft.*`. */
import { addressOf, networkOf, parseCidr, parseIp, prefixOf, YardError } from "@switchyard/base";
import { addOpenPort, checkLinkName, listOpenPorts, removeOpenPort } from "@switchyard/linux";
import { openPortsTable } from "@switchyard/yard/agent";
import { z } from "zod";
import type { Ground } from "../ground.ts";
import { command, type Handler } from "../job.ts";
import { Turns } from "../turns.ts";

const optional = z
  .string()
  .nullish()
  .transform((text) => text || undefined);
const portSchema = z.object({
  port: z.number().int().min(1).max(65_535),
  /** Of the host, that a connection comes in by. */
  interface: optional,
  /** That it comes from. */
  subnet: optional,
});

/** As they are told, and as nft(8) writes them: `iifname "eth0" ip saddr 10.0.0.0/8 tcp dport 80 accept`. */
export function openPortRule({ port, interface: device, subnet }: z.output<typeof portSchema>): string {
  const by = device === undefined ? "" : `iifname "${checkLinkName(device)}" `;
  return `${by}${subnet === undefined ? "" : sourceOf(subnet)}tcp dport ${port} accept`;
}

/** @throws YardError `address.bad-ip`, `address.bad-cidr` */
function sourceOf(subnet: string): string {
  const network = subnet.includes("/") ? networkOf(parseCidr(subnet)) : undefined;
  const address = network === undefined ? parseIp(subnet) : addressOf(network);
  const [word, whole] = address.includes(":") ? ["ip6", 128] : ["ip", 32];
  // All addresses are no condition, and one is written without its length.
  if (network !== undefined && prefixOf(network) === 0) return "";
  return `${word} saddr ${network === undefined || prefixOf(network) === whole ? address : network} `;
}

export function nftCommands({ yard }: Ground): Readonly<Record<string, Handler>> {
  const table = openPortsTable(yard);
  const turns = new Turns();
  return {
    "nft.open_port": command(portSchema, (given) =>
      turns.take("", async () => {
        const rule = openPortRule(given);
        if ((await listOpenPorts(table)).includes(rule))
          throw new YardError("zeroos.rule-taken", `there is a rule already: ${rule}`);
        await addOpenPort(table, rule);
      }),
    ),
    "nft.drop_port": command(portSchema, (given) =>
      turns.take("", async () => {
        const rule = openPortRule(given);
        if (!(await removeOpenPort(table, rule)))
          throw new YardError("zeroos.no-rule", `there is no such rule: ${rule}`);
      }),
    ),
    "nft.list": command(z.unknown(), () => listOpenPorts(table)),
    "nft.rule_exists": command(portSchema, async (given) => (await listOpenPorts(table)).includes(openPortRule(given))),
  };
}
