import { describe, expect, test } from "bun:test";
import { parseCidr, parseIp } from "@switchyard/base";
import fc from "fast-check";
import { container, netns, nic } from "../../tests/specs.ts";
import type { ContainerSpec, JointSpec, NodeSpec, PortForward, RouteSpec, VmSpec } from "../model/types.ts";
import { canonicalJson } from "./canonical.ts";
import {
  checksText,
  linkConfigText,
  nicConfigText,
  nodeConfigText,
  parseChecks,
  parseLinkConfig,
  parseNicConfig,
  parseNodeConfig,
} from "./config.ts";

const words = fc.array(fc.string(), { maxLength: 3 });
/** The one name that the reader of lab files refuses everywhere: no object holds it as others. */
const key = fc.string().filter((name) => name !== "__proto__");
const record = fc.dictionary(key, fc.string(), { maxKeys: 3, noNullPrototype: true });
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const ip = fc.constantFrom("10.0.0.1", "fd01::9").map(parseIp);
const route: fc.Arbitrary<RouteSpec> = fc.record({
  to: fc.constantFrom("default" as const, parseCidr("10.0.0.0/8")),
  via: maybe(ip),
  dev: maybe(fc.string()),
  metric: maybe(fc.nat()),
});
const port: fc.Arbitrary<PortForward> = fc
  .tuple(
    fc.record({
      address: maybe(ip),
      hostPort: fc.nat({ max: 65_535 }),
      nodePort: fc.nat({ max: 65_535 }),
      protocol: fc.constantFrom("tcp" as const, "udp" as const),
    }),
    fc.constantFrom({}, { target: "web" }),
  )
  .map(([forward, more]) => ({ ...forward, ...more }));
const common = {
  routes: fc.array(route, { maxLength: 2 }),
  sysctls: record,
  env: record,
  ports: fc.array(port, { maxLength: 2 }),
  exec: fc.array(words, { maxLength: 2 }),
};
const containers: fc.Arbitrary<ContainerSpec> = fc
  .record({
    ...common,
    runtime: fc.constantFrom("docker", "podman", "oci"),
    image: maybe(fc.string()),
    rootfs: maybe(fc.string()),
    pull: fc.constantFrom("missing", "always", "never"),
    command: words,
    entrypoint: maybe(words),
    user: maybe(fc.string()),
    hostname: maybe(fc.string()),
    privileged: fc.boolean(),
    hostNetwork: fc.boolean(),
    capAdd: words,
    devices: words,
    binds: words,
    cpus: maybe(fc.double({ min: 0.1, max: 64, noNaN: true })),
    memory: maybe(fc.nat()),
    engine: maybe(fc.string()),
  })
  .map((more) => container("web", [], more));
const machines: fc.Arbitrary<VmSpec> = fc
  .record({
    routes: fc.array(route, { maxLength: 2 }),
    ports: fc.array(port, { maxLength: 2 }),
    disks: fc.array(
      fc.record({
        file: fc.string(),
        format: fc.constantFrom("qcow2" as const, "raw" as const),
        persistent: fc.boolean(),
      }),
      { maxLength: 2 },
    ),
    isos: words,
    kernel: maybe(fc.record({ image: fc.string(), initrd: maybe(fc.string()), append: maybe(fc.string()) })),
    memory: fc.nat(),
    cpus: fc.nat(),
    cloudInit: maybe(
      fc.record({
        userData: fc.string(),
        metaData: record,
        network: fc.constantFrom("nics" as const, "none" as const, { text: "version: 2" }),
      }),
    ),
    guestAgent: fc.boolean(),
    ssh: maybe(fc.record({ user: fc.string(), key: maybe(fc.string()), port: fc.nat() })),
    rebootEnds: fc.boolean(),
    maxNics: fc.nat(),
  })
  .map((more) => ({ ...netns("web"), ...more, kind: "vm" as const }));
