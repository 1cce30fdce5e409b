/** Arbitrary contents of a store for property tests. */
import { nthHost, parseCidr, parseIp, parseMac } from "@switchyard/base";
import { isUuid, type Uuid } from "@switchyard/ovsdb";
import fc from "fast-check";
import { bridgeOf } from "../src/model/making.ts";
import type { NetworkMaking, PortForward } from "../src/model/types.ts";
import type { NodeConfig } from "../src/store/config.ts";
import type { NetworkEntry, NicEntry, NodeEntry, Rows } from "../src/store/rows.ts";
import { networkStatus, nicStatus, nodeStatus } from "../src/store/status.ts";
import { container, netns, vm } from "./specs.ts";

const LANS = ["lan01", "a-network-with-a-long-name"];
/** A network that is always there, and to which no node attaches. */
const MASTER = "backplane";
/** What a VXLAN with peers has not. */
const TUNNELS = { master: undefined, address: undefined, bridge: undefined };
const SUBNETS = new Map(LANS.map((name, i) => [name, parseCidr(`10.${i}.0.0/24`)]));
const NODES = ["web", "router", "host-1", "a.node.whose.name.is.long"];

const network = fc.record({
  gateway: fc.boolean(),
  mtu: fc.constantFrom(undefined, 9000),
  making: fc.constantFrom<NetworkMaking>(
    { type: "lan" },
    { type: "zerotier", nwid: "8056c2e21c000001" },
    { type: "nat" },
    { type: "bridge", bridge: `_b_${MASTER}` },
    { type: "macvlan", parent: "eth1" },
    { type: "vlan", id: 0, master: MASTER, bridge: undefined },
    { type: "vlan", id: 100, master: MASTER, bridge: "office" },
    { type: "vxlan", id: 9, peers: [parseIp("10.9.0.2"), parseIp("10.9.0.3")], port: 4789, ...TUNNELS },
    { type: "vxlan", id: 10, peers: [parseIp("fd09::2")], port: 8472, ...TUNNELS },
    {
      type: "vxlan",
      id: 11,
      peers: [],
      port: 8472,
      master: MASTER,
      address: parseCidr("10.9.0.1/24"),
      bridge: undefined,
    },
  ),
});
const nic = fc.record({
  on: fc.constantFrom(...LANS, "wire", undefined),
  addressed: fc.boolean(),
  gateway: fc.constantFrom(undefined, [], [parseIp("10.0.0.9")]),
  dns: fc.constantFrom([], [parseIp("9.9.9.9")]),
  dhcp: fc.boolean(),
  mtu: fc.constantFrom(undefined, 1400),
  vlan: fc.constantFrom(undefined, 7),
  trunks: fc.constantFrom([], [2, 3]),
});
const node = fc.record({
  lab: fc.constantFrom("one", undefined),
  kind: fc.constantFrom("netns", "docker", "podman", "oci", "guest", "vm"),
  image: fc.constantFrom("busybox", "other"),
  sysctls: fc.constantFrom<Record<string, string>>({}, { "net.ipv4.ip_forward": "1" }),
  ports: fc.constantFrom<PortForward[]>([], [{ address: undefined, hostPort: 8080, nodePort: 80, protocol: "tcp" }]),
  exec: fc.constantFrom<string[][]>([], [["true"]]),
  nics: fc.array(nic, { maxLength: 3 }),
  stopped: fc.constantFrom(undefined, undefined, 10),
  present: fc.boolean(),
});

