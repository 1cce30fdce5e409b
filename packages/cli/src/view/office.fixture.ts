/** A yard for the tests of what shows one. */
import type { NetworkView, NicView, NodeView, YardView } from "@switchyard/yard/view";

export const now = Date.UTC(2026, 0, 2, 12, 0, 0);

const counted = {
  rxPackets: 0,
  rxBytes: 0,
  rxDropped: 0,
  rxErrors: 0,
  txPackets: 0,
  txBytes: 0,
  txDropped: 0,
  txErrors: 0,
};

export function nic(
  name: string,
  network: string | null,
  addresses: readonly string[],
  more: Partial<NicView> = {},
): NicView {
  return {
    name,
    index: 0,
    network,
    link: null,
    mac: "02:00:00:00:00:01",
    addresses,
    port: "_k_1_0",
    bridge: network === null ? "" : `_b_${network}`,
    parent: null,
    spy: null,
    ofport: 1,
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

export function node(name: string, nics: readonly NicView[], more: Partial<NodeView> = {}): NodeView {
  return {
    name,
    lab: "office",
    kind: "netns",
    runtime: null,
    state: "running",
    error: null,
    pid: null,
    exitCode: null,
    reason: null,
    subnets: [],
    leased: null,
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
    ...more,
  };
}

function network(name: string): NetworkView {
  return {
    name,
    lab: "office",
    type: "lan",
    id: null,
    master: null,
    cidr: ["10.1.0.0/24"],
    gateway: [],
    mtu: null,
    bridge: `_b_${name}`,
    parent: null,
    state: "up",
    error: null,
  };
}

export const office: YardView = {
  yard: "main",
  agent: 7,
  datapath: "netdev",
  error: null,
  labs: [{ name: "office", file: "/home/office.yard.yaml", state: "failed" }],
  networks: [network("lan01"), network("lan02")],
  links: [],
  bridges: [],
  nodes: [
    node("web", [nic("eth0", "lan01", ["10.1.0.1/24", "fd01::1/64"])], {
      kind: "container",
      runtime: "oci",
      image: "busybox",
      command: ["httpd", "-f"],
      pid: 4321,
      since: now - 3 * 60_000,
      ports: ["8080->80/tcp"],
    }),
    node("router", [
      nic("eth0", "lan01", ["10.1.0.9/24"]),
      nic("eth1", "lan02", ["10.2.0.9/24"], {
        vlan: 5,
        trunks: [10, 20],
        mtu: 9000,
        ...{
          dhcp: true,
          lease: { address: "10.2.0.9/24", server: "10.2.0.1", expires: new Date(now + 90_000).toISOString() },
        },
        ...{ monitor: true, counters: { ...counted, rxPackets: 1200, rxBytes: 98_000, txDropped: 3 } },
      }),
      nic("eth2", null, [], { link: "router:eth2--pc:eth1" }),
    ]),
    node("pc", [nic("eth0", "lan02", [])], { state: "pending", lab: null }),
    node("db", [], {
      kind: "container",
      runtime: "docker",
      state: "failed",
      error: { code: "runtime.image-absent", message: "there is no image nope:1", hint: null },
    }),
    node("job", [], { kind: "container", runtime: "oci", state: "exited", exitCode: 3 }),
  ],
};
