/** Published ports of a lab's nodes, and where those of a nat lead to. */
import { type Cidr, contains, parseIp, YardError } from "@switchyard/base";
import { NAME } from "./fields.ts";
import type { Path } from "./places.ts";
import type { Reading, Written } from "./reading.ts";
import type { PortForward } from "./types.ts";
import { parsePort, portKey, portsClash } from "./values.ts";

/** What the nodes of a file publish, by {@link portKey}. */
export type PublishedPorts = Map<string, Written<PortForward>[]>;

/** Reads the ports of a node; two nodes that publish the same one are reported. */
export function readPorts(
  written: readonly string[] | undefined,
  path: Path,
  published: PublishedPorts,
  reading: Reading,
  parse: (text: string) => PortForward = parsePort,
): PortForward[] {
  const ports = reading.each(path, written, parse);
  for (const port of ports) {
    const others = published.get(portKey(port.value)) ?? [];
    const other = others.find(({ value }) => portsClash(value.address, port.value.address));
    if (other !== undefined)
      reading.places.report(
        port.path,
        () =>
          new YardError("port.taken", `port ${portKey(port.value)} of the host is published already`, {
            hint: `the first is at ${reading.places.where(other.path)}; take another port or address`,
          }),
      );
    published.set(portKey(port.value), [...others, port]);
  }
  return ports.map(({ value }) => value);
}

/**
 * `[address:]host-port:target:port[/tcp|udp]` of a nat: the target is an address in its subnets, or a node that has one.
 *
 * @throws YardError `nat.bad-forward`, `nat.target-outside`, `port.bad-forward`, `address.bad-ip`
 */
export function parseNatPort(written: string, subnets: readonly Cidr[]): PortForward {
  const [, front = "", target = "", rest = ""] =
    /^((?:\[[^\]]*\]:|\d+\.[\d.]+:)?\d+):(\[[^\]]*\]|[^:[\]]+):(\d+(?:\/\w+)?)$/.exec(written) ?? [];
  if (target === "")
    throw new YardError("nat.bad-forward", `"${written}" does not say where a port of a nat leads`, {
      hint: 'write "8080:web:80", "2222:10.30.0.200:22" or "[::]:8080:[fd00:30::200]:80/tcp": the host\'s port first',
    });
  const port = parsePort(`${front}:${rest}`);
  if (/^[\d.]+$/.test(target) || target.startsWith("[")) {
    const ip = parseIp(target.replace(/^\[|\]$/g, ""));
    if (subnets.length > 0 && !subnets.some((cidr) => contains(cidr, ip)))
      throw new YardError("nat.target-outside", `${ip} is not in ${subnets.join(" or ")}`, {
        hint: "a nat reaches what has an address in its own subnets",
      });
    return { ...port, target: ip };
  }
  if (!NAME.test(target))
    throw new YardError("nat.bad-forward", `"${target}" is neither an address nor the name of a node`);
  return { ...port, target };
}
