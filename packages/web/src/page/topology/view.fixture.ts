import type { NetworkView, NicView, NodeView } from "../api/contract.ts";

/** A network that is up. */
export function network(name: string, more: Partial<NetworkView> = {}): NetworkView {
  return {
    name,
    lab: "lab",
    type: "lan",
    id: null,
    master: null,
    cidr: [],
    gateway: [],
    mtu: null,
    bridge: `_b_${name}`,
    parent: null,
    state: "up",
    error: null,
    ...more,
  };
}

/** A nic that is up, on nothing. */
export function nic(name: string, more: Partial<NicView> = {}): NicView {
  return {
    name,
    index: 0,
    network: null,
    link: null,
    mac: "02:00:00:00:00:01",
    addresses: [],
    port: "_k_1_0",
    bridge: "",
    parent: null,
    ofport: 1,
    spy: null,
    mtu: null,
    vlan: null,
    trunks: [],
    dhcp: false,
    lease: null,
    monitor: false,
    counters: null,
    impair: null,
    state: "up",
    error: null,
    ...more,
  };
}

/** A bare namespace that runs. */
export function node(name: string, nics: readonly NicView[], more: Partial<NodeView> = {}): NodeView {
  return {
    name,
    lab: "lab",
    kind: "netns",
    runtime: null,
    state: "running",
    error: null,
    pid: null,
    exitCode: null,
    reason: null,
    paused: false,
    stopped: false,
    accelerator: null,
    since: null,
    objId: 1,
    namespace: `yard_main_${name}`,
    image: null,
    command: [],
    ports: [],
    nics,
    impair: null,
    to: null,
    subnets: [],
    leased: null,
    ...more,
  };
}
