import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { run } from "@switchyard/base";
import { expectSameMachine, type Machine, patience, requires, snapshotMachine } from "@switchyard/testing";
import { callOvs, ovsCommandOf } from "../src/ovs/mod.ts";
import { DATAPATH, ownName, pings, type TestSwitch, testSwitch } from "./switch.ts";

setDefaultTimeout(patience(30_000));
const code = (code: string) => expect.objectContaining({ code });
const failure = (work: Promise<unknown>) =>
  work.then(
    () => "no failure",
    (error: unknown) => error,
  );

describe.skipIf(!requires("root", "openvswitch", "iproute2", "ping"))("ovs.*", () => {
  let before: Machine;
  let sw: TestSwitch;
  beforeAll(async () => {
    before = await snapshotMachine();
    sw = await testSwitch();
  });
  beforeEach(async () => {
    for (const { name } of sw.db.table("Bridge")) await sw.vsctl("del-br", name);
    sw.warnings.length = 0;
  });
  afterAll(async () => {
    await sw[Symbol.asyncDispose]();
    await expectSameMachine(before, { ours: /tdoors[_-]/ });
  });

  const link = (name: string) => sw.db.table("Interface").find({ name });
  const port = (name: string) => sw.db.table("Port").find({ name });
  const bridge = (name: string) => sw.db.table("Bridge").find({ name });

  test("the bare bridge-add takes the best datapath that is there, and answers null", async () => {
    expect(await sw.ovs("ovs.bridge-add", { bridge: "backplane" })).toBeNull();
    expect(bridge("backplane")?.datapath_type).toBe(DATAPATH);
    expect(link("backplane")?.ofport).toBe(65534);
    expect(bridge("backplane")?.external_ids.get("switchyard-owner")).toBe("ovs");
    expect(sw.names()).toEqual(["Bridge backplane", "Interface backplane", "Port backplane"]);
  });

  test("bridges that are added at once, on one connection or several, all get the datapath that works", async () => {
    const add = ovsCommandOf("bridge-add");
    const context = { db: sw.db, place: sw.place, warn: () => {} };
    const work = ["b1", "b2", "b3"].map(async (bridge) => (await add.read({ bridge }, context.warn))(context));
    await Promise.all([...work, sw.ovs("bridge-add", { bridge: "b4" }), sw.ovs("bridge-add", { bridge: "b5" })]);
    expect([...sw.db.table("Bridge")].map((row) => `${row.name} ${row.datapath_type}`).sort()).toEqual(
      ["b1", "b2", "b3", "b4", "b5"].map((name) => `${name} ${DATAPATH}`),
    );
  });

  test("bridge-add of a bridge that exists fails, and so does one of a name that a port has", async () => {
    await sw.ovs("bridge_add", { bridge: "br0" });
    const names = sw.names();
    expect(await failure(sw.ovs("bridge-add", { bridge: "br0" }))).toMatchObject({
      code: "switch.name-taken",
      message: "cannot create a bridge named br0 because a bridge named br0 already exists",
    });
    await sw.ovs("port-add", { bridge: "br0", port: "i0", options: { type: "internal" } });
    expect(await failure(sw.ovs("bridge-add", { bridge: "i0" }))).toEqual(code("switch.name-taken"));
    await sw.ovs("port-del", { port: "i0" });
    expect(sw.names()).toEqual(names);
  });

  test("bridge-add sets options of the bridge; one that cannot be leaves no bridge", async () => {
    const options = { "other_config:hwaddr": "02:00:00:00:00:77", fail_mode: "secure", flood_vlans: "1, 2" };
    await sw.ovs("bridge-add", { bridge: "br0", options });
    expect(bridge("br0")).toMatchObject({ fail_mode: "secure", flood_vlans: new Set([1, 2]) });
    expect(await sw.ip("link", "show", "br0")).toContain("02:00:00:00:00:77");
    const names = sw.names();
    for (const [bad, wanted] of [
      [{ fail_mode: "sometimes" }, "ovs.bad-value"],
      [{ "fail_mode:x": "y" }, "ovs.no-column"],
      [{ colour: "red" }, "ovs.no-column"],
      [{ datapath_type: "nonsense" }, "switch.bridge-failed"],
    ] as const)
      expect(await failure(sw.ovs("bridge-add", { bridge: "br1", options: bad }))).toEqual(code(wanted));
    expect(
      await failure(sw.ovs("bridge-add", { bridge: "br1", options: { datapath_type: "nonsense" } })),
    ).toHaveProperty("message", 'the switch could not make the bridge br1: it has no datapath "nonsense" here');
    expect(sw.names()).toEqual(names);
  });

  test("bridge-del answers an empty string, and fails where there is no such bridge", async () => {
    await sw.ovs("bridge-add", { bridge: "br0" });
    expect(await sw.ovs("bridge-del", { bridge: "br0" })).toBe("");
    expect(sw.names()).toEqual([]);
    expect(await failure(sw.ovs("bridge-del", { bridge: "br0" }))).toEqual(code("switch.no-bridge"));
    expect(await failure(sw.ovs("bridge-del", { bridge: "" }))).toEqual(code("ovs.bad-argument"));
  });

  test("bridge-del takes nothing that others keep", async () => {
    const mark = "external_ids:switchyard-owner=main";
    await sw.vsctl("add-br", "lan", "--", "set", "Bridge", "lan", "datapath_type=netdev", mark);
    await sw.ovs("bridge-add", { bridge: "br0" });
    await sw.ovs("port-add", { bridge: "br0", port: "i0", options: { type: "internal" } });
    await sw.vsctl("set", "Port", "i0", mark);
    const names = sw.names();
    expect(await failure(sw.ovs("bridge-del", { bridge: "lan" }))).toMatchObject({
      code: "ovs.not-yours",
      message: "the bridge lan belongs to main",
    });
    expect(await failure(sw.ovs("bridge-del", { bridge: "br0" }))).toMatchObject({
      code: "ovs.not-yours",
      message: "the bridge br0 has ports of others: i0 (main)",
    });
    expect(await failure(sw.ovs("port-del", { port: "i0" }))).toEqual(code("ovs.not-yours"));
    expect(sw.names()).toEqual(names);
    // What bears no mark is the operator's, who says what shall be done.
    await sw.vsctl("add-br", "plain", "--", "set", "Bridge", "plain", "datapath_type=netdev");
    expect(await sw.ovs("bridge-del", { bridge: "plain" })).toBe("");
  });

  test("port-add takes a device with its VLAN; numbers may be text, unknown keys are told of", async () => {
    await sw.ovs("bridge-add", { bridge: "br0" });
    await sw.hosts({ pa1: "10.9.0.1/24" });
    expect(await sw.ovs("port-add", { bridge: "br0", port: "pa1", vlan: "10", vlna: 7 })).toBeNull();
    expect(port("pa1")?.tag).toBe(10);
    expect(link("pa1")?.ofport).toBeGreaterThan(0);
    expect(sw.warnings).toEqual(['port-add: "vlna" is no argument and is ignored; did you mean vlan?']);
    await sw.ovs("port-del", { bridge: "br0", port: "pa1" });
    await sw.ovs("port-add", { bridge: "br0", port: "pa1", vlan: 0 });
    expect(port("pa1")?.tag).toBeUndefined();
    for (const vlan of [4095, -1, 1.5, "ten"])
      expect(await failure(sw.ovs("port-add", { bridge: "br0", port: "x", vlan }))).toEqual(code("ovs.bad-argument"));
  });

  test("port-add makes a patch from its options at once, never a device on the way", async () => {
    await sw.ovs("bridge-add", { bridge: "br0" });
    await sw.ovs("bridge-add", { bridge: "br1" });
    await sw.ovs("port-add", { bridge: "br0", port: "a", options: { type: "patch", "options:peer": "b" } });
    await sw.ovs("port-add", { bridge: "br1", port: "b", vlan: 5, options: { type: "patch", options: { peer: "a" } } });
    expect(link("b")).toMatchObject({ type: "patch", options: new Map([["peer", "a"]]) });
    expect(await Bun.file(`${sw.runDir}/ovs-vswitchd.log`).text()).not.toMatch(/could not open network device [ab] /);
  });

  test("port-add of a device that is missing fails, says where it is, and leaves nothing", async () => {
    await sw.ovs("bridge-add", { bridge: "br0" });
    const names = sw.names();
    expect(await failure(sw.ovs("port-add", { bridge: "br0", port: "nowhere" }))).toMatchObject({
      code: "ovs.no-device",
      message: `there is no network device nowhere in ${sw.namespace}, the namespace of the switch`,
      hint: `the devices there are listed by: ip -n ${sw.namespace} link`,
    });
    const other = ownName("_o");
    await run(["ip", "netns", "add", other]);
    try {
      await run(["ip", "-n", other, "link", "add", "elsewhere", "type", "veth", "peer", "name", "e1"]);
      expect(await failure(sw.ovs("port-add", { bridge: "br0", port: "elsewhere" }))).toMatchObject({
        code: "ovs.no-device",
        hint: `it is in ${other}; move it: ip -n ${other} link set elsewhere netns ${sw.namespace}`,
      });
    } finally {
      await run(["ip", "netns", "delete", other]);
    }
    expect(sw.names()).toEqual(names);
  });

  test("port-add with a nonsense type or with bad options leaves nothing", async () => {
    await sw.ovs("bridge-add", { bridge: "br0" });
    const names = sw.names();
    for (const [options, wanted] of [
      [{ type: "nonsense" }, "ovs.bad-type"],
      [{ type: "patch", "optoins:peer": "b" }, "ovs.no-column"],
      [{ type: "patch" }, "switch.port-failed"],
      [{ type: "vxlan", "options:key": "7" }, "switch.port-failed"],
      [{ type: "internal", ofport_request: "0" }, "ovs.bad-value"],
      [{ type: "internal", trunks: [4096] }, "ovs.bad-value"],
    ] as const)
      expect(await failure(sw.ovs("port-add", { bridge: "br0", port: "p", options }))).toEqual(code(wanted));
    expect(await failure(sw.ovs("port-add", { bridge: "none", port: "p" }))).toEqual(code("switch.no-bridge"));
    expect(await failure(sw.ovs("port-add", { bridge: "br0", port: "-t" }))).toEqual(code("link.bad-name"));
    expect(sw.names()).toEqual(names);
  });

  test("port-del is strict about the bridge that it is told", async () => {
    await sw.ovs("bridge-add", { bridge: "br0" });
    await sw.ovs("bridge-add", { bridge: "br1" });
    await sw.ovs("port-add", { bridge: "br0", port: "i0", options: { type: "internal" } });
    expect(await failure(sw.ovs("port-del", { bridge: "br1", port: "i0" }))).toMatchObject({
      code: "ovs.no-port",
      hint: "it is on bridge br0",
    });
    expect(await failure(sw.ovs("port-del", { port: "i9" }))).toEqual(code("ovs.no-port"));
    expect(await failure(sw.ovs("port-del", { port: "br0" }))).toEqual(code("ovs.local-port"));
    expect(await sw.ovs("port-del", { bridge: "", port: "i0" })).toBeNull();
    expect(sw.ports()).toEqual({ br0: [], br1: [] });
  });

  test("bond-add makes a bond whose mode is checked, of devices that are all there", async () => {
    await sw.ovs("bridge-add", { bridge: "br0" });
    await sw.hosts({ ba1: "10.9.1.1/24", ba2: "10.9.1.2/24" });
    const bond = { bridge: "br0", port: "bond0", links: ["ba1", "ba2"] };
    const names = sw.names();
    for (const [more, wanted] of [
      [{ links: ["ba1"] }, "ovs.bad-argument"],
      [{ links: ["ba1", "ba1"] }, "ovs.bad-argument"],
      [{ mode: "balance-luck" }, "ovs.bad-argument"],
      [{ links: ["ba1", "gone"] }, "ovs.no-device"],
    ] as const)
      expect(await failure(sw.ovs("bond-add", { ...bond, ...more }))).toEqual(code(wanted));
    expect(sw.names()).toEqual(names);
    expect(await failure(sw.ovs("bond-add", { ...bond, mode: "mode" }))).toHaveProperty(
      "message",
      "bond-add: mode: one of active-backup, balance-slb and balance-tcp is expected",
    );
    expect(await sw.ovs("bond-add", bond)).toBeNull();
    expect(port("bond0")).toMatchObject({ bond_mode: "balance-slb", lacp: undefined });
    await sw.ovs("port-del", { port: "bond0" });
    await sw.ovs("bond-add", { ...bond, mode: "balance-tcp", lacp: "true", vlan: 7 });
    expect(port("bond0")).toMatchObject({ bond_mode: "balance-tcp", lacp: "active", tag: 7 });
  });

  test("set takes options as documented and values as programmed, on any table", async () => {
    await sw.ovs("bridge-add", { bridge: "br0" });
    await sw.ovs("port-add", { bridge: "br0", port: "i0", options: { type: "internal" } });
    expect(
      await sw.ovs("set", {
        table: "Interface",
        record: "i0",
        options: { mtu_request: 1400, "external_ids:a": "b=c" },
      }),
    ).toBeNull();
    await sw.ovs("ovs.set", {
      table: "port",
      record: "i0",
      values: { tag: "12", trunks: "[1,2]", other_config: "x=1,y=2" },
    });
    await sw.ovs("set", { table: "Open_vSwitch", record: ".", options: { "external_ids:site": "here" } });
    expect(await sw.ovs("get", { table: "Port", record: "i0", columns: ["tag", "trunks", "other_config:y"] })).toEqual([
      12,
      [1, 2],
      "2",
    ]);
    expect(await sw.ovs("get", { table: "Open_vSwitch", record: ".", columns: "external_ids:site" })).toBe("here");
    expect(link("i0")?.external_ids.get("a")).toBe("b=c");
    expect(link("i0")?.external_ids.get("switchyard-owner")).toBe("ovs");
    await sw.ovs("set", { table: "Port", record: "i0", values: { tag: "[]", external_ids: {} } });
    expect(port("i0")).toMatchObject({ tag: undefined });
    expect(port("i0")?.external_ids.get("switchyard-owner")).toBe("ovs");
  });

  test("set that the switch cannot take is taken back whole", async () => {
    await sw.ovs("bridge-add", { bridge: "br0" });
    await sw.ovs("port-add", { bridge: "br0", port: "i0", options: { type: "internal" } });
    const was = await sw.ovs("list", { table: "Interface", record: "i0", columns: ["type", "options", "mtu_request"] });
    for (const [table, record, options, wanted] of [
      ["Interface", "i0", { type: "patch", mtu_request: "1400" }, "switch.port-failed"],
      ["Interface", "i0", { type: "nonsense" }, "ovs.bad-type"],
      ["Interface", "i0", { "options:peer": "x", nosuch: "y" }, "ovs.no-column"],
      ["Interface", "i9", { type: "patch" }, "ovs.no-record"],
      ["Sheep", "i0", { type: "patch" }, "ovs.no-table"],
      ["Bridge", "br0", { datapath_type: "nonsense" }, "switch.bridge-failed"],
      ...(DATAPATH === "system"
        ? []
        : [["Bridge", "br0", { datapath_type: "system" }, "switch.bridge-failed"] as const]),
      ["Port", "i0", { "external_ids:switchyard-owner": "me" }, "ovs.mark"],
      ["Port", "i0", {}, "ovs.bad-argument"],
    ] as const)
      expect(await failure(sw.ovs("set", { table, record, options }))).toEqual(code(wanted));
    expect(
      await sw.ovs("list", { table: "Interface", record: "i0", columns: ["type", "options", "mtu_request"] }),
    ).toEqual(was);
    expect(link("i0")?.ofport).toBeGreaterThan(0);
  });

  test("find and show tell what there is", async () => {
    await sw.ovs("bridge-add", { bridge: "br0" });
    await sw.ovs("port-add", { bridge: "br0", port: "i0", vlan: 3, options: { type: "internal" } });
    expect(await sw.ovs("list", {})).toEqual(["br0"]);
    const found = { table: "Port", columns: ["name", "tag"] };
    expect(await sw.ovs("find", { ...found, where: ["tag>=3"] })).toEqual([{ name: "i0", tag: 3 }]);
    expect(await sw.ovs("find", { ...found, where: { tag: 3, name: "br0" } })).toEqual([]);
    expect(await sw.ovs("find", { ...found, where: "external_ids:switchyard-purpose=bridge" })).toEqual([
      { name: "br0", tag: null },
    ]);
    expect(await sw.ovs("show")).toMatchObject({
      bridges: [{ name: "br0", datapath: DATAPATH, owner: "ovs", ports: [{ name: "br0" }, { name: "i0", tag: 3 }] }],
    });
  });

  test("a command that nobody knows, and a switch that does not run, are told as such", async () => {
    expect(await failure(sw.ovs("ovs.bridge-ad", {}))).toEqual(code("ovs.unknown-command"));
    const gone = { ...sw.place, remote: `unix:${sw.runDir}/none.sock` };
    expect(await failure(callOvs(gone, "list", {}, { warn: () => {} }))).toMatchObject({
      code: "ovs.not-running",
      hint: "start it: bun test",
    });
  });

  test("a switch that hangs is waited for no longer than said, and what was asked is taken back", async () => {
    await sw.ovs("bridge-add", { bridge: "br0" });
    const names = sw.names();
    const pid = Number((await Bun.file(`${sw.runDir}/ovs-vswitchd.pid`).text()).trim());
    process.kill(pid, "SIGSTOP");
    try {
      const input = { bridge: "br0", port: "i0", options: { type: "internal" } };
      const work = callOvs(sw.place, "port-add", input, { warn: () => {}, timeout: 300 });
      expect(await failure(work)).toEqual(code("switch.not-answering"));
      await sw.db.waitFor(() => port("i0") === undefined);
    } finally {
      process.kill(pid, "SIGCONT");
    }
    expect(sw.names()).toEqual(names);
  });

  test("hosts on a VLAN's bridge reach those on the master with that tag, and no others", async () => {
    await sw.ovs("bridge-add", { bridge: "backplane" });
    const { va, vb, vc } = await sw.hosts({ va: "10.9.2.1/24", vb: "10.9.2.2/24", vc: "10.9.2.3/24" });
    expect(await sw.ovs("vlan_ensure", { master: "backplane", vlan: "10" })).toBe("vlbr10");
    await sw.ovs("port-add", { bridge: "vlbr10", port: "va" });
    await sw.ovs("port-add", { bridge: "backplane", port: "vb", vlan: 10 });
    await sw.ovs("port-add", { bridge: "backplane", port: "vc", vlan: 11 });
    expect(await pings(va ?? "", "10.9.2.2")).toBe(true);
    expect(await pings(va ?? "", "10.9.2.3")).toBe(false);
    expect(vb && vc).toBeDefined();
  });
});