const joints: fc.Arbitrary<JointSpec> = fc.oneof(
  fc.constant({ ...netns("web"), kind: "tap" as const }),
  fc.constant({ ...netns("web"), kind: "nat" as const, cidr: ["10.30.0.0/24", "fd00:30::/64"].map(parseCidr) }),
  fc.constantFrom("absorb" as const, "macvlan" as const).map((mode) => ({
    ...{ ...netns("web"), kind: "phy" as const, parent: "eth1", mode },
  })),
  fc
    .constantFrom(
      { type: "yard" as const, yard: "far", node: "n" },
      { type: "vxlan" as const, peer: parseIp("fd01::9"), id: 7, port: 4789, encrypt: undefined },
      { type: "vxlan" as const, peer: parseIp("10.9.0.1"), id: 7, port: 4789, encrypt: { key: "k", port: 51820 } },
    )
    .map((to) => ({ ...netns("web"), kind: "c2c" as const, to })),
);
const nodes: fc.Arbitrary<NodeSpec> = fc.oneof(
  joints,
  containers,
  machines,
  fc.record(common).map((more) => netns("web", [], more)),
  fc
    .record({
      runtime: fc.constant("docker" as const),
      engine: maybe(fc.string()),
      container: maybe(fc.string()),
      plugs: words,
    })
    .map((more) => ({ ...netns("web"), ...more, kind: "guest" as const })),
);

describe("the configuration of a row", () => {
  test("a node's says all of it that its columns do not, and reads back as it was", () => {
    fc.assert(
      fc.property(nodes, (spec) => {
        const { nics, ...expected } = spec;
        const runtime = "runtime" in spec ? spec.runtime : "";
        const config = nodeConfigText(spec);
        const read = parseNodeConfig({ name: "web", kind: spec.kind, runtime, config });
        expect(read).toEqual(expected);
        expect(nodeConfigText(read)).toBe(config);
      }),
    );
  });

  const percent = fc.constantFrom(0, 0.5, 100);
  const impairment = fc.record({
    delay: fc.nat({ max: 60_000_000 }),
    jitter: fc.nat({ max: 1_000 }),
    correlation: percent,
    loss: percent,
    duplicate: percent,
    reorder: percent,
    corrupt: percent,
    rate: maybe(fc.integer({ min: 1_000, max: 1e9 })),
    queue: maybe(fc.record({ unit: fc.constantFrom("frames", "bytes"), amount: fc.nat({ max: 1e6 }) })),
  });

  test("a link's reads back as it was, and that of an older version has no impairment", () => {
    const links = fc.record({ impair: maybe(fc.record({ forward: impairment, backward: impairment })) });
    fc.assert(fc.property(links, (spec) => expect(parseLinkConfig(linkConfigText(spec), "")).toEqual(spec)));
    expect(parseLinkConfig("", "")).toEqual({ impair: undefined });
  });

  test("a nic's reads back as it was", () => {
    const nics = fc.record({
      gateway: maybe(fc.array(ip, { maxLength: 2 })),
      dns: fc.array(ip, { maxLength: 2 }),
      routes: fc.array(route, { maxLength: 2 }),
      dhcp: fc.boolean(),
      monitor: fc.boolean(),
      identity: fc.constantFrom(undefined, "/id"),
      impair: maybe(fc.record({ forward: impairment, backward: impairment })),
    });
    fc.assert(fc.property(nics, (spec) => expect(parseNicConfig(nicConfigText(spec), "")).toEqual(spec)));
  });

  test("a lab's checks read back as they were", () => {
    const judged = { expect: "fail" as const, name: "n", timeout: 1000 };
    const checks = [
      { type: "ping" as const, from: "a", to: "b", ...judged },
      { type: "tcp" as const, from: "a", to: "b", port: 80, ...judged },
      { type: "exec" as const, node: "a", command: ["true"], ...judged },
    ];
    expect(parseChecks(checksText(checks), "")).toEqual(checks);
  });

  test("a bare node's is empty, and order does not matter where it means nothing", () => {
    expect(nodeConfigText(netns("n"))).toBe("{}");
    expect(nicConfigText(nic("eth0", "lan"))).toBe("{}");
    expect(canonicalJson({ b: [{ d: 1, c: undefined }], a: "x" })).toBe('{"a":"x","b":[{"d":1}]}');
  });

  test("what another version or a person wrote there is refused by its place", () => {
    const row = { name: "web", kind: "netns", runtime: "", config: "{}" };
    const refused = (change: object) => {
      try {
        return parseNodeConfig({ ...row, ...change });
      } catch (error) {
        return error;
      }
    };
    for (const change of [
      { config: "{" },
      { config: '{"env":1}' },
      { kind: "vm" },
      { kind: "container", runtime: "lxc" },
    ])
      expect(refused(change)).toMatchObject({ code: "store.bad-row", where: "Node web" });
    expect(refused({ config: '{"env":1}' })).toMatchObject({ message: expect.stringContaining("env") });
  });
});
