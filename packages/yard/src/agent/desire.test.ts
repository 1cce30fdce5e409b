import { describe, expect, test } from "bun:test";
import { type Ip, parseCidr, parseIp } from "@switchyard/base";
import fc from "fast-check";
import { storeRows, uuid } from "../../tests/arbitrary-rows.ts";
import { applyToModel } from "../../tests/host-model.ts";
import { rowsFrom } from "../../tests/rows-from.ts";
import { container, hostFacts, ips, netns, network, nic } from "../../tests/specs.ts";
import type { Rows } from "../store/rows.ts";
import { desire } from "./desire.ts";
import { gatewayFailures } from "./desire-nat.ts";
import { KnownNodes } from "./desire-plain.ts";
import type { HostFacts } from "./host-facts.ts";
import { plan } from "./plan.ts";
import { ELSEWHERE, EMPTY, HOST } from "./state.ts";

const facts = { ...hostFacts, tunnels: new Set(["others-tunnel"]) };
const revive = { revive: true };

/** Rows of which two of the nodes hang on nothing but their networks. */
function withPlainNodes(rows: Rows): Rows {
  const plain = rows.nodes.slice(0, 2).map((node) => {
    const { nics: _, ...spec } = netns(node.name, []);
    const nics = node.nics.map((it) => ({ ...it, network: it.network ?? "lan01", link: undefined, dhcp: false }));
    return { ...node, spec, nics };
  });
  return { ...rows, nodes: [...plain, ...rows.nodes.slice(2)] };
}

