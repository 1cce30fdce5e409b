import { addressOf } from "@switchyard/base";
import type { NetworkEntry, NodeEntry } from "../store/rows.ts";
import { type NatNode, natTarget } from "./desire-nat-node.ts";
import type { HostFacts } from "./host-facts.ts";
import { nodeNamespace, relayFile } from "./names.ts";
import type { Forward, RelayConfig } from "./relay.ts";
import { type FileState, HOST, type ServiceState } from "./state.ts";

/** The process that serves published ports, and what it is told; undefined where no node publishes any. */
export function relay(
  nodes: readonly NodeEntry[],
  networks: ReadonlyMap<string, NetworkEntry>,
  nats: ReadonlyMap<string, NatNode>,
  facts: HostFacts,
): { readonly path: string; readonly file: FileState; readonly service: ServiceState } | undefined {
  const forwards = nodes.flatMap((node) => {
    const nat = nats.get(node.name);
    return nat === undefined ? forwardsOf(node, networks, facts) : natForwards(nat, nodes);
  });
  if (forwards.length === 0) return undefined;
  const path = relayFile(facts.run);
  const config: RelayConfig = { forwards };
  return {
    path,
    file: { type: "text", text: `${JSON.stringify(config, undefined, 1)}\n`, bound: false, purpose: "yard" },
    service: { argv: [...facts.executable, "relay", path], running: true, namespace: undefined, purpose: "yard" },
  };
}

function forwardsOf(node: NodeEntry, networks: ReadonlyMap<string, NetworkEntry>, facts: HostFacts): Forward[] {
  // A virtual machine has no namespace that one could connect in: it is reached from the host, by a network of both.
  const reached = node.spec.kind === "vm" ? sharedWithHost(node, networks) : mainAddress(node);
  if (reached === undefined) return [];
  return node.spec.ports.map((port) => ({
    node: node.name,
    protocol: port.protocol,
    address: port.address ?? "0.0.0.0",
    port: port.hostPort,
    // A guest and a virtual machine are reached over their network's gateway.
    namespace: node.spec.kind === "guest" || node.spec.kind === "vm" ? HOST : nodeNamespace(facts.yard, node.name),
    targetAddress: reached,
    targetPort: port.nodePort,
  }));
}

/** What is on a nat's network is reached over the host's end. */
function natForwards(nat: NatNode, nodes: readonly NodeEntry[]): Forward[] {
  return nat.node.spec.ports.flatMap((port) => {
    const targetAddress = natTarget(nat, port, nodes);
    if (targetAddress === undefined) return [];
    const { protocol, address = "0.0.0.0", hostPort, nodePort: targetPort } = port;
    return [{ node: nat.node.name, protocol, address, port: hostPort, namespace: HOST, targetAddress, targetPort }];
  });
}

/** The node's address on a network that the host is on too. */
function sharedWithHost(node: NodeEntry, networks: ReadonlyMap<string, NetworkEntry>): string | undefined {
  const shared = node.nics.filter(({ network }) => (networks.get(network ?? "")?.gateway.length ?? 0) > 0);
  return shared.flatMap((nic) => nic.addresses.map(addressOf))[0];
}

/** The node's own address, as programs listen on it that are reached from the network; loopback where it has none. */
function mainAddress(node: NodeEntry): string {
  const addresses = node.nics.flatMap((nic) => nic.addresses.map(addressOf));
  return addresses.find((ip) => !ip.includes(":")) ?? addresses[0] ?? "127.0.0.1";
}
