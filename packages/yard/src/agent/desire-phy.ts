/** NICs of the host's that are ports of the switch: themselves, or by a macvlan on them. */
import { YardError } from "@switchyard/base";
import { portName } from "@switchyard/vswitch";
import type { NodeConfig } from "../store/config.ts";
import type { NicEntry, NodeEntry, Rows } from "../store/rows.ts";
import type { Failure } from "./blame.ts";
import type { HostFacts } from "./host-facts.ts";
import { switchNamespace } from "./names.ts";
import { HOST, type LinkState } from "./state.ts";
import { purposeOf } from "./subject.ts";

type Phy = Extract<NodeConfig, { kind: "phy" }>;

/** The kernel's own for a new link, in bytes. */
const ETHERNET = 1500;

/**
 * The device of a phy, in the switch's namespace under the name of its port; undefined where nobody is there yet whose
 * MAC a macvlan would have.
 */
export function phyLink(
  node: NodeEntry,
  spec: Phy,
  { nic, mtu }: { readonly nic: NicEntry; readonly mtu: number },
  rows: Rows,
  facts: HostFacts,
): LinkState | undefined {
  const [peer, ...others] = spec.mode === "macvlan" ? peersOf(nic, rows) : [];
  if (spec.mode === "macvlan" && (peer === undefined || others.length > 0)) return undefined;
  return {
    making: { kind: spec.mode === "absorb" ? "passthrough" : "macvlan", parent: spec.parent },
    namespace: switchNamespace(facts.yard) ?? HOST,
    name: portName(node.objId, nic.index),
    mac: peer ?? "",
    // A NIC that passes larger packets than the network asks for may go on to do so.
    mtu: mtu === ETHERNET ? 0 : mtu,
    up: true,
    addresses: [],
    purpose: purposeOf({ kind: "nic", node: node.name, nic: nic.name }),
  };
}

/**
 * Those whose network has more nodes on it than a macvlan can be for, and those that are on none and whose NIC the host
 * has not: a nic that is plugged in fails by itself.
 *
 * @param hostHas whether the host has a link of that name
 */
export function phyFailures(rows: Rows, facts: Pick<HostFacts, "host">, hostHas: (name: string) => boolean): Failure[] {
  return rows.nodes.flatMap(({ name, host, spec, nics }): Failure[] => {
    if (host !== facts.host || spec.kind !== "phy") return [];
    const plugged = nics.some(({ network, link }) => network !== undefined || link !== undefined);
    if (!plugged && !hostHas(spec.parent))
      return [{ subject: { kind: "node", node: name }, error: parentAbsent(spec.parent) }];
    if (spec.mode !== "macvlan") return [];
    return nics.flatMap((nic): Failure[] => {
      const count = peersOf(nic, rows).length;
      if (count < 2) return [];
      const message = `a macvlan on ${spec.parent} passes the frames of one MAC, and ${nic.network ?? nic.link} has ${count}`;
      const error = new YardError("phy.many-macs", message, {
        hint: "mode: absorb takes the NIC itself; or give each node a nic on a network of type macvlan",
      });
      return [{ subject: { kind: "nic", node: name, nic: nic.name }, error }];
    });
  });
}

export function parentAbsent(name: string): YardError {
  return new YardError("nic.parent-absent", `the host has no NIC ${name}`, { hint: "`ip link` lists those it has" });
}

/** The MACs at the other side of a nic: a macvlan passes what is for its own MAC, and drops the rest (drivers/net/macvlan.c). */
function peersOf(nic: NicEntry, rows: Rows): string[] {
  if (nic.network === undefined && nic.link === undefined) return [];
  const network = rows.networks.find(({ name }) => name === nic.network);
  const host = network === undefined || network.gateway.length === 0 ? [] : [network.name];
  const others = rows.nodes.flatMap(({ spec, nics }) =>
    spec.kind === "a2b" || spec.kind === "c2c" || spec.kind === "phy"
      ? []
      : nics.filter((it) => (nic.network === undefined ? it.link === nic.link : it.network === nic.network)),
  );
  return [...others.map(({ mac }) => mac), ...host];
}
