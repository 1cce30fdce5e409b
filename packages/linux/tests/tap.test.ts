import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { parseMac, tryRun } from "@switchyard/base";
import { requires } from "@switchyard/testing";
import { libc } from "../src/ffi.ts";
import { applyLinks, inNamespace, openTap, viewNamespace } from "../src/mod.ts";
import { twoNamespaces, withBackend } from "./scratch.ts";

const mac = parseMac("02:00:00:00:03:01");

function codeOf(body: () => unknown): unknown {
  try {
    body();
  } catch (error) {
    return error instanceof Error && "code" in error ? error.code : error;
  }
  return undefined;
}

for (const backend of ["netlink", "iproute2"] as const) {
  describe.skipIf(!requires("root", "iproute2"))(`tap devices by ${backend}`, () => {
    test("a tap device is made in a namespace for a user, and stays until it is deleted", async () => {
      using two = twoNamespaces();
      const namespace = { name: two.a };
      const op = { op: "tap", name: "_k_7_0", owner: 65534, alias: "switchyard t vm/0", mtu: 1400, mac } as const;
      const apply = (...ops: Parameters<typeof applyLinks>[0][number]["ops"]) =>
        withBackend(backend, () => applyLinks([{ namespace, ops }]));
      expect(apply({ ...op, port: true, up: true })).toEqual([]);
      const { links } = viewNamespace(namespace);
      expect(links.get("_k_7_0")).toMatchObject({ kind: "tun", mac, mtu: 1400, up: true, alias: op.alias });
      expect(links.get("_k_7_0")?.addresses).toEqual([]);
      expect(viewNamespace({ name: two.b }).links.has("_k_7_0")).toBe(false);
      const { stdout } = await tryRun(["ip", "-n", two.a, "-json", "-details", "link", "show", "_k_7_0"]);
      expect(stdout).toContain('"user":"nobody"');
      expect(stdout).toContain('"persist":true');
      expect(stdout).toContain('"vnet_hdr":true');
      expect(apply(op).map(({ errno }) => errno)).toEqual(["EEXIST"]);
      expect(apply({ op: "tap", name: "lo" }).map(({ errno }) => errno)).toEqual(["EEXIST"]);
      expect(apply({ op: "delete", name: "_k_7_0" }, op)).toEqual([]);
      expect(apply({ op: "delete", name: "_k_7_0" })).toEqual([]);
      expect(viewNamespace(namespace).links.has("_k_7_0")).toBe(false);
    });
  });
}

describe.skipIf(!requires("root"))("an opened tap device", () => {
  test("has carrier while it is open, and is one program's alone", () => {
    using two = twoNamespaces();
    const namespace = { name: two.a };
    expect(applyLinks([{ namespace, ops: [{ op: "tap", name: "tap0", up: true }] }])).toEqual([]);
    const carrier = () => viewNamespace(namespace).links.get("tap0")?.carrier;
    expect(carrier()).toBe(false);
    const fd = openTap(namespace, "tap0");
    expect(carrier()).toBe(true);
    expect(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8")).toContain("iff:\ttap0");
    expect(codeOf(() => openTap(namespace, "tap0"))).toBe("link.tap-busy");
    libc().close(fd);
    expect(carrier()).toBe(false);
  });

  test("is not made by being asked for", () => {
    using two = twoNamespaces();
    const namespace = { name: two.a };
    expect(codeOf(() => openTap(namespace, "tap9"))).toBe("link.tap-absent");
    expect(codeOf(() => openTap(namespace, "lo"))).toBe("link.tap-absent");
    expect(codeOf(() => openTap({ name: `${two.a}x` }, "tap9"))).toBe("namespace.missing");
    expect([...viewNamespace(namespace).links.keys()]).toEqual(["lo"]);
    expect(inNamespace(namespace, () => readFileSync("/proc/thread-self/net/dev", "utf8"))).not.toContain("tap9");
  });
});
