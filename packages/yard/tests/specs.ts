/** Short ways to say what tests declare; whatever is not said is as a lab file leaves it. */
import { parseCidr, parseIp } from "@switchyard/base";
import type { HostFacts } from "../src/agent/host-facts.ts";
import type { ContainerSpec, Lab, NetnsSpec, NetworkSpec, NicSpec, NodeSpec, VmSpec } from "../src/model/types.ts";

/** A host with nothing on it, and a userspace switch. */
export const hostFacts: HostFacts = {
  yard: "t",
  host: "h1",
  datapath: "netdev",
  offloads: true,
  tunnels: new Set(),
  addresses: [],
  uplinks: [],
  kernelBridges: new Set(),
  leases: new Map(),
  captured: new Set(),
  foreign: new Map(),
  netem: false,
  peers: new Map(),
  ownLinks: new Set(),
  wireguard: "go",
  run: "/run/t",
  state: "/var/t",
  executable: ["/bin/yard"],
};

export function network(name: string, cidr: readonly string[] = [], gateway: readonly string[] = []): NetworkSpec {
  return { name, type: "lan", cidr: cidr.map(parseCidr), gateway: gateway.map(parseIp), mtu: undefined };
}

export function nic(name: string, on: string | undefined, more: Partial<NicSpec> = {}): NicSpec {
  return {
    name,
    network: on,
    link: undefined,
    mac: undefined,
    ip: undefined,
    slot: undefined,
    gateway: undefined,
    dns: [],
    dhcp: false,
    mtu: undefined,
    vlan: undefined,
    trunks: [],
    routes: [],
    spy: false,
    monitor: false,
    identity: undefined,
    impair: undefined,
    ...more,
  };
}

export function netns(
  name: string,
  nics: readonly NicSpec[] = [],
  more: Partial<Omit<NetnsSpec, "kind">> = {},
): NetnsSpec {
  return { kind: "netns", name, nics, routes: [], sysctls: {}, env: {}, ports: [], exec: [], ...more };
}

export function container(
  name: string,
  nics: readonly NicSpec[] = [],
  more: Partial<Omit<ContainerSpec, "kind">> = {},
): ContainerSpec {
  return {
    kind: "container",
    runtime: "oci",
    name,
    nics,
    routes: [],
    sysctls: {},
    env: {},
    ports: [],
    exec: [],
    image: "busybox",
    rootfs: undefined,
    pull: "missing",
    command: [],
    entrypoint: undefined,
    user: undefined,
    hostname: undefined,
    privileged: false,
    hostNetwork: false,
    capAdd: [],
    devices: [],
    binds: [],
    cpus: undefined,
    memory: undefined,
    engine: undefined,
    ...more,
  };
}

export function vm(name: string, nics: readonly NicSpec[] = [], more: Partial<Omit<VmSpec, "kind">> = {}): VmSpec {
  return {
    ...netns(name, nics),
    kind: "vm",
    disks: [{ file: "/images/a.qcow2", format: "qcow2", persistent: false }],
    isos: [],
    kernel: undefined,
    memory: 512 * 1024 * 1024,
    cpus: 1,
    cloudInit: { userData: "#cloud-config\n{}\n", metaData: {}, network: "nics" },
    guestAgent: true,
    ssh: undefined,
    rebootEnds: false,
    maxNics: 21,
    ...more,
  };
}

export function lab(
  name: string,
  networks: readonly NetworkSpec[],
  nodes: readonly NodeSpec[],
  more: Partial<Lab> = {},
): Lab {
  return { name, file: `/labs/${name}.yard.yaml`, networks, nodes, links: [], checks: [], ...more };
}

export function ips(...texts: string[]) {
  return texts.map(parseCidr);
}
