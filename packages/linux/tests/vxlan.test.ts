import { describe, expect, test } from "bun:test";
import { parseIp } from "@switchyard/base";
import { requires } from "@switchyard/testing";
import { applyLinks, type LinkOp, viewNamespace } from "../src/mod.ts";
import { twoNamespaces, withBackend } from "./scratch.ts";

for (const backend of ["netlink", "iproute2"] as const) {
  describe.skipIf(!requires("root", "iproute2"))(`VXLAN devices by ${backend}`, () => {
    test("are made over a link with their group and port, seen as they are, and refused where the link is missing", () => {
      using two = twoNamespaces();
      const namespace = { name: two.a };
      const apply = (ops: readonly LinkOp[]) => withBackend(backend, () => applyLinks([{ namespace, ops }]));
      const vxlan = { id: 65535, group: parseIp("239.0.1.0"), dev: "v0", dstport: 8472, ttl: 0, learning: true };
      const other = { id: 7, group: parseIp("239.0.0.1"), dev: "v0", dstport: 4789, ttl: 3, learning: false };
      expect(
        apply([
          { op: "veth", name: "v0", up: true, peer: { name: "v1", namespace } },
          { op: "vxlan", name: "vtep65535", mtu: 1450, up: true, alias: "switchyard ovs", vxlan },
          { op: "vxlan", name: "vtep7", vxlan: other },
        ]),
      ).toEqual([]);
      const { links } = withBackend(backend, () => viewNamespace(namespace));
      const lower = links.get("v0")?.index;
      const { dev: _, ...told } = vxlan;
      const { dev: __, ...otherTold } = other;
      expect(links.get("vtep65535")).toMatchObject({
        kind: "vxlan",
        mtu: 1450,
        up: true,
        alias: "switchyard ovs",
        vxlan: { ...told, lower },
      });
      expect(links.get("vtep7")?.vxlan).toEqual({ ...otherTold, lower: lower ?? 0 });
      expect(links.get("v0")?.vxlan).toBeUndefined();
      const nowhere = { ...vxlan, id: 8, dev: "none" };
      expect(apply([{ op: "vxlan", name: "vtep8", vxlan: nowhere }])).toMatchObject([{ errno: "ENODEV" }]);
      expect(() => apply([{ op: "vxlan", name: "vtep9", vxlan: { ...vxlan, id: 1 << 24 } }])).toThrow(
        expect.objectContaining({ code: "link.bad-value" }),
      );
    });
  });
}
