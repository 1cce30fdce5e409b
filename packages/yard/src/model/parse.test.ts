import { describe, expect, test } from "bun:test";
import { parseLab } from "./parse.ts";
import type { ContainerSpec, Lab, NodeSpec } from "./types.ts";

function read(text: string, environment: Record<string, string> = {}): Lab {
  return parseLab(text, { file: "/labs/office.yard.yaml", environment }).lab;
}

function node(lab: Lab, name: string): NodeSpec {
  const found = lab.nodes.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no node ${name}`);
  return found;
}

function container(lab: Lab, name: string): ContainerSpec {
  const found = node(lab, name);
  if (found.kind !== "container") throw new Error(`${name} is no container`);
  return found;
}

const office = `
name: office
networks:
  lan01: {}
  lan02: { cidr: 10.2.0.0/24, gateway: 10.2.0.254 }
defaults: { container: { runtime: oci } }
nodes:
  web:    { kind: container, image: busybox, command: [httpd, -f], ports: ["8080:80"], env: { A: b }, binds: ["./www:/www:ro"],
            cpus: 1, memory: 64M, sysctls: {}, nics: [ { network: lan01, ip: 10.1.0.1/24, gateway: 10.1.0.9 } ], exec: ["echo up"] }
  router: { kind: netns, sysctls: { net.ipv4.ip_forward: 1 }, nics: [ { network: lan01, ip: [10.1.0.9/24, "fd01::9/64"] }, { network: lan02, slot: 9 } ], routes: [] }
  host:   { kind: netns, count: 3, nics: [ lan02 ] }
links: [ { endpoints: ["web:eth1", "router:eth2"], mtu: 9000 } ]
checks: [ { ping: { from: web, to: router } }, { tcp: { from: host-1, to: web, port: 80 }, expect: fail } ]
`;

describe("a lab file", () => {
  test("keeps its networks and nodes in the order in which they are written, also those named by numbers", () => {
    const lab = read("name: a\nnetworks: { b: , 10: , 2: }\nnodes: { z: { kind: netns }, 7: { kind: netns } }");
    expect(lab.networks.map(({ name }) => name)).toEqual(["b", "10", "2"]);
    expect(lab.nodes.map(({ name }) => name)).toEqual(["z", "7"]);
  });

  test("is expanded: counts, defaults, shorthands, absolute paths", () => {
    const lab = read(office);
    expect(lab.file).toBe("/labs/office.yard.yaml");
    expect(lab.nodes.map(({ name }) => name)).toEqual(["web", "router", "host-1", "host-2", "host-3"]);
    expect(container(lab, "web")).toMatchObject({
      runtime: "oci",
      memory: 64 * 1024 * 1024,
      binds: ["/labs/www:/www:ro"],
      exec: [["echo", "up"]],
      ports: [{ address: undefined, hostPort: 8080, nodePort: 80, protocol: "tcp" }],
    });
    expect(node(lab, "router").sysctls).toEqual({ "net.ipv4.ip_forward": "1" });
    expect(node(lab, "host-2").nics).toMatchObject([
      { name: "eth0", network: "lan02", ip: undefined, slot: undefined },
    ]);
  });

  test("may have nics that are plugged into nothing, unless there is a network of that name", () => {
    const a = "a: { kind: netns, nics: [none, { network: none, ip: 10.0.0.1/24, vlan: 5 }] }";
    expect(node(read(`name: a\nnodes: { ${a} }`), "a").nics).toMatchObject([
      { name: "eth0", network: undefined, link: undefined },
      { name: "eth1", network: undefined, link: undefined, ip: ["10.0.0.1/24"], vlan: 5 },
    ]);
    expect(node(read(`name: a\nnetworks: { none: }\nnodes: { ${a} }`), "a").nics[0]?.network).toBe("none");
  });

  test("may say what a nic is in Zero-OS' words, also the same twice", () => {
    const nics = `[
      { network: lan01, hwaddr: "02:00:00:00:00:0a", config: { cidr: 10.1.0.5/24, gw: 10.1.0.9, dns: [9.9.9.9] }, monitor: true },
      { network: lan01, ip: 10.1.0.6/24, config: { cidr: 10.1.0.6/24, dhcp: false } },
      { network: lan02, config: { dhcp: true } },
      { network: home, dhcp: true },
      { network: home, dhcp: true, slot: 9 } ]`;
    const networks = "lan01: {}, lan02: { cidr: 10.2.0.0/24 }, home: { type: nat, cidr: 10.3.0.0/24 }";
    const lab = read(`{ name: a, networks: { ${networks} }, nodes: { n: { kind: netns, nics: ${nics} } } }`);
    expect(node(lab, "n").nics as object).toMatchObject([
      { mac: "02:00:00:00:00:0a", ip: ["10.1.0.5/24"], gateway: ["10.1.0.9"], dns: ["9.9.9.9"], monitor: true },
      { ip: ["10.1.0.6/24"], dhcp: false, monitor: false },
      // A server decides; a nat keeps one for the nic, which its server gives it.
      { ip: [], dhcp: true },
      { ip: undefined, dhcp: true },
      { ip: undefined, slot: 9, dhcp: true },
    ]);
  });

  test("gives the ends of a link nics where they declare none, with the link's mtu", () => {
    const lab = read(office);
    expect(lab.links).toMatchObject([{ name: "web:eth1--router:eth2", mtu: 9000 }]);
    expect(node(lab, "web").nics[1]).toMatchObject({
      name: "eth1",
      link: "web:eth1--router:eth2",
      network: undefined,
      mtu: 9000,
    });
    expect(node(lab, "router").nics.map(({ name }) => name)).toEqual(["eth0", "eth1", "eth2"]);
  });

  test("may declare the nic that a link attaches, which keeps its place and what it says", () => {
    const lab = read(`
name: a
networks: { lan: }
nodes:
  a: { kind: netns, nics: [{ name: w, ip: 10.0.0.1/30, mtu: 1400 }, { network: lan, ip: none }] }
  b: { kind: netns }
links: [{ endpoints: ["a:w", "b:eth0"], mtu: 9000 }]`);
    expect(node(lab, "a").nics).toMatchObject([
      { name: "w", link: "a:w--b:eth0", mtu: 1400 },
      { name: "eth1", network: "lan", ip: [] },
    ]);
  });

  test("names its checks and gives them five seconds", () => {
    const lab = read(office);
    expect(lab.checks).toMatchObject([
      { type: "ping", name: "ping web → router", expect: "pass", timeout: 5000 },
      { type: "tcp", name: "tcp host-1 → web:80 fails", expect: "fail" },
    ]);
  });

  test("lends a network's prefix length to addresses without one", () => {
    const lab = read(`
name: a
networks: { lan: { cidr: [10.0.0.0/20, "fd00::/56"] } }
nodes: { a: { kind: netns, nics: [{ network: lan, ip: [10.0.1.1, "fd00::1"] }] } }`);
    expect(node(lab, "a").nics[0]?.ip?.map(String)).toEqual(["10.0.1.1/20", "fd00::1/56"]);
  });

  test("gives counted nodes consecutive slots", () => {
    const lab = read(`
name: a
networks: { lan: { cidr: 10.0.0.0/24 } }
nodes: { h: { kind: netns, count: 3, nics: [{ network: lan, slot: 7 }] } }`);
    expect(lab.nodes.map(({ nics }) => nics[0]?.slot)).toEqual([7, 8, 9]);
  });

  test("takes names with a number even for a count of one", () => {
    expect(read("name: a\nnodes: { h: { kind: netns, count: 1 } }").nodes[0]?.name).toBe("h-1");
  });

  test("records the engine that the caller's own tools would talk to", () => {
    const text = (runtime: string) => `name: a\nnodes: { c: { kind: container, image: x, runtime: ${runtime} } }`;
    const environment = { DOCKER_HOST: "unix:///d", CONTAINER_HOST: "unix:///p" };
    expect(container(read(text("docker"), environment), "c").engine).toBe("unix:///d");
    expect(container(read(text("podman"), environment), "c").engine).toBe("unix:///p");
    expect(container(read(text("oci"), environment), "c").engine).toBeUndefined();
    expect(container(read(text("docker"), { DOCKER_HOST: "" }), "c").engine).toBeUndefined();
  });

  test("merges env and sysctls with the defaults of the kind, and replaces the rest", () => {
    const lab = read(`
name: a
defaults:
  container: { image: base, env: { A: 1, B: 2 }, exec: ["one"], cap_add: [cap_net_admin] }
  nic: { mtu: 1400, dns: 10.0.0.53 }
networks: { lan: }
nodes:
  c: { kind: container, env: { B: 3 }, exec: ["two 'and three'"], nics: [lan, { network: lan, mtu: 1300, dns: [] }] }
  d: { kind: container, rootfs: root }`);
    expect(container(lab, "c")).toMatchObject({
      image: "base",
      env: { A: "1", B: "3" },
      exec: [["two", "and three"]],
      capAdd: ["NET_ADMIN"],
    });
    expect(container(lab, "c").nics).toMatchObject([{ mtu: 1400 }, { mtu: 1300, dns: [] }]);
    expect(container(lab, "d")).toMatchObject({ image: undefined, rootfs: "/labs/root" });
  });

  test("takes values of env as they are spelled", () => {
    const lab = read('name: a\nnodes: { c: { kind: netns, env: { V: 1.10, O: 0x10, T: true, Q: "1.0" } } }');
    expect(node(lab, "c").env).toEqual({ V: "1.10", O: "0x10", T: "true", Q: "1.0" });
  });

  test("may use anchors and aliases", () => {
    const lab = read(`
name: a
networks: { lan: { cidr: 10.0.0.0/24 } }
nodes:
  a: { kind: netns, nics: &nics [{ network: lan }] }
  b: { kind: netns, nics: *nics }`);
    expect(node(lab, "b").nics).toEqual(node(lab, "a").nics);
  });

  test("may publish one port on two addresses, or for two protocols", () => {
    const lab = read('name: a\nnodes: { a: { kind: netns, ports: ["127.0.0.1:53:53", "[::1]:53:53", "53:53/udp"] } }');
    expect(node(lab, "a").ports.map(({ address, protocol }) => `${address} ${protocol}`)).toEqual([
      "127.0.0.1 tcp",
      "::1 tcp",
      "undefined udp",
    ]);
  });

  test("may route over a neighbour that only a route makes one", () => {
    const lab = read(`
name: a
networks: { lan: }
nodes:
  a: { kind: netns, nics: [{ network: lan, ip: 10.0.0.1/32 }], routes: [{ to: 10.9.9.9, dev: eth0 }, { to: default, via: 10.9.9.9 }] }`);
    expect(node(lab, "a").routes.map(({ to }) => String(to))).toEqual(["10.9.9.9/32", "default"]);
  });

  test("with ten nodes counted a hundred times is read in under 30 ms", () => {
    const entries = Array.from({ length: 10 }, (_, i) => `  h${i}: { kind: netns, count: 100, nics: [lan] }\n`).join(
      "",
    );
    const text = `name: a\nnetworks: { lan: { cidr: 10.0.0.0/16 } }\nnodes:\n${entries}`;
    expect(read(text).nodes).toHaveLength(1000);
    expect(least(() => read(text))).toBeLessThan(30);
  });

  test("with four times the nodes takes about four times as long, not sixteen", () => {
    const text = (nodes: number) => {
      const entries = Array.from(
        { length: nodes },
        (_, i) => `  h${i}: { kind: netns, nics: [{ network: lan, slot: ${i + 1} }] }\n`,
      );
      return `name: a\nnetworks: { lan: { cidr: 10.0.0.0/8 } }\nnodes:\n${entries.join("")}`;
    };
    const [small, large] = [text(250), text(1000)];
    expect(least(() => read(large)) / least(() => read(small))).toBeLessThan(10);
  }, 20_000);
});

/** Milliseconds of processor time that something takes, the least of some: others use the machine too. */
function least(work: () => void): number {
  const times = Array.from({ length: 5 }, () => {
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  });
  return Math.min(...times);
}
