import { parseCidr, run } from "@switchyard/base";
import { applyLinks, deleteNamespaces } from "@switchyard/linux";
import type { PrivateSwitch } from "./private-switch.ts";

/** What the floor's making took, in seconds. */
export interface FloorTimes {
  readonly namespaces: number;
  readonly links: number;
  readonly addresses: number;
  readonly ports: number;
  readonly total: number;
}

/**
 * The raw floor: the namespaces, links, addresses and ports of `nodes` hosts on `lans` bridges, made by the fastest
 * tools there are, with nothing looked at before, kept or checked after.
 */
export async function raiseFloor(on: PrivateSwitch, nodes: number, lans: number): Promise<FloorTimes> {
  const bridges = Array.from({ length: lans }, (_, i) => `_b_lan${i + 1}`);
  const making = bridges.flatMap((it) => ["--", "add-br", it, "--", "set", "Bridge", it, "datapath_type=netdev"]);
  return await addHosts(on, 0, nodes, lans, making);
}

/** One host more on a floor of `nodes` hosts, by the same tools. @returns seconds */
export async function extendFloor(on: PrivateSwitch, nodes: number, lans: number): Promise<number> {
  return (await addHosts(on, nodes, 1, lans, [])).total;
}

/** @param first how many hosts there are @param making what else the one call of `ovs-vsctl` makes */
async function addHosts(
  on: PrivateSwitch,
  first: number,
  count: number,
  lans: number,
  making: readonly string[],
): Promise<FloorTimes> {
  const each = Array.from({ length: count }, (_, n) => {
    const i = first + n;
    const lan = (i % lans) + 1;
    const host = Math.floor(i / lans) + 1;
    const address = parseCidr(`10.${lan}.${host >> 8}.${host & 255}/16`);
    return { lan, port: `_k_${i + 1}_0`, namespace: hostNamespace(on.namespace, i), address };
  });
  const marks = [performance.now()];
  const mark = () => marks.push(performance.now());
  await run(["ip", "-batch", "-"], {
    input: each.map(({ namespace }) => `netns add ${namespace}\n`).join(""),
    timeout: 120_000,
  });
  mark();
  await on.ip(each.map(({ port, namespace }) => `link add ${port} up type veth peer name eth0 netns ${namespace}`));
  mark();
  const failures = applyLinks(
    each.map(({ namespace, address }) => ({
      namespace: { name: namespace },
      ops: [
        { op: "set", name: "lo", up: true },
        { op: "set", name: "eth0", up: true },
        { op: "address-add", name: "eth0", address },
      ],
    })),
  );
  if (failures[0]) throw new Error(`${failures.length} links failed, first: ${failures[0].message}`);
  mark();
  await on.vsctl([...making, ...each.flatMap(({ lan, port }) => ["--", "add-port", `_b_lan${lan}`, port])]);
  mark();
  const took = (i: number) => ((marks[i + 1] ?? 0) - (marks[i] ?? 0)) / 1000;
  const [namespaces, links, addresses, ports] = [took(0), took(1), took(2), took(3)];
  return { namespaces, links, addresses, ports, total: namespaces + links + addresses + ports };
}

/** Takes the hosts' namespaces away, and with them all their links; the switch must have ended. */
export function clearFloor(namespace: string, nodes: number): void {
  deleteNamespaces(Array.from({ length: nodes }, (_, i) => hostNamespace(namespace, i)));
}

function hostNamespace(namespace: string, i: number): string {
  return `${namespace}_${i}`;
}
