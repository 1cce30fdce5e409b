/** What a network needs of its host: its bridge, what joins that to others, and the host's own end. */
import { contains, prefixOf } from "@switchyard/base";
import { PLAIN_PORT } from "@switchyard/vswitch";
import type { NetworkEntry } from "../store/rows.ts";
import { natState, obstacle } from "./desire-nat.ts";
import { addVxlan } from "./desire-vxlan.ts";
import type { HostFacts } from "./host-facts.ts";
import { gatewayDevice, gatewayMac, gatewayPort, networkBridge } from "./names.ts";
import { masterOf, type Networks, networkMtu, networkOffloads } from "./network-path.ts";
import {
  type BridgeState,
  HOST,
  type NatState,
  type PortState,
  type UnderlayState,
  type VethState,
  type VtepState,
} from "./state.ts";
import { purposeOf } from "./subject.ts";

/** What networks put into a state. */
export interface Switch {
  readonly bridges: Map<string, BridgeState>;
  readonly ports: Map<string, PortState>;
  readonly veths: Map<string, VethState>;
  readonly nats: Map<string, NatState>;
  readonly vteps: Map<string, VtepState>;
  readonly underlays: Map<string, UnderlayState>;
}

/** Adds what a network needs. */
export function addNetwork(network: NetworkEntry, networks: Networks, facts: HostFacts, into: Switch): void {
  const purpose = purposeOf({ kind: "network", network: network.name });
  const bridge = networkBridge(network);
  const blocked = obstacle(network, networks.values(), facts) !== undefined;
  if (network.type !== "bridge")
    into.bridges.set(bridge, {
      ...{ datapath: facts.datapath, otherConfig: {}, hub: false, purpose },
      ...(network.type === "lan" && network.rstp ? { rstp: true } : {}),
    });
  switch (network.type) {
    case "bridge":
      if (network.addresses !== undefined)
        into.underlays.set(bridge, { addresses: network.addresses.toSorted(), up: true, purpose });
      break;
    case "lan":
    // These have neither bridge nor port.
    case "macvlan":
    case "passthrough":
    case "zerotier":
      break;
    case "nat":
      if (!blocked && network.gateway.length > 0)
        into.nats.set(gatewayDevice(facts.yard, network.name), natState(network));
      break;
    case "vlan": {
      const master = masterOf(network, networks);
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
    case "vxlan":
      addVxlan(network, networks, into);
      break;
  }
  if (!blocked) addGateway(network, networks, facts, into);
}

function addGateway(network: NetworkEntry, networks: Networks, facts: HostFacts, into: Switch): void {
  if (network.gateway.length === 0) return;
  const purpose = purposeOf({ kind: "network", network: network.name });
  const port = gatewayPort(network.name);
  into.ports.set(port, { ...PLAIN_PORT, bridge: networkBridge(network), purpose });
  into.veths.set(port, {
    namespace: HOST,
    name: gatewayDevice(facts.yard, network.name),
    mac: gatewayMac(facts.yard, network.name),
    mtu: networkMtu(network, networks),
    up: true,
    offloads: networkOffloads(network, networks, facts),
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
