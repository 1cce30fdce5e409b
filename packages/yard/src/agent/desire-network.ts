/** What a network needs of its host: its bridge, what joins that to others, and the host's own end. */
import { contains, prefixOf } from "@switchyard/base";
import type { NetworkEntry } from "../store/rows.ts";
import type { HostFacts } from "./desire.ts";
import { gatewayDevice, gatewayMac, gatewayPort, networkBridge } from "./names.ts";
import { type BridgeState, HOST, type PortState, type VethState } from "./state.ts";
import { purposeOf } from "./subject.ts";

/** Ethernet's, and the kernel's for a new link; bytes. */
const DEFAULT_MTU = 1500;

/** A port of a device of ours that carries every VLAN. */
export const PLAIN_PORT = { type: "", tag: undefined, trunks: [], vlanMode: undefined, options: {} };

export type Networks = ReadonlyMap<string, NetworkEntry>;

interface Switch {
  readonly bridges: Map<string, BridgeState>;
  readonly ports: Map<string, PortState>;
  readonly veths: Map<string, VethState>;
}

/** The largest packet that a nic on this network may send, where it does not say itself; bytes. */
export function networkMtu(network: NetworkEntry | undefined): number {
  return network?.mtu ?? DEFAULT_MTU;
}

/** Adds what a network needs. */
export function addNetwork(network: NetworkEntry, networks: Networks, facts: HostFacts, into: Switch): void {
  const purpose = purposeOf({ kind: "network", network: network.name });
  const bridge = networkBridge(network);
  into.bridges.set(bridge, { datapath: facts.datapath, otherConfig: {}, hub: false, purpose });
  switch (network.type) {
    case "lan":
      break;
    case "vlan": {
      const master = networks.get(network.master);
      const near = `vlbr${network.id}p`;
      const far = `vlbr${network.id}in`;
      const patch = { ...PLAIN_PORT, type: "patch", purpose };
      // With tag 0 an access port takes and gives only frames without a tag; one without a tag would carry all VLANs.
      into.ports.set(near, {
        ...patch,
        bridge: master === undefined ? network.master : networkBridge(master),
        tag: network.id,
        options: { peer: far },
      });
      into.ports.set(far, { ...patch, bridge, options: { peer: near } });
      break;
    }
  }
  addGateway(network, bridge, facts, into);
}

function addGateway(network: NetworkEntry, bridge: string, facts: HostFacts, into: Switch): void {
  if (network.gateway.length === 0) return;
  const purpose = purposeOf({ kind: "network", network: network.name });
  const port = gatewayPort(network.name);
  into.ports.set(port, { ...PLAIN_PORT, bridge, purpose });
  into.veths.set(port, {
    namespace: HOST,
    name: gatewayDevice(facts.yard, network.name),
    mac: gatewayMac(facts.yard, network.name),
    mtu: networkMtu(network),
    up: true,
    offloads: facts.offloads,
    addresses: gatewayAddresses(network).toSorted(),
    purpose,
  });
}

/** The gateways with the prefix length of the subnet that they lie in. */
function gatewayAddresses(network: NetworkEntry): string[] {
  return network.gateway.map((ip) => {
    const subnet = network.cidr.find((cidr) => contains(cidr, ip));
    return `${ip}/${subnet === undefined ? (ip.includes(":") ? 128 : 32) : prefixOf(subnet)}`;
  });
}
