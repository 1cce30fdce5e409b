import { describe, expect, test } from "bun:test";
import { closeSync } from "node:fs";
import { parseCidr, parseMac, tryRun } from "@switchyard/base";
import { requires } from "@switchyard/testing";
import { applyLinks, type LinkOp, openMacvtap, viewNamespace } from "../src/mod.ts";
import { twoNamespaces, withBackend } from "./scratch.ts";

describe.skipIf(!requires("root", "iproute2"))("an opened macvtap", () => {
  test("is to be had by its name, and none where there is another link of that name", () => {
    const [nic, tap] = [`tlinm${process.pid}`, `tlint${process.pid}`];
    const self = (...ops: LinkOp[]) => applyLinks([{ namespace: "self", ops }]);
    const wire: LinkOp = { op: "veth", name: nic, peer: { name: `${nic}x`, namespace: "self" } };
    expect(self(wire, { op: "macvlan", tap: true, name: tap, parent: nic, up: true })).toEqual([]);
    try {
      const fd = openMacvtap(tap);
      expect(() => openMacvtap(nic)).toThrow("no macvtap");
      closeSync(fd);
    } finally {
      self({ op: "delete", name: nic });
    }
    expect(() => openMacvtap(tap)).toThrow("no macvtap");
  });
});

for (const backend of ["netlink", "iproute2"] as const) {
  describe.skipIf(!requires("root", "iproute2", "ping"))(`macvlans and the kernel's bridges by ${backend}`, () => {
    const apply = (name: string, ops: readonly LinkOp[]) =>
      withBackend(backend, () => applyLinks([{ namespace: { name }, ops }]));
    const view = (name: string) => withBackend(backend, () => viewNamespace({ name }));
    const reaches = async (from: string, to: string) =>
      (await tryRun(["ip", "netns", "exec", from, "ping", "-c1", "-W2", to])).code === 0;

    test("a macvlan is made in another namespace than its parent's, and those of one parent reach each other", async () => {
      using two = twoNamespaces();
      const far = { name: two.b };
      const mac = parseMac("02:00:00:00:02:01");
      expect(
        apply(two.a, [
          { op: "veth", name: "nic0", up: true, peer: { name: "wire", namespace: { name: two.a }, up: true } },
          { op: "macvlan", name: "eth0", parent: "nic0", namespace: far, mac, mtu: 1400, alias: "mine", up: true },
          { op: "macvlan", name: "eth1", parent: "nic0", up: true },
        ]),
      ).toEqual([]);
      const address = (name: string, ip: string): LinkOp => ({ op: "address-add", name, address: parseCidr(ip) });
      expect(apply(two.a, [address("eth1", "10.3.0.1/24")])).toEqual([]);
      expect(apply(two.b, [address("eth0", "10.3.0.2/24")])).toEqual([]);
      const parent = view(two.a).links.get("nic0")?.index;
      expect(view(two.b).links.get("eth0")).toMatchObject({ kind: "macvlan", mac, mtu: 1400, alias: "mine", parent });
      expect(view(two.a).links.get("eth1")).toMatchObject({ kind: "macvlan", up: true, parent });
      expect(await reaches(two.b, "10.3.0.1")).toBe(true);
      expect(apply(two.a, [{ op: "macvlan", name: "eth2", parent: "none" }])).toMatchObject([{ errno: "ENODEV" }]);
      const nowhere: LinkOp = { op: "macvlan", name: "eth2", parent: "nic0", namespace: { name: "tlinux_none" } };
      expect(apply(two.a, [nowhere])).toMatchObject([{ errno: "ENOENT" }]);
    });

    test("a macvtap is made on a parent, and told as what it is", () => {
      using two = twoNamespaces();
      expect(
        apply(two.a, [
          { op: "veth", name: "nic0", up: true, peer: { name: "wire", namespace: { name: two.a }, up: true } },
          { op: "macvlan", tap: true, name: "tap0", parent: "nic0", alias: "mine", up: true },
        ]),
      ).toEqual([]);
      const parent = view(two.a).links.get("nic0")?.index;
      expect(view(two.a).links.get("tap0")).toMatchObject({ kind: "macvtap", alias: "mine", up: true, parent });
    });

    test("a bridge joins its members, those made for it and those that came later, until they leave", async () => {
      using two = twoNamespaces();
      const mac = parseMac("02:00:00:00:02:02");
      const veth = (name: string, more: object): LinkOp => ({
        op: "veth",
        name,
        up: true,
        port: true,
        ...more,
        peer: { name: "eth0", namespace: { name: two.b }, up: true },
      });
      expect(
        apply(two.a, [
          { op: "bridge", name: "br0", mac, alias: "mine", group: 77, up: true },
          { op: "address-add", name: "br0", address: parseCidr("10.4.0.1/24") },
          veth("p0", { master: "br0" }),
        ]),
      ).toEqual([]);
      expect(apply(two.b, [{ op: "address-add", name: "eth0", address: parseCidr("10.4.0.2/24") }])).toEqual([]);
      const bridge = view(two.a).links.get("br0");
      expect(bridge).toMatchObject({ kind: "bridge", mac, alias: "mine", group: 77, up: true, master: 0 });
      expect(view(two.a).links.get("p0")?.master).toBe(bridge?.index ?? -1);
      expect(await reaches(two.b, "10.4.0.1")).toBe(true);
      expect(apply(two.a, [{ op: "set", name: "p0", master: "" }])).toEqual([]);
      expect(view(two.a).links.get("p0")).toMatchObject({ master: 0, up: true });
      expect(await reaches(two.b, "10.4.0.1")).toBe(false);
      expect(apply(two.a, [{ op: "set", name: "p0", master: "br0", group: 5 }])).toEqual([]);
      expect(view(two.a).links.get("p0")).toMatchObject({ master: bridge?.index ?? -1, group: 5 });
      expect(await reaches(two.b, "10.4.0.1")).toBe(true);
      expect(apply(two.a, [{ op: "set", name: "p0", master: "none" }])).toMatchObject([{ errno: "ENODEV" }]);
    });
  });
}
