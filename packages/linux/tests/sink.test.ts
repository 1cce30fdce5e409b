import { describe, expect, test } from "bun:test";
import { requires } from "@switchyard/testing";
import { applyLinks, type LinkOp, SINK_MTU, sinkKind, viewNamespace } from "../src/mod.ts";
import { twoNamespaces, withBackend } from "./scratch.ts";

for (const backend of ["netlink", "iproute2"] as const) {
  describe.skipIf(!requires("root", "iproute2"))(`sinks by ${backend}`, () => {
    test("a sink is up, silent, without an address, and takes frames of any size", () => {
      using two = twoNamespaces();
      const namespace = { name: two.a };
      const apply = (ops: readonly LinkOp[]) => withBackend(backend, () => applyLinks([{ namespace, ops }]));
      const op = { op: "sink", name: "s_k_1_0", alias: "switchyard t spy", up: true } as const;
      expect(apply([op])).toEqual([]);
      const { links } = withBackend(backend, () => viewNamespace(namespace));
      const wanted = { kind: sinkKind(), mtu: SINK_MTU, up: true, alias: op.alias, addresses: [] };
      expect(links.get("s_k_1_0")).toMatchObject(wanted);
      // Those that a module makes by itself stay away.
      expect([...links.keys()].sort()).toEqual(["lo", "s_k_1_0"]);
      expect(apply([op]).map(({ errno }) => errno)).toEqual(["EEXIST"]);
      expect(apply([{ op: "delete", name: "s_k_1_0" }])).toEqual([]);
      expect(viewNamespace(namespace).links.has("s_k_1_0")).toBe(false);
    });
  });
}
