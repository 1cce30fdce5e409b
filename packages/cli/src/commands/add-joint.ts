import { YardError } from "@switchyard/base";
import type { FilePart } from "@switchyard/yard/model";
import { type Command, Option } from "commander";
import { parseNicWord } from "../commanded.ts";
import { examples, JSON_HELP } from "../help.ts";
import { number, repeated } from "../options.ts";
import type { CommonOptions } from "../session.ts";

/** What carries an `add` out. */
type Add = (name: string, options: CommonOptions, node: FilePart) => Promise<void>;

interface JointOptions extends CommonOptions {
  readonly network: readonly string[];
}
interface A2bOptions extends JointOptions {
  readonly impair: readonly string[];
}
interface NatOptions extends JointOptions {
  readonly cidr: readonly string[];
  readonly publish: readonly string[];
}
interface PhyOptions extends JointOptions {
  readonly parent?: string;
  readonly mode?: string;
}
interface C2cOptions extends JointOptions {
  readonly toYard?: string;
  readonly toNode?: string;
  readonly peer?: string;
  readonly id?: number;
  readonly port?: number;
  readonly encrypt?: string;
}

/** `yard add a2b NAME` */
export function defineA2b(command: Command, add: Add): void {
  jointOptions(command)
    .option("--impair <setting=value>", "both ways, as of `yard impair` (may be repeated)", repeated, [])
    .action(async (name: string, options: A2bOptions) => {
      const impair = Object.fromEntries(options.impair.map(parsePair));
      await add(name, options, {
        kind: "a2b",
        nics: options.network.map(parseNicWord),
        ...(options.impair.length === 0 ? {} : { impair }),
      });
    });
  examples(command, ["yard add a2b wan -n lan01 -n lan02 --impair delay=30ms --impair loss=1%", "a poor line"]);
}

/** `yard add tap NAME` */
export function defineTap(command: Command, add: Add): void {
  jointOptions(command).action(async (name: string, options: JointOptions) => {
    await add(name, options, { kind: "tap", nics: options.network.map(parseNicWord) });
  });
  examples(command, ["yard add tap lab0 -n lan01,ip=10.1.0.200/24", "the host's interface lab0 on lan01"]);
}

/** `yard add nat NAME` */
export function defineNat(command: Command, add: Add): void {
  jointOptions(command)
    .requiredOption(
      "--cidr <cidr>",
      "its subnet, of which the host has the first address (once for each family)",
      repeated,
    )
    .option("--publish <port>", "[ADDRESS:]HOST-PORT:TARGET:PORT[/udp] leads in (may be repeated)", repeated, [])
    .action(async (name: string, { network, cidr, publish: ports, ...options }: NatOptions) => {
      const more = ports.length === 0 ? {} : { ports };
      await add(name, options, { kind: "nat", cidr, ...more, nics: network.map(parseNicWord) });
    });
  examples(
    command,
    ["yard add nat out -n lan01 --cidr 10.30.0.0/24", "the way out of lan01, with addresses by DHCP"],
    [
      "yard add nat out -n lan01 --cidr 10.30.0.0/24 --cidr fd00:30::/64 --publish 8080:web:80",
      "in IPv6 too, and a way in",
    ],
  );
}

/** `yard add c2c NAME` */
export function defineC2c(command: Command, add: Add): void {
  jointOptions(command)
    .option("--to-yard <name>", "the other yard, of this host")
    .option("--to-node <name>", "the node at the other end (default: one of the same name)")
    .option("--peer <ip>", "another host, reached over VXLAN")
    .option("--id <number>", "number of the VXLAN, the same at both ends", number)
    .option("--port <number>", "the peer's UDP port (default: 4789)", number)
    .option("--encrypt <key>", "in WireGuard, to the yard with that public key (`yard key` there)")
    .action(async (name: string, options: C2cOptions) => {
      const { network, toYard: yard, toNode: node, peer, id, port, encrypt } = options;
      const given = Object.entries({ yard, node, peer, id, port, encrypt }).filter(([, value]) => value !== undefined);
      await add(name, options, { kind: "c2c", nics: network.map(parseNicWord), ...Object.fromEntries(given) });
    });
  examples(
    command,
    ["yard add c2c bridge -n lan01 --to-yard site2", "joined to the node `bridge` of the yard site2"],
    ["yard add c2c far -n lan01 --peer 10.2.0.2 --id 77", "over VXLAN"],
  );
}

/** `yard add phy NAME` */
export function definePhy(command: Command, add: Add): void {
  jointOptions(command)
    .option("--parent <nic>", "the NIC, as the host calls it (default: the node's name)")
    .addOption(new Option("--mode <mode>", "the NIC itself, or a second MAC on it").choices(["absorb", "macvlan"]))
    .action(async (name: string, options: PhyOptions) => {
      const { network, parent, mode } = options;
      const given = Object.entries({ parent, mode }).filter(([, value]) => value !== undefined);
      await add(name, options, { kind: "phy", nics: network.map(parseNicWord), ...Object.fromEntries(given) });
    });
  examples(
    command,
    ["yard add phy eth1 -n lan01", "the host's eth1 becomes a port of lan01, and comes back when the node goes"],
    ["yard add phy out -n lan01 --parent eth0 --mode macvlan", "the one node of lan01 is on eth0's segment"],
  );
}

function jointOptions(command: Command): Command {
  return command
    .argument("<name>", "its name")
    .option("-n, --network <nic>", "attach a nic: NETWORK[,FIELD=VALUE]… (may be repeated)", repeated, [])
    .option("--json", JSON_HELP);
}

/** @throws YardError `usage.wrong` */
function parsePair(text: string): readonly [string, string] {
  const [name = "", ...rest] = text.split("=");
  if (name !== "" && rest.length > 0) return [name, rest.join("=")];
  throw new YardError("usage.wrong", `"${text}" is no setting`, { hint: "write it like delay=10ms" });
}
