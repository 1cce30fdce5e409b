import { describe, expect, test } from "bun:test";
import { requires } from "@switchyard/testing";
import { applyLinks, type LinkOp, removeLink, viewNamespace } from "../src/mod.ts";
import { twoNamespaces } from "./scratch.ts";

describe.skipIf(!requires("root"))("removing a link", () => {
  const veth = (name: string, far: string): LinkOp => ({
    op: "veth",
    name,
    up: true,
    peer: { name, namespace: { name: far }, up: true },
  });

  test("nobody finds either end of a veth any more when it answers, and the name is free", async () => {
    using two = twoNamespaces();
    const home = { name: two.a };
    for (let round = 0; round < 3; round++) {
      expect(applyLinks([{ namespace: home, ops: [veth("v0", two.b)] }])).toEqual([]);
      expect(await removeLink(home, "v0")).toBeUndefined();
      expect([...viewNamespace(home).links.keys()]).toEqual(["lo"]);
      expect([...viewNamespace({ name: two.b }).links.keys()]).toEqual(["lo"]);
    }
  });

  test("several at once all go, and others stay", async () => {
    using two = twoNamespaces();
    const home = { name: two.a };
    const ops = ["v0", "v1", "v2", "v3"].map((name) => veth(name, two.b));
    expect(applyLinks([{ namespace: home, ops }])).toEqual([]);
    expect(await Promise.all(["v0", "v1", "v3"].map((name) => removeLink(home, name)))).toEqual(
      Array(3).fill(undefined),
    );
    expect([...viewNamespace(home).links.keys()]).toEqual(["lo", "v2"]);
  });

  test("tells of one that is not there, that cannot be deleted, or that has no namespace", async () => {
    using two = twoNamespaces();
    const home = { name: two.a };
    expect(await removeLink(home, "none")).toMatchObject({ errno: "ENODEV", op: { op: "delete", name: "none" } });
    expect(await removeLink(home, "lo")).toMatchObject({ errno: "EOPNOTSUPP" });
    expect(await removeLink({ name: "tlinux_absent" }, "v0")).toMatchObject({ errno: "ENOENT" });
    await expect(removeLink(home, "a name")).rejects.toMatchObject({ code: "link.bad-name" });
  });
});