describe("what a host shall be like", () => {
  test("can be reached from nothing, and from any other", () => {
    fc.assert(
      fc.property(storeRows, storeRows, (before, after) => {
        const first = applyToModel(EMPTY, plan(desire(before, facts), EMPTY, revive));
        expect(plan(desire(before, facts), first, revive)).toEqual([]);
        const second = applyToModel(first, plan(desire(after, facts), first, revive));
        expect(plan(desire(after, facts), second, revive)).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  test("is by what is kept of nodes as it is without, whatever else changes meanwhile", () => {
    const side = fc.constantFrom("one", "other", "none");
    const step = fc.record({
      networks: fc.constantFrom("one", "other"),
      nodes: fc.tuple(side, side, side, side),
      datapath: fc.constantFrom("netdev", "netdev", "system"),
      offloads: fc.boolean(),
      tunnels: fc.constantFrom(new Set<string>(), new Set(["_b_lan01"])),
      captured: fc.constantFrom(new Set<string>(), new Set(["_k_1_0", "_k_2_0"])),
    });
    fc.assert(
      fc.property(storeRows, storeRows, fc.array(step, { minLength: 2, maxLength: 6 }), (first, second, steps) => {
        const [one, other] = [withPlainNodes(first), withPlainNodes(second)];
        const known = new KnownNodes();
        for (const { networks, nodes, ...more } of steps) {
          const rows = {
            ...(networks === "one" ? one : other),
            nodes: nodes.flatMap((from, i) => {
              if (from === "none") return [];
              return (from === "one" ? one : other).nodes.filter(({ objId }) => objId === i + 1);
            }),
          };
          expect(desire(rows, { ...facts, ...more }, known)).toEqual(desire(rows, { ...facts, ...more }));
        }
      }),
      { numRuns: 1000 },
    );
  });

  test("has no name that the kernel would refuse, and no port without its bridge and its device", () => {
    fc.assert(
      fc.property(storeRows, (rows) => {
        const state = desire(rows, facts);
        for (const [name, port] of state.ports) {
          expect(state.bridges.has(port.bridge)).toBe(true);
          expect(state.veths.has(name) || state.taps.has(name) || state.vteps.has(name)).toBe(port.type === "");
          expect(state.veths.has(name) && state.taps.has(name)).toBe(false);
        }
        const far = [...state.veths.values()].map((it) => `${it.namespace} ${it.name}`);
        expect(new Set(far).size).toBe(far.length);
        const links = [
          ...state.bridges.keys(),
          ...state.veths.keys(),
          ...state.taps.keys(),
          ...state.vteps.keys(),
          ...[...state.veths.values()].map((it) => it.name),
        ];
        for (const name of links) expect(name.length).toBeLessThanOrEqual(15);
      }),
    );
  });

  test("a node's nic is a veth from its port to its namespace, with the network's MTU unless it has one", () => {
    const lan = { ...network("lan01"), mtu: 9000 };
    const nodes = [
      netns("web", [nic("eth0", "lan01", { ip: ips("10.1.0.1/24"), vlan: 7 }), nic("eth1", "lan01", { mtu: 1400 })]),
    ];
    const state = desire(rowsFrom([lan], nodes), facts);
    expect(state.bridges.get("_b_lan01")).toMatchObject({ datapath: "netdev", hub: false, purpose: "network lan01" });
    expect(state.veths.get("_k_1_0")).toMatchObject({
      namespace: "yard_t_web",
      name: "eth0",
      mtu: 9000,
      up: true,
      addresses: ["10.1.0.1/24"],
      purpose: "nic web eth0",
    });
    expect(state.veths.get("_k_1_1")?.mtu).toBe(1400);
    expect(state.ports.get("_k_1_0")).toMatchObject({ bridge: "_b_lan01", tag: 7, vlanMode: undefined });
  });

  test("whatever reaches a VXLAN's tunnels has room for their headers, and finishes its packets where the switch cannot", () => {
    const common = { cidr: [], gateway: [], mtu: undefined };
    const wide = {
      ...common,
      name: "wide",
      type: "vxlan",
      id: 7,
      port: 4789,
      ...{ master: undefined, address: undefined, bridge: undefined },
    } as const;
    const vlan = { ...common, name: "vlan", type: "vlan", id: 5, master: "vxlbr7", bridge: undefined } as const;
    const nodes = [netns("n", [nic("a", "wide"), nic("b", "vlan"), nic("c", "lan"), nic("d", "wide", { mtu: 1280 })])];
    const look = (peers: readonly Ip[], more: Partial<HostFacts> = {}) => {
      const rows = rowsFrom([network("lan"), { ...wide, peers }, vlan], nodes);
      return [...desire(rows, { ...facts, ...more }).veths.values()].map(({ mtu, offloads }) => [mtu, offloads]);
    };
    expect(look([parseIp("10.2.0.2")])).toEqual([
      [1450, false],
      [1446, false],
      [1500, true],
      [1280, false],
    ]);
    expect(look([parseIp("10.2.0.2"), parseIp("fd02::2")], { datapath: "system" })).toEqual([
      [1430, true],
      [1426, true],
      [1500, true],
      [1280, true],
    ]);
  });

  test("nics on somebody else's bridge finish their packets where that reaches a tunnel", () => {
    const on = (name: string) => ({ ...network(name), type: "bridge", bridge: `others-${name}` }) as const;
    const rows = rowsFrom([on("tunnel"), on("plain")], [netns("n", [nic("a", "tunnel"), nic("b", "plain")])]);
    expect([...desire(rows, facts).veths.values()].map(({ offloads }) => offloads)).toEqual([false, true]);
  });

  test("a VXLAN without peers goes out by its master's own device, which has the address, and leaves room there", () => {
    const common = {
      cidr: [],
      gateway: [],
      mtu: undefined,
      type: "vxlan",
      peers: [],
      port: 8472,
      bridge: undefined,
    } as const;
    const vxlan = (id: number, master: string, address?: string) => {
      const own = address === undefined ? undefined : parseCidr(address);
      return { ...common, name: `v${id}`, id, master, address: own };
    };
    const low = { ...network("low"), mtu: 1400 };
    const rows = rowsFrom([low, vxlan(7, "low", "10.2.0.1/24"), vxlan(8, "_b_low"), vxlan(9, "elsewhere")], []);
    const { vteps, underlays, ports } = desire(rows, facts);
    expect([...vteps].map(([name, { lower, mtu }]) => [name, lower, mtu])).toEqual([
      ["vtep7", "_b_low", 1350],
      ["vtep8", "_b_low", 1350],
      ["vtep9", "elsewhere", 1450],
    ]);
    expect([...underlays].map(([name, { addresses }]) => [name, addresses])).toEqual([
      ["_b_low", ["10.2.0.1/24"]],
      ["elsewhere", []],
    ]);
    expect(ports.get("vtep7")).toMatchObject({ bridge: "vxlbr7", type: "" });
  });

  test("a nat keeps off the host where its subnet is another's: the host's own, or that of a network before it", () => {
    const nat = (name: string, cidr: string) =>
      ({ ...network(name, [cidr], [cidr.replace("0.0/16", "0.1")]), type: "nat" }) as const;
    const rows = rowsFrom([nat("a", "10.1.0.0/16"), nat("b", "10.1.0.0/16"), nat("c", "10.2.0.0/16")], []);
    const made = (more: Partial<HostFacts> = {}) => desire(rows, { ...facts, ...more });
    expect([...made().veths.keys()]).toEqual(["_g_a", "_g_c"]);
    expect(gatewayFailures(rows, facts).map(({ error }) => error.code)).toEqual(["network.overlaps-host"]);
    // What is ours on the host is no obstacle to itself.
    const own = [...made().veths.values()].map(({ name, addresses }) => ({
      device: name,
      address: parseCidr(addresses[0] ?? ""),
      ours: true,
    }));
    expect([...made({ addresses: own }).veths.keys()]).toEqual(["_g_a", "_g_c"]);
    const foreign = [{ device: "eth0", address: parseCidr("10.2.3.4/24"), ours: false }];
    expect([...made({ addresses: foreign }).nats.keys()]).toHaveLength(1);
    const closed = gatewayFailures(rows, { ...facts, uplinks: [{ device: "eth0", forwarding: false }] });
    expect(closed.map(({ error }) => error.code)).toContain("network.not-forwarding");
  });

  test("so does any network that the host is on; another yard's that came later leaves it in its place", () => {
    const lan = network("lan", ["10.1.0.0/24"], ["10.1.0.254"]);
    const rows = rowsFrom([lan, { ...network("nat", ["10.1.0.0/16"], ["10.1.0.1"]), type: "nat" } as const], []);
    const gateways = (...addresses: HostFacts["addresses"]) => [...desire(rows, { ...facts, addresses }).veths.keys()];
    const ours = [...desire(rows, facts).veths.values()].map(({ name }) => name)[0] ?? "";
    const own = { device: ours, address: parseCidr("10.1.0.254/24"), ours: true };
    const other = { device: "y0123456789ab", address: parseCidr("10.1.0.1/16"), ours: false };
    const strange = { device: "eth0", address: parseCidr("10.1.0.1/16"), ours: false };
    expect(gateways()).toEqual(["_g_lan"]);
    expect(gateways(other)).toEqual([]);
    expect(gateways(own, other)).toEqual(["_g_lan"]);
    expect(gateways(own, strange)).toEqual([]);
    expect(gatewayFailures(rows, { ...facts, addresses: [other] })).toMatchObject([
      { subject: { network: "lan" }, error: { code: "network.overlaps-host" } },
      { subject: { network: "nat" }, error: { code: "network.overlaps-host" } },
    ]);
  });

  test("trunks make a trunk port, with a vlan beside them a native one", () => {
    const nics = [nic("a", "lan", { trunks: [2, 3] }), nic("b", "lan", { trunks: [2], vlan: 9 })];
    const state = desire(rowsFrom([network("lan")], [netns("n", nics)]), facts);
    expect(state.ports.get("_k_1_0")).toMatchObject({ tag: undefined, trunks: [2, 3], vlanMode: "trunk" });
    expect(state.ports.get("_k_1_1")).toMatchObject({ tag: 9, trunks: [2], vlanMode: "native-untagged" });
  });

  test("a wire is a bridge of its own that passes every frame, named by its first end", () => {
    const wire = { uuid: uuid(1), name: "w", lab: "one", mtu: 9000, impair: undefined };
    const nodes = [
      netns("a", [nic("eth0", undefined, { link: "w" })]),
      netns("b", [nic("eth1", undefined, { link: "w" })]),
    ];
    const state = desire(rowsFrom([], nodes, [wire]), facts);
    expect([...state.bridges]).toEqual([
      ["_w_1_0", { datapath: "netdev", otherConfig: { "forward-bpdu": "true" }, hub: true, purpose: "link w" }],
    ]);
    expect([...state.ports.values()].map((port) => port.bridge)).toEqual(["_w_1_0", "_w_1_0"]);
    expect([...state.veths.values()].map((veth) => veth.mtu)).toEqual([9000, 9000]);
  });

  test("a network's gateway is a link in the host's own namespace, and the way out of the nodes in its subnet", () => {
    const lan = network("lan", ["10.1.0.0/24", "fd01::/64"], ["10.1.0.254", "fd01::fe"]);
    const nodes = [
      netns("in", [nic("eth0", "lan", { ip: ips("10.1.0.1/24", "fd01::1/64") })]),
      netns("out", [nic("eth0", "lan", { ip: ips("10.9.0.1/24") })]),
      netns("none", [nic("eth0", "lan", { ip: ips("10.1.0.2/24"), gateway: [] })]),
    ];
    const state = desire(rowsFrom([lan], nodes), facts);
    const far = state.veths.get("_g_lan");
    expect(far).toMatchObject({ namespace: HOST, addresses: ["10.1.0.254/24", "fd01::fe/64"], purpose: "network lan" });
    expect(far?.name).toMatch(/^y[0-9a-f]{12}$/);
    expect(state.ports.get("_g_lan")?.bridge).toBe("_b_lan");
    expect(state.namespaces.get("yard_t_in")?.routes).toEqual([
      "default4 via 10.1.0.254 dev eth0",
      "default6 via fd01::fe dev eth0",
    ]);
    expect(state.namespaces.get("yard_t_out")?.routes).toEqual([]);
    expect(state.namespaces.get("yard_t_none")?.routes).toEqual([]);
  });

  test("a nic's own gateway comes before the network's; a second one is a fallback", () => {
    const lan = network("lan", ["10.1.0.0/24"], ["10.1.0.254"]);
    const via = (ip: string) => ({ gateway: [parseIp(ip)] });
    const nics = [
      nic("eth0", "lan", { ip: ips("10.1.0.1/24") }),
      nic("eth1", "lan", { ip: ips("10.2.0.1/24"), ...via("10.2.0.9") }),
      nic("eth2", "lan", { ip: ips("10.3.0.1/24"), ...via("10.3.0.9") }),
    ];
    const state = desire(rowsFrom([lan], [netns("n", nics)]), facts);
    expect(state.namespaces.get("yard_t_n")?.routes).toEqual([
      "default4 via 10.2.0.9 dev eth1",
      "default4 via 10.3.0.9 dev eth2 metric 1",
    ]);
  });

  test("a node's route finds the nic that its next hop lies behind", () => {
    const to = parseCidr("10.9.1.7/16");
    const route = { to, via: parseIp("10.2.0.9"), dev: undefined, metric: 5 };
    const nics = [nic("eth0", "lan", { ip: ips("10.1.0.1/24") }), nic("eth1", "lan", { ip: ips("10.2.0.1/24") })];
    const state = desire(rowsFrom([network("lan")], [netns("n", nics, { routes: [route] })]), facts);
    expect(state.namespaces.get("yard_t_n")?.routes).toEqual(["10.9.0.0/16 via 10.2.0.9 dev eth1 metric 5"]);
  });

  test("the nodes of a lab find each other in one hosts file, a bare namespace by a link to it", () => {
    const nodes = [
      netns("web", [nic("eth0", "lan", { ip: ips("fd01::1/64", "10.1.0.1/24"), dns: [parseIp("9.9.9.9")] })]),
      container("db", [nic("eth0", "lan", { ip: ips("10.1.0.2/24"), dns: [parseIp("9.9.9.9")] })]),
      netns("plain", [nic("eth0", "lan", { ip: [] })]),
    ];
    const { files, containers } = desire(rowsFrom([network("lan")], nodes), facts);
    const hosts = files.get("/run/t/etc/lab-one/hosts");
    expect(hosts?.type === "text" && hosts.text.split("\n").slice(2)).toEqual([
      "10.1.0.1 web",
      "fd01::1 web",
      "10.1.0.2 db",
      "",
    ]);
    expect(files.get("/etc/netns/yard_t_plain")).toMatchObject({ type: "symlink", target: "/run/t/etc/lab-one" });
    expect(files.get("/etc/netns/yard_t_web/hosts")).toMatchObject({
      type: "symlink",
      target: "/run/t/etc/lab-one/hosts",
    });
    expect(files.get("/etc/netns/yard_t_web/resolv.conf")).toMatchObject({ text: "nameserver 9.9.9.9\n" });
    expect(files.get("/run/t/files/resolv-db")).toMatchObject({ text: "nameserver 9.9.9.9\n", bound: true });
    expect(containers.get("db")?.config?.binds).toEqual([
      "/run/t/etc/lab-one/hosts:/etc/hosts:ro",
      "/run/t/files/resolv-db:/etc/resolv.conf:ro",
    ]);
  });

  test("a nic with dhcp has what its lease says, and a container is not made anew for that", () => {
    const rows = rowsFrom(
      [network("lan")],
      [
        netns("n", [nic("eth0", "lan", { ip: [], dhcp: true })]),
        container("c", [nic("eth0", "lan", { ip: [], dhcp: true, dns: [parseIp("9.9.9.9")] })]),
      ],
    );
    const without = desire(rows, facts);
    const grant = (n: number) => ({
      address: parseCidr(`10.7.0.${n}/24`),
      server: parseIp("10.7.0.1"),
      gateway: [parseIp("10.7.0.1")],
      dns: [parseIp("10.7.0.53")],
      expires: 0,
    });
    const clients = [...without.services.keys()];
    const leases = new Map(clients.map((id, n) => [id, grant(100 + n)]));
    const state = desire(rows, { ...facts, leases });
    expect(clients).toMatchObject([/^dhcp-_k_1_0-/, /^dhcp-_k_2_0-/].map((it) => expect.stringMatching(it)));
    expect(without.veths.get("_k_1_0")?.addresses).toEqual([]);
    expect(state.veths.get("_k_1_0")?.addresses).toEqual(["10.7.0.100/24"]);
    expect(state.namespaces.get("yard_t_n")?.routes).toEqual(["default4 via 10.7.0.1 dev eth0"]);
    expect(state.files.get("/etc/netns/yard_t_n/resolv.conf")).toMatchObject({ text: "nameserver 10.7.0.53\n" });
    expect(state.files.get("/run/t/files/resolv-c")).toMatchObject({ text: "nameserver 9.9.9.9\n" });
    expect(state.containers.get("c")).toEqual(without.containers.get("c"));
    // On another segment, or with another MAC, it is another client, whose lease is not known yet.
    const moved = rowsFrom([network("lan"), network("b")], [netns("n", [nic("eth0", "b", { ip: [], dhcp: true })])]);
    expect(desire(moved, { ...facts, leases }).veths.get("_k_1_0")?.addresses).toEqual([]);
  });

  test("published ports are the relay's, which connects to the node's own address", () => {
    const port = { address: undefined, hostPort: 8080, nodePort: 80, protocol: "tcp" as const };
    const nodes = [netns("web", [nic("eth0", "lan", { ip: ips("10.1.0.1/24") })], { ports: [port] })];
    const state = desire(rowsFrom([network("lan")], nodes), facts);
    const path = "/run/t/relay/forwards.json";
    expect([...state.services]).toEqual([
      ["relay", { argv: ["/bin/yard", "relay", path], running: true, namespace: undefined, purpose: "yard" }],
    ]);
    const file = state.files.get(path);
    expect(file?.type === "text" && JSON.parse(file.text)).toEqual({
      forwards: [
        {
          node: "web",
          protocol: "tcp",
          address: "0.0.0.0",
          port: 8080,
          namespace: "yard_t_web",
          targetAddress: "10.1.0.1",
          targetPort: 80,
        },
      ],
    });
  });

  test("a guest's nic waits on the host for its engine, which gives it its addresses; its ports are reached from there", () => {
    const port = { address: undefined, hostPort: 8080, nodePort: 80, protocol: "tcp" as const };
    const eth0 = nic("eth0", "lan", { ip: ips("10.1.0.1/24") });
    const guest = { ...netns("web", [eth0], { ports: [port] }), kind: "guest", runtime: "docker" } as const;
    const state = desire(
      rowsFrom([network("lan")], [{ ...guest, engine: undefined, container: undefined, plugs: [] }]),
      facts,
    );
    expect(state.veths.get("_k_1_0")).toMatchObject({ namespace: ELSEWHERE, addresses: [] });
    expect(state.ports.get("_k_1_0")?.bridge).toBe("_b_lan");
    expect([state.namespaces.size, state.containers.size]).toEqual([0, 0]);
    const file = state.files.get("/run/t/relay/forwards.json");
    expect(file?.type === "text" && JSON.parse(file.text).forwards[0].namespace).toBe(HOST);
  });

  test("a guest's port that is there already is only looked at, and put behind a pipe while it is impaired", () => {
    const way = { delay: 20_000, jitter: 0, correlation: 0, loss: 0, duplicate: 0, reorder: 0, corrupt: 0 };
    const none = { ...way, delay: 0, rate: undefined, queue: undefined };
    const impair = { forward: { ...none, delay: 20_000 }, backward: none };
    const engine = "unix:///run/docker.sock";
    const state = (impaired: boolean, there = true) => {
      const eth0 = nic("eth0", "ovs0", { ip: ips("10.0.0.1/24"), spy: true, ...(impaired ? { impair } : {}) });
      const guest = { ...netns("ovs0-s01", [eth0]), kind: "guest", runtime: "docker", engine } as const;
      const vswitch = { ...network("ovs0"), type: "bridge", bridge: "ovs0", addresses: ips("10.0.0.254/24") } as const;
      const rows = rowsFrom([vswitch], [{ ...guest, container: "c1", plugs: ["ovs0-s01"] }]);
      return desire(rows, { ...facts, foreign: new Map(there ? [["ovs0-s01", 1]] : []) });
    };
    const plain = state(false);
    expect(plain.ports.get("ovs0-s01")).toMatchObject({ bridge: "ovs0", foreign: true });
    expect(plain.mirrors.get("s_ovs0-s01")).toMatchObject({ bridge: "ovs0", port: "ovs0-s01" });
    expect([plain.veths.size, plain.bridges.size]).toEqual([0, 0]);
    expect(plain.underlays.get("ovs0")).toMatchObject({ addresses: ["10.0.0.254/24"], up: true });
    expect(plain.services.get("ec-keeper")?.argv).toEqual([
      ...facts.executable,
      "-y",
      "t",
      "ec-keeper",
      "--engine",
      engine,
    ]);
    const behind = state(true);
    expect(behind.ports.get("ovs0-s01")).toMatchObject({ bridge: "_i_1_0", foreign: true });
    // Flows that send to the slot's number go on to do so.
    expect(behind.ports.get("_y_1_0")).toMatchObject({ bridge: "ovs0", number: 1 });
    expect(behind.ports.get("_y_1_0")?.foreign).toBeUndefined();
    expect(state(true, false).ports.size).toBe(0);
  });

  test("a container is made anew for its image, not for its nics; only docker makes the namespace itself", () => {
    const fingerprint = (more: object, address = "10.1.0.1/24") => {
      const nodes = [container("c", [nic("eth0", "lan", { ip: ips(address) })], { runtime: "docker", ...more })];
      return desire(rowsFrom([network("lan")], nodes), facts).containers.get("c")?.fingerprint;
    };
    expect(fingerprint({})).toMatch(/^[0-9a-f]{16}$/);
    expect(fingerprint({}, "10.1.0.2/24")).toBe(fingerprint({}));
    expect(fingerprint({ sysctls: { "net.ipv4.ip_forward": "1" } })).toBe(fingerprint({}));
    for (const more of [{ image: "other" }, { env: { A: "1" } }, { memory: 1 }, { sysctls: { "kernel.msgmax": "1" } }])
      expect(fingerprint(more)).not.toBe(fingerprint({}));
    const docker = desire(rowsFrom([], [container("c", [], { runtime: "docker" })]), facts);
    expect(docker.namespaces.get("yard_t_c")?.container).toBe("c");
    expect(docker.containers.get("c")?.config?.labels).toEqual({
      "switchyard.owner": "t",
      "switchyard.node": "c",
      "switchyard.fingerprint": docker.containers.get("c")?.fingerprint ?? "",
      "switchyard.namespace": "yard_t_c",
    });
    const oci = desire(rowsFrom([], [container("c", [], { runtime: "oci" })]), facts);
    expect(oci.namespaces.get("yard_t_c")?.container).toBeUndefined();
  });

  test("nodes of other hosts are none of ours", () => {
    const rows = rowsFrom([], [netns("here"), netns("there")]);
    const nodes = rows.nodes.map((node) => (node.name === "there" ? { ...node, host: "h2" } : node));
    expect([...desire({ ...rows, nodes }, facts).namespaces.keys()]).toEqual(["yard_t_here"]);
  });
});
