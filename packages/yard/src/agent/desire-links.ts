/** The nics that are no ports of the switch: on a bridge of the kernel's own, on a NIC of the host's, or that NIC itself. */
import { YardError } from "@switchyard/base";
import { derivedMacs } from "../store/addresses.ts";
import type { NetworkEntry, NicEntry, NodeEntry, Rows } from "../store/rows.ts";
import type { Failure } from "./blame.ts";
import type { HostFacts } from "./host-facts.ts";
import { nodeNamespace } from "./names.ts";
import type { LinkMaking, LinkState } from "./state.ts";
import { purposeOf } from "./subject.ts";

/** How nics come about on a network; undefined: as ports of the switch. */
export function linkMaking(
  network: NetworkEntry | undefined,
  bridges: Rows["bridges"],
  facts: Pick<HostFacts, "host" | "kernelBridges">,
): LinkMaking | undefined {
  switch (network?.type) {
    case "macvlan":
    case "passthrough":
      return { kind: network.type, parent: network.parent };
    case "bridge": {
      const { bridge } = network;
      const made = bridges.some(({ name, host }) => name === bridge && host === facts.host);
      return made || facts.kernelBridges.has(bridge) ? { kind: "bridged", bridge } : undefined;
    }
    default:
      return undefined;
  }
}

/** The nic itself. */
export function linkState(
  node: NodeEntry,
  nic: NicEntry,
  network: NetworkEntry | undefined,
  making: LinkMaking,
  facts: HostFacts,
): LinkState {
  // A NIC keeps its own MAC unless another is asked for; the store always has one.
  const own = making.kind === "passthrough" && nic.mac === derivedMacs(facts.yard)(node.objId, nic.index);
  return {
    making,
    namespace: nodeNamespace(facts.yard, node.name),
    name: nic.name,
    mac: own ? "" : nic.mac,
    mtu: nic.mtu ?? network?.mtu ?? (making.kind === "bridged" ? ETHERNET : 0),
    up: true,
    addresses: nic.addresses.toSorted(),
    purpose: purposeOf({ kind: "nic", node: node.name, nic: nic.name }),
  };
}

/** The kernel's own for a new link, in bytes. */
const ETHERNET = 1500;

/** The nics that ask for what only a port of the switch has, though theirs is none. */
export function portlessFailures(rows: Rows, facts: HostFacts): Failure[] {
  const networks = new Map(rows.networks.map((network) => [network.name, network]));
  if (!rows.networks.some((network) => linkMaking(network, rows.bridges, facts)?.kind === "bridged")) return [];
  return rows.nodes.flatMap((node) =>
    node.host !== facts.host
      ? []
      : node.nics.flatMap((nic): Failure[] => {
          const network = networks.get(nic.network ?? "");
          const making = linkMaking(network, rows.bridges, facts);
          const key =
            nic.vlan !== undefined
              ? "vlan"
              : nic.trunks.length > 0
                ? "trunks"
                : nic.spy
                  ? "spy"
                  : nic.impair
                    ? "impair"
                    : undefined;
          const { kind } = node.spec;
          const foreign = kind === "guest" ? kind : undefined;
          if (making?.kind !== "bridged" || (key ?? foreign) === undefined) return [];
          const asked = foreign === undefined ? `"${key}" is for` : `the nics of a ${foreign} are`;
          const message = `${asked} ports of the switch, and ${making.bridge} is a bridge of the kernel's own`;
          const error = new YardError("nic.no-port", message, { hint: "take a bridge of Open vSwitch" });
          return [{ subject: { kind: "nic", node: node.name, nic: nic.name }, error }];
        }),
  );
}
