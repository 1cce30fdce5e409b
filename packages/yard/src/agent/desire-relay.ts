import { addressOf } from "@switchyard/base";
import type { NodeEntry } from "../store/rows.ts";
import type { HostFacts } from "./desire.ts";
import { nodeNamespace, relayFile } from "./names.ts";
import type { Forward, RelayConfig } from "./relay.ts";
import { type FileState, HOST, type ServiceState } from "./state.ts";

/** The process that serves published ports, and what it is told; undefined where no node publishes any. */
export function relay(
  nodes: readonly NodeEntry[],
  facts: HostFacts,
): { readonly path: string; readonly file: FileState; readonly service: ServiceState } | undefined {
  const forwards = nodes.flatMap((node) => forwardsOf(node, facts));
  if (forwards.length === 0) return undefined;
  const path = relayFile(facts.run);
  const config: RelayConfig = { forwards };
  return {
    path,
    file: { type: "text", text: `${JSON.stringify(config, undefined, 1)}\n`, bound: false, purpose: "yard" },
    service: { argv: [...facts.executable, "relay", path], running: true, namespace: undefined, purpose: "yard" },
  };
}

function forwardsOf(node: NodeEntry, facts: HostFacts): Forward[] {
  return node.spec.ports.map((port) => ({
    node: node.name,
    protocol: port.protocol,
    address: port.address ?? "0.0.0.0",
    port: port.hostPort,
    // A guest is reached over its network's gateway.
    namespace: node.spec.kind === "guest" ? HOST : nodeNamespace(facts.yard, node.name),
    targetAddress: mainAddress(node),
    targetPort: port.nodePort,
  }));
}

/** The node's own address, as programs listen on it that are reached from the network; loopback where it has none. */
function mainAddress(node: NodeEntry): string {
  const addresses = node.nics.flatMap((nic) => nic.addresses.map(addressOf));
  return addresses.find((ip) => !ip.includes(":")) ?? addresses[0] ?? "127.0.0.1";
}
