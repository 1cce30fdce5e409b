import { describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { readdirSync, readlinkSync } from "node:fs";
import { parseCidr, parseIp, parseMac, run, tryRun } from "@switchyard/base";
import { requires } from "@switchyard/testing";
import {
  applyLinks,
  applyLinksInSlices,
  createNamespaces,
  deleteNamespaces,
  inNamespace,
  type LinkOp,
  type NamespaceBatch,
  namespaceId,
  readSysctls,
  viewNamespace,
  viewNamespaces,
  viewNamespacesInSlices,
} from "../src/mod.ts";
import { scratchNames, twoNamespaces, withBackend } from "./scratch.ts";

const near = parseMac("02:00:00:00:01:01");
const far = parseMac("02:00:00:00:01:02");

for (const backend of ["netlink", "iproute2"] as const) {
  describe.skipIf(!requires("root", "iproute2", "ping"))(`links by ${backend}`, () => {
    const apply = (batches: readonly NamespaceBatch[]) => withBackend(backend, () => applyLinks(batches));
    const view = (name: string) => withBackend(backend, () => viewNamespace({ name }));

    test("two namespaces joined by a veth reach each other over IPv4, IPv6 at once, and a route", async () => {
      using two = twoNamespaces();
      const failures = apply([
        {
          namespace: { name: two.a },
          ops: [
            {
              op: "veth",
              name: "_k_1_0",
              alias: "switchyard main web/0",
              mtu: 1400,
              mac: near,
              up: true,
              peer: { name: "eth0", namespace: { name: two.b }, mac: far, alias: "switchyard main", up: true },
            },
            { op: "address-add", name: "_k_1_0", address: parseCidr("10.1.0.1/24") },
            { op: "address-add", name: "_k_1_0", address: parseCidr("fd01::1/64") },
            { op: "address-add", name: "lo", address: parseCidr("10.9.0.1/32") },
          ],
        },
        {
          namespace: { name: two.b },
          ops: [
            { op: "address-add", name: "eth0", address: parseCidr("10.1.0.2/24") },
            { op: "address-add", name: "eth0", address: parseCidr("fd01::2/64") },
            { op: "route-add", route: { to: "default4", via: parseIp("10.1.0.1") } },
            { op: "route-add", route: { to: parseCidr("fd09::/64"), via: parseIp("fd01::1"), dev: "eth0", metric: 7 } },
            { op: "route-add", route: { to: parseCidr("10.8.0.0/16"), dev: "eth0" } },
          ],
        },
      ]);
      expect(failures).toEqual([]);
      const here = view(two.a).links.get("_k_1_0");
      const there = view(two.b);
      const eth0 = there.links.get("eth0");
      expect(here).toMatchObject({ mac: near, mtu: 1400, up: true, carrier: true, kind: "veth" });
      expect(here).toMatchObject({ alias: "switchyard main web/0", peerIndex: eth0?.index });
      expect(eth0).toMatchObject({ mac: far, mtu: 1400, up: true, alias: "switchyard main", peerIndex: here?.index });
      expect(eth0?.addresses.filter(({ ours }) => ours)).toEqual([
        { address: parseCidr("10.1.0.2/24"), ours: true },
        { address: parseCidr("fd01::2/64"), ours: true },
      ]);
      expect(there.links.get("lo")?.addresses.map(({ ours }) => ours)).toEqual([false, false]);
      expect(there.routes).toHaveLength(3);
      expect(there.routes).toContainEqual({ to: "default4", via: parseIp("10.1.0.1"), dev: "eth0" });
      expect(there.routes).toContainEqual({ to: parseCidr("10.8.0.0/16"), dev: "eth0" });
      expect(there.routes).toContainEqual({
        to: parseCidr("fd09::/64"),
        via: parseIp("fd01::1"),
        dev: "eth0",
        metric: 7,
      });
      for (const target of ["fd01::1", "10.1.0.1", "10.9.0.1"])
        await run(["ip", "netns", "exec", two.b, "ping", "-c1", "-W2", target]);
    });

    test("what was added is deleted again; a stranger's route of the same network stays", async () => {
      using two = twoNamespaces();
      const address = parseCidr("10.1.0.1/24");
      const route = { to: parseCidr("10.7.0.0/16"), via: parseIp("10.1.0.9") } as const;
      const namespace = { name: two.a };
      const add: LinkOp[] = [
        { op: "veth", name: "v0", up: true, peer: { name: "v1", namespace: { name: two.b } } },
        { op: "address-add", name: "v0", address },
        { op: "route-add", route },
      ];
      expect(apply([{ namespace, ops: add }])).toEqual([]);
      expect(apply([{ namespace, ops: [{ op: "route-delete", route }] }])).toEqual([]);
      expect(view(two.a).routes).toEqual([]);
      await run(["ip", "-n", two.a, "route", "add", route.to, "via", route.via]);
      const [failure] = apply([{ namespace, ops: [{ op: "route-delete", route }] }]);
      expect(failure?.errno).toBe("ESRCH");
      expect(await run(["ip", "-n", two.a, "route"])).toContain(route.to);
      expect(view(two.a).routes).toEqual([]);
      expect(apply([{ namespace, ops: [{ op: "address-delete", name: "v0", address }] }])).toEqual([]);
      expect(
        view(two.a)
          .links.get("v0")
          ?.addresses.filter(({ ours }) => ours),
      ).toEqual([]);
      expect(apply([{ namespace, ops: [{ op: "delete", name: "v0" }] }])).toEqual([]);
      expect([...view(two.a).links.keys()]).toEqual(["lo"]);
      expect([...view(two.b).links.keys()]).toEqual(["lo"]);
    });

    test("a nic leaves its checksums and segments to others or not, from the start or later", () => {
      using two = twoNamespaces();
      const peer = (name: string, offloads?: boolean) => ({
        name,
        namespace: { name: two.b },
        ...(offloads === undefined ? {} : { offloads }),
      });
      const namespace = { name: two.a };
      const ops: LinkOp[] = [
        { op: "veth", name: "v0", peer: peer("w0") },
        { op: "veth", name: "v1", peer: peer("w1", false) },
        { op: "veth", name: "v2", peer: peer("w2", true) },
      ];
      expect(apply([{ namespace, ops }])).toEqual([]);
      // `ip` cannot tell, so it is always asked of the kernel.
      const seen = () => ["w0", "w1", "w2"].map((name) => viewNamespace({ name: two.b }).links.get(name)?.offloads);
      expect(seen()).toEqual([true, false, true]);
      const turned: LinkOp[] = [
        { op: "set", name: "w0", offloads: false },
        { op: "set", name: "w1", offloads: true, up: true },
      ];
      expect(apply([{ namespace: { name: two.b }, ops: turned }])).toEqual([]);
      expect(seen()).toEqual([false, true, true]);
      expect(viewNamespace({ name: two.b }).links.get("w1")?.up).toBe(true);
      expect(viewNamespace({ name: two.b }).links.get("lo")?.offloads).toBeUndefined();
      const [failure] = apply([{ namespace, ops: [{ op: "set", name: "none", offloads: false }] }]);
      expect(failure?.errno).toBe("ENODEV");
    });

    test("a veth that is a switch's port answers no ARP and has no IPv6 address, whatever its MTU", async () => {
      using two = twoNamespaces();
      const namespace = { name: two.a };
      const end = (name: string) => ({ name, namespace: { name: two.b }, up: true });
      const ops: LinkOp[] = [
        { op: "veth", name: "v0", port: true, up: true, alias: "of ours", peer: end("w0") },
        { op: "veth", name: "v1", port: true, up: true, mtu: 576, peer: end("w1") },
        { op: "address-add", name: "lo", address: parseCidr("10.9.0.1/32") },
      ];
      const there: LinkOp = { op: "address-add", name: "w0", address: parseCidr("10.9.0.2/24") };
      expect(
        apply([
          { namespace, ops },
          { namespace: { name: two.b }, ops: [there] },
        ]),
      ).toEqual([]);
      const { links } = view(two.a);
      expect(links.get("v0")).toMatchObject({ up: true, carrier: true, alias: "of ours", addresses: [] });
      expect(links.get("v1")).toMatchObject({ up: true, mtu: 576, addresses: [] });
      // An ordinary link's namespace would answer for the address that its loopback has.
      expect((await tryRun(["ip", "netns", "exec", two.b, "ping", "-c1", "-W1", "10.9.0.1"])).code).not.toBe(0);
      expect(await run(["ip", "-n", two.b, "neigh", "show", "10.9.0.1"])).not.toContain("lladdr");
    });

    test("a link is renamed, moved and changed, and used by its new name in the same batch", () => {
      using two = twoNamespaces();
      const failures = apply([
        {
          namespace: { name: two.a },
          ops: [
            { op: "veth", name: "v0", alias: "old", peer: { name: "v1", namespace: { name: two.a } } },
            { op: "set", name: "v0", rename: "w0", mtu: 1300, mac: near, alias: "new name" },
            { op: "set", name: "w0", up: true },
            { op: "address-add", name: "w0", address: parseCidr("10.1.0.1/24") },
            { op: "set", name: "v1", namespace: { name: two.b }, rename: "w1" },
            { op: "set", name: "w0", alias: "" },
          ],
        },
        { namespace: { name: two.b }, ops: [{ op: "set", name: "w1", up: true }] },
      ]);
      expect(failures).toEqual([]);
      const { links } = view(two.a);
      expect(links.has("v0")).toBe(false);
      expect(links.get("w0")).toMatchObject({ mtu: 1300, mac: near, alias: "", up: true });
      expect(links.get("w0")?.addresses).toContainEqual({ address: parseCidr("10.1.0.1/24"), ours: true });
      expect(view(two.b).links.get("w1")?.up).toBe(true);
    });

    test("every failure names its operation and reason, and the others are done", () => {
      using two = twoNamespaces();
      const namespace = { name: two.a };
      const peer = { name: "v1", namespace: { name: two.b } };
      const address = parseCidr("10.1.0.1/24");
      const ops: LinkOp[] = [
        { op: "veth", name: "v0", up: true, peer },
        { op: "veth", name: "v0", alias: "twice", peer: { ...peer, name: "v2", alias: "twice" } },
        { op: "veth", name: "v3", peer: { ...peer, namespace: { name: "tlinux_absent" } } },
        { op: "set", name: "absent", up: true },
        { op: "delete", name: "absent" },
        { op: "address-add", name: "v0", address },
        { op: "address-add", name: "v0", address },
        { op: "address-add", name: "absent", address },
        { op: "address-delete", name: "v0", address: parseCidr("10.2.0.1/24") },
        { op: "route-add", route: { to: "default4", via: parseIp("192.0.2.1") } },
        { op: "route-delete", route: { to: parseCidr("192.0.2.0/24") } },
        { op: "set", name: "v0", alias: "last" },
      ];
      const failures = apply([{ namespace, ops }]);
      const told = new Map(failures.map(({ op, errno }) => [ops.indexOf(op), errno]));
      expect([...told].sort(([a], [b]) => a - b)).toEqual([
        [1, "EEXIST"],
        [2, "ENOENT"],
        [3, "ENODEV"],
        [4, "ENODEV"],
        [6, "EEXIST"],
        [7, "ENODEV"],
        [8, "EADDRNOTAVAIL"],
        [9, "ENETUNREACH"],
        [10, "ESRCH"],
      ]);
      for (const failure of failures) {
        expect(failure.namespace).toEqual(namespace);
        expect(failure.message.length).toBeGreaterThan(8);
      }
      expect(view(two.a).links.get("v0")?.alias).toBe("last");
    });

    test("a namespace that is not there fails its operations and no others", () => {
      using two = twoNamespaces();
      const failures = apply([
        { namespace: { name: "tlinux_absent" }, ops: [{ op: "set", name: "lo", up: true }] },
        { namespace: { name: two.a }, ops: [{ op: "set", name: "lo", alias: "still done" }] },
      ]);
      expect(failures.map(({ errno }) => errno)).toEqual(["ENOENT"]);
      expect(view(two.a).links.get("lo")?.alias).toBe("still done");
      expect([
        ...withBackend(backend, () => viewNamespaces([{ name: "tlinux_absent" }, { name: two.a }])).keys(),
      ]).toEqual([two.a]);
    });

    test("a veth leads from a namespace to the one of a process and to our own", async () => {
      using two = twoNamespaces();
      const sleeper = inNamespace({ name: two.b }, () => spawn("sleep", ["60"]));
      const name = `tl${process.pid}`;
      try {
        const pid = sleeper.pid ?? 0;
        const failures = apply([
          {
            namespace: { name: two.a },
            ops: [
              { op: "veth", name: "p0", peer: { name: "eth0", namespace: { pid }, up: true, alias: "of a process" } },
              { op: "veth", name: "p1", peer: { name, namespace: "self", alias: "ours" } },
            ],
          },
          { namespace: { pid }, ops: [{ op: "address-add", name: "eth0", address: parseCidr("10.1.0.1/24") }] },
          { namespace: "self", ops: [{ op: "set", name, up: true }] },
        ]);
        expect(failures).toEqual([]);
        const seen = withBackend(backend, () => viewNamespaces(["self", { pid }]));
        expect(seen.get("self")?.links.get(name)).toMatchObject({ alias: "ours", up: true });
        expect(seen.get(`pid:${pid}`)?.links.get("eth0")).toMatchObject({ alias: "of a process", up: true });
      } finally {
        sleeper.kill("SIGKILL");
        await tryRun(["ip", "link", "delete", "dev", name]);
      }
    });

    test("a bad name or value is refused before anything is done", () => {
      using two = twoNamespaces();
      const namespace = { name: two.a };
      const first: LinkOp = { op: "set", name: "lo", alias: "touched" };
      for (const name of ["", "a b", "a/b", "sixteen-letters-", "%d", "..", "-n", "a\nlink", "ä"])
        expect(() => apply([{ namespace, ops: [first, { op: "delete", name }] }])).toThrow(
          expect.objectContaining({ code: "link.bad-name" }),
        );
      for (const op of [
        { op: "set", name: "lo", mtu: 67 },
        { op: "set", name: "lo", mtu: 1.5 },
        { op: "set", name: "lo", alias: "x".repeat(256) },
        { op: "set", name: "lo", alias: "a\nlink delete lo" },
      ] as const)
        expect(() => apply([{ namespace, ops: [first, op] }])).toThrow(
          expect.objectContaining({ code: "link.bad-value" }),
        );
      expect(view(two.a).links.get("lo")?.alias).toBe("");
    });
  });
}

describe.skipIf(!requires("root"))("many at once", () => {
  test("300 veths to 300 namespaces, addressed and viewed, in slices and with few open files", async () => {
    using scratch = scratchNames(300);
    using two = twoNamespaces();
    expect(createNamespaces(scratch.names)).toEqual([]);
    const home = namespaceId("self");
    const batches: NamespaceBatch[] = [
      {
        namespace: { name: two.a },
        ops: scratch.names.map((name, i) => ({
          op: "veth",
          name: `_k_${i}_0`,
          up: true,
          peer: { name: "eth0", namespace: { name }, up: true, alias: `node ${i}` },
        })),
      },
      ...scratch.names.map(
        (name, i): NamespaceBatch => ({
          namespace: { name },
          ops: [
            { op: "address-add", name: "eth0", address: parseCidr(`10.1.${i >> 8}.${i & 255}/16`) },
            { op: "route-add", route: { to: "default4", via: parseIp("10.1.255.254") } },
          ],
        }),
      ),
    ];
    expect(await applyLinksInSlices(batches)).toEqual([]);
    const views = await viewNamespacesInSlices(scratch.names.map((name) => ({ name })));
    expect(views.size).toBe(300);
    scratch.names.forEach((name, i) => {
      const view = views.get(name);
      expect(view?.links.get("eth0")?.alias).toBe(`node ${i}`);
      expect(view?.links.get("eth0")?.addresses[0]).toEqual({
        address: parseCidr(`10.1.${i >> 8}.${i & 255}/16`),
        ours: true,
      });
      expect(view?.routes).toHaveLength(1);
    });
    expect(viewNamespace({ name: two.a }).links.size).toBe(301);
    expect(namespaceId("self")).toBe(home);
    expect(deleteNamespaces(scratch.names)).toEqual([]);
    // A thread that the runtime started abroad would stay there and hold the namespace after its deletion.
    const threads = readdirSync("/proc/self/task").map((id) => readlinkSync(`/proc/self/task/${id}/ns/net`));
    expect(new Set(threads)).toEqual(new Set([`net:[${home}]`]));
  });
});

describe.skipIf(!requires("root"))("a veth whose far end will be given its addresses", () => {
  test("has its link-local address at once, and asks no router; another asks as the kernel does", async () => {
    using two = twoNamespaces();
    const peer = (name: string) => ({ name, namespace: { name: two.b }, up: true });
    const ops: LinkOp[] = [
      { op: "veth", name: "v0", up: true, peer: { ...peer("w0"), addressed: true } },
      { op: "veth", name: "v1", up: true, peer: peer("w1") },
    ];
    expect(applyLinks([{ namespace: { name: two.a }, ops }])).toEqual([]);
    const linkLocal = (name: string) => run(["ip", "-n", two.b, "-6", "address", "show", "dev", name, "scope", "link"]);
    expect(await linkLocal("w0")).toMatch(/inet6 fe80::/);
    expect(await linkLocal("w0")).not.toContain("tentative");
    expect(await linkLocal("w1")).toContain("tentative");
    const asks = (name: string) => `net.ipv6.conf.${name}.router_solicitations`;
    expect(readSysctls({ name: two.b }, [asks("w0"), asks("w1")])).toEqual({ [asks("w0")]: "0", [asks("w1")]: "-1" });
  });
});
