/** How a network of type vxlan reaches other hosts: the switch's own tunnels, or a device of the kernel's over a group. */
import type { Ip } from "@switchyard/base";
import { PLAIN_PORT, tunnelName, vtepName } from "@switchyard/vswitch";
import type { NetworkEntry } from "../store/rows.ts";
import type { Switch } from "./desire-network.ts";
import { gatewayMac, networkBridge } from "./names.ts";
import { masterOf, type Networks, networkMtu } from "./network-path.ts";
import { purposeOf } from "./subject.ts";

export function addVxlan(network: Extract<NetworkEntry, { type: "vxlan" }>, networks: Networks, into: Switch): void {
  const { id, port, peers, master, address } = network;
  const purpose = purposeOf({ kind: "network", network: network.name });
  const bridge = networkBridge(network);
  for (const [name, peer] of tunnelNames(id, peers))
    into.ports.set(name, {
      ...PLAIN_PORT,
      bridge,
      type: "vxlan",
      // What comes from one peer never goes to another, as that has it already: a mesh cannot loop.
      protected: true,
      options: { remote_ip: peer, key: String(id), dst_port: String(port) },
      purpose,
    });
  if (master === undefined) return;
  const above = masterOf(network, networks);
  const lower = above === undefined ? master : networkBridge(above);
  const vtep = vtepName(id);
  into.vteps.set(vtep, { lower, remote: "", id, port, mtu: networkMtu(network, networks), up: true, purpose });
  const known = into.underlays.get(lower);
  const addresses = [...new Set([...(known?.addresses ?? []), ...(address === undefined ? [] : [address])])].toSorted();
  into.underlays.set(lower, { addresses, up: true, purpose: known?.purpose ?? purpose });
  into.ports.set(vtep, { ...PLAIN_PORT, bridge, purpose });
}

/** Own bridges that tunnels go out by keep their MAC when they are made anew: the other hosts know it for a while. */
export function keepUnderlayMacs(yard: string, { bridges, underlays }: Pick<Switch, "bridges" | "underlays">): void {
  for (const name of underlays.keys()) {
    const bridge = bridges.get(name);
    const otherConfig = { ...bridge?.otherConfig, hwaddr: gatewayMac(yard, name) };
    if (bridge !== undefined) bridges.set(name, { ...bridge, otherConfig });
  }
}

/** The port of each tunnel. Names are hashes, of which two may be alike. */
function tunnelNames(vni: number, peers: readonly Ip[]): Map<string, Ip> {
  const names = new Map<string, Ip>();
  for (const peer of peers.toSorted()) {
    let name = tunnelName(vni, peer);
    for (let n = 0; names.has(name); n++) name = `vx${vni}_${n}`;
    names.set(name, peer);
  }
  return names;
}
