import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { requires } from "@switchyard/testing";
import { commitEdit, ensureVlanBridge } from "../src/mod.ts";
import { type TestSwitch, testSwitch } from "./yard.ts";

const owner = "tvswe";

describe.skipIf(!requires("root", "openvswitch", "iproute2"))("an operation on a switch", () => {
  let sw: TestSwitch;
  beforeAll(async () => {
    sw = await testSwitch();
    await commitEdit(sw.db, (edit) => edit.addBridge("master", { datapath_type: "netdev" }, "master"), { owner });
  });
  afterAll(() => sw[Symbol.asyncDispose]());

  const port = (name: string, link: { type?: string; options?: Record<string, string> }) =>
    commitEdit(
      sw.db,
      (edit) => edit.addPort(edit.neededBridge("master")._uuid, name, {}, [{ name, ...link }], "port"),
      { owner },
    );
  const dump = () =>
    (["Bridge", "Port", "Interface"] as const).map((table) => [...sw.db.table(table)].map(({ name }) => name).sort());

  test("leaves nothing behind of what the switch cannot make", async () => {
    const before = dump();
    for (const link of [{}, { type: "nonsense" }, { type: "patch" }, { type: "vxlan" }]) {
      const failed: unknown = await port("nowhere", link).catch((error: unknown) => error);
      expect(failed).toMatchObject({ code: "switch.port-failed", interfaceName: "nowhere" });
      expect(dump()).toEqual(before);
    }
    await port("dangling", { type: "patch", options: { peer: "none" } });
    expect(sw.db.table("Interface").find({ name: "dangling" })?.ofport).toBeGreaterThan(0);
  });

  test("gives a VLAN a bridge, once", async () => {
    const first = await ensureVlanBridge(sw.db, { master: "master", tag: 10 }, { owner });
    expect(first).toEqual({ bridge: "vlbr10", changed: true });
    expect(await ensureVlanBridge(sw.db, { master: "master", tag: 10 }, { owner })).toEqual({
      ...first,
      changed: false,
    });
  });
});