/** What a store may say, with up to four nodes on two networks and a wire. */
export const storeRows: fc.Arbitrary<Rows> = fc
  .record({ networks: fc.tuple(network, network), nodes: fc.tuple(node, node, node, node) })
  .map(({ networks, nodes }) => {
    let wired = 0;
    const entries = nodes.flatMap((it, i): NodeEntry[] => {
      if (!it.present) return [];
      const nics = it.nics.map((one, n): NicEntry => {
        const on = one.on === "wire" && ++wired > 2 ? undefined : one.on;
        const subnet = SUBNETS.get(on ?? "");
        // Its controller decides all of that.
        const managed = networks[LANS.indexOf(on ?? "")]?.making.type === "zerotier";
        return {
          uuid: uuid(100 + 10 * i + n),
          index: n,
          name: `eth${n}`,
          network: on === "wire" ? undefined : on,
          link: on === "wire" ? on : undefined,
          mac: parseMac(`02:00:00:00:0${i}:0${n}`),
          addresses: one.addressed && !managed && subnet !== undefined ? [nthHost(subnet, 10 * (i + 1) + n)] : [],
          slot: undefined,
          mtu: one.mtu,
          vlan: one.vlan,
          trunks: one.trunks,
          spy: false,
          monitor: false,
          identity: undefined,
          impair: undefined,
          gateway: managed ? undefined : one.gateway,
          dns: one.dns,
          dhcp: one.dhcp && !managed,
          routes: [],
          status: nicStatus(new Map()),
        };
      });
      const name = NODES[i] ?? "";
      return [
        {
          uuid: uuid(i),
          name,
          objId: i + 1,
          lab: it.lab,
          host: "h1",
          // Somebody's container is not ours to stop.
          stopped: it.kind === "guest" ? undefined : it.stopped,
          spec: specOf(name, it),
          nics,
          status: nodeStatus(new Map()),
        },
      ];
    });
    return {
      yard: { name: "t", nextCfg: 1 },
      hosts: [],
      labs: [],
      bridges: [],
      links: [{ uuid: uuid(900), name: "wire", lab: "one", mtu: undefined, impair: undefined }],
      networks: [
        networkEntry(MASTER, 9, { type: "lan" }, undefined, false),
        ...LANS.map((name, i) => {
          const { mtu, gateway = false, making = { type: "lan" } } = networks[i] ?? {};
          // A switch has one bridge for each VLAN.
          const twin = i > 0 && making.type !== "lan" && bridgeOf(making) === bridgeOf(networks[0]?.making ?? making);
          return networkEntry(name, i, twin ? { type: "lan" } : making, mtu, gateway && making.type !== "zerotier");
        }),
      ],
      nodes: entries,
    };
  });

function networkEntry(
  name: string,
  i: number,
  making: NetworkMaking,
  mtu: number | undefined,
  gated: boolean,
): NetworkEntry {
  const subnet = SUBNETS.get(name);
  const gateway = gated ? [parseIp(`10.${i}.0.254`)] : [];
  const cidr = subnet === undefined ? [] : [subnet];
  return { ...making, uuid: uuid(800 + i), name, lab: "one", cidr, gateway, mtu, status: networkStatus(new Map()) };
}

type NodeSeed = typeof node extends fc.Arbitrary<infer T> ? T : never;

function specOf(name: string, it: NodeSeed): NodeConfig {
  const { sysctls, ports, exec } = it;
  const { kind, image } = it;
  if (kind === "guest") {
    const engine = { runtime: "docker", engine: undefined, container: "c1", plugs: [] } as const;
    return { name, routes: [], sysctls: {}, env: {}, ports, exec: [], kind, ...engine };
  }
  const common = { ports, sysctls, exec };
  if (kind === "netns") return config(netns(name, [], common));
  if (kind !== "vm") return config(container(name, [], { ...common, runtime: kind, image }));
  const disk = { file: `/images/${image}`, format: "qcow2", persistent: image === "other" } as const;
  return config(vm(name, [], { ports, disks: [disk] }));
}

/** What the store keeps of a node beside its nics. */
function config<S extends { readonly nics: unknown }>({ nics: _, ...rest }: S): Omit<S, "nics"> {
  return rest;
}

/** A uuid for a test, the same for the same number. */
export function uuid(n: number): Uuid {
  const text = `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`;
  if (!isUuid(text)) throw new Error(`${text} is no uuid`);
  return text;
}
