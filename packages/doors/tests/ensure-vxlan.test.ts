import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { viewNamespace } from "@switchyard/linux";
import { expectSameMachine, type Machine, patience, requires, snapshotMachine } from "@switchyard/testing";
import { multicastGroup, tunnelBridges } from "@switchyard/vswitch";
import fc from "fast-check";
import { type TestSwitch, testSwitch } from "./switch.ts";

setDefaultTimeout(patience(120_000));
const failure = (work: Promise<unknown>) =>
  work.then(
    () => "no failure",
    (error: unknown) => error,
  );

test("the multicast group of a VXLAN is the one that zero-os takes", () => {
  expect([1, 255, 256, 65_535, 65_536, 16_777_215].map((vni) => String(multicastGroup(vni)))).toEqual([
    "239.0.0.1",
    "239.0.0.1",
    "239.0.0.2",
    "239.0.1.0",
    "239.0.1.1",
    "239.1.0.0",
  ]);
});

describe.skipIf(!requires("root", "openvswitch", "iproute2"))("VXLAN by command", () => {
  let before: Machine;
  let sw: TestSwitch;
  beforeAll(async () => {
    before = await snapshotMachine();
    sw = await testSwitch();
  });
  afterAll(async () => {
    await sw[Symbol.asyncDispose]();
    await expectSameMachine(before, { ours: /tdoors[_-]/ });
  });
  const clear = async () => {
    const { links } = viewNamespace({ name: sw.namespace });
    for (const { name } of links.values()) if (name.startsWith("vtep")) await sw.ip("link", "delete", name);
    await sw.clear();
    sw.warnings.length = 0;
  };
  beforeEach(async () => {
    await clear();
    await sw.ovs("bridge-add", { bridge: "vxbackend" });
  });

  const device = (name: string) => viewNamespace({ name: sw.namespace }).links.get(name);
  const port = (name: string) => sw.db.table("Port").find({ name });
  const link = (name: string) => sw.db.table("Interface").find({ name });
  const ensure = (vxlan: unknown, more: object = {}) => sw.ovs("vxlan-ensure", { master: "vxbackend", vxlan, ...more });

  test("the documented call makes the kernel's device over the raised master, and its bridge", async () => {
    expect(device("vxbackend")?.up).toBe(false);
    expect(await sw.ovs("ovs.vxlan_ensure", { master: "vxbackend", vxlan: 100 })).toBe("vxlbr100");
    const master = device("vxbackend");
    expect(master?.up).toBe(true);
    expect(device("vtep100")).toMatchObject({
      kind: "vxlan",
      up: true,
      mtu: 1450,
      vxlan: { id: 100, group: "239.0.0.1", lower: master?.index, dstport: 8472, ttl: 0, learning: true },
    });
    expect(sw.ports()).toEqual({ vxbackend: [], vxlbr100: ["vtep100"] });
    expect(link("vtep100")?.ofport).toBeGreaterThan(0);
    expect(port("vtep100")?.external_ids.get("switchyard-owner")).toBe("ovs");
    expect(sw.warnings).toEqual([
      "vxlbr100 has room for packets of 1450 bytes (MTU): what is attached must keep to it",
      `vxbackend has no address, so that no packet goes out: ip -n ${sw.namespace} address add …/… dev vxbackend`,
    ]);
    expect(await ensure("100")).toBe("vxlbr100");
  });

  test("peers get a protected tunnel each, and exactly those that are named", async () => {
    expect(await ensure(7, { peers: ["10.7.0.2", "10.7.0.3"] })).toBe("vxlbr7");
    const tunnels = () =>
      Object.fromEntries(
        [...sw.db.table("Interface")]
          .filter(({ type }) => type === "vxlan")
          .map(({ name, options }) => [options.get("remote_ip") ?? "", { name, options }]),
      );
    expect(Object.keys(tunnels()).sort()).toEqual(["10.7.0.2", "10.7.0.3"]);
    const first = tunnels()["10.7.0.2"];
    expect(first?.options).toEqual(
      new Map([
        ["remote_ip", "10.7.0.2"],
        ["key", "7"],
        ["dst_port", "4789"],
      ]),
    );
    expect(port(first?.name ?? "")?.protected).toBe(true);
    expect(link("vxlbr7")?.mtu_request).toBe(1450);
    const uuid = port(first?.name ?? "")?._uuid;
    await sw.vsctl("set", "Port", first?.name ?? "", "protected=false", "tag=9");
    expect(await ensure(7, { peers: ["10.7.0.2", "10.7.0.4"] })).toBe("vxlbr7");
    expect(Object.keys(tunnels()).sort()).toEqual(["10.7.0.2", "10.7.0.4"]);
    expect(port(first?.name ?? "")).toMatchObject({ _uuid: uuid, protected: true, tag: undefined });
    // Without peers what there is stays.
    expect(await ensure(7)).toBe("vxlbr7");
    expect(Object.keys(tunnels()).sort()).toEqual(["10.7.0.2", "10.7.0.4"]);
    expect(device("vtep7")).toBeUndefined();
    expect(await failure(ensure(7, { peers: ["here"] }))).toMatchObject({ code: "address.bad-ip" });
    await sw.ovs("bridge-del", { bridge: "vxlbr7" });
    expect(sw.ports()).toEqual({ vxbackend: [] });
  });

  test("it is told which bridges reach a tunnel, over others too", async () => {
    await sw.ovs("vxlan-ensure", { master: "vxbackend", vxlan: 7 });
    await sw.ovs("vlan-ensure", { master: "vxlbr7", vlan: 5 });
    await sw.ovs("vxlan-ensure", { master: "vxbackend", vxlan: 8, peers: ["10.2.0.2"] });
    expect([...tunnelBridges(sw.db)].sort()).toEqual(["vlbr5", "vxlbr7", "vxlbr8"]);
  });

  test("tunnels take the place of the multicast device", async () => {
    await ensure(8);
    await ensure(8, { peers: ["10.7.0.2"] });
    expect(device("vtep8")).toBeUndefined();
    expect(sw.ports().vxlbr8).toHaveLength(1);
  });

  test("one master to a VXLAN, one bridge to a VXLAN, and identifiers in their range", async () => {
    await sw.ovs("bridge-add", { bridge: "second" });
    expect(await ensure(300, { name: "blue" })).toBe("blue");
    const ports = sw.ports();
    expect(await ensure(300)).toBe("blue");
    expect(await failure(ensure(300, { name: "red" }))).toMatchObject({ code: "switch.other-bridge" });
    expect(await failure(ensure(301, { name: "blue" }))).toMatchObject({ code: "switch.other-bridge" });
    expect(await failure(sw.ovs("vxlan-ensure", { master: "second", vxlan: 300 }))).toMatchObject({
      code: "switch.other-master",
      message: "VXLAN 300 belongs to the master vxbackend, not second",
    });
    expect(await failure(sw.ovs("vxlan-ensure", { master: "none", vxlan: 9 }))).toMatchObject({
      code: "switch.no-bridge",
    });
    for (const bad of [0, 2 ** 24, -1, "x"]) {
      expect(await failure(ensure(bad))).toMatchObject({ code: "ovs.bad-argument" });
      expect(await failure(sw.ovs("vtep-ensure", { bridge: "vxbackend", vnid: bad }))).toMatchObject({
        code: "ovs.bad-argument",
      });
    }
    expect(sw.ports()).toEqual(ports);
    expect(device("vtep301")).toBeUndefined();
    expect(await ensure(16_777_215)).toBe("vxlbr16777215");
  });

  test("vtep-ensure answers the device's name; vtep-del takes its port, too", async () => {
    expect(await sw.ovs("vtep-ensure", { bridge: "vxbackend", vnid: "55" })).toBe("vtep55");
    expect(await sw.ovs("vtep_ensure", { bridge: "vxbackend", vnid: 55 })).toBe("vtep55");
    expect(await failure(sw.ovs("vtep-ensure", { bridge: "nodev", vnid: 55 }))).toMatchObject({
      code: "switch.no-device",
    });
    await ensure(55);
    expect(sw.ports().vxlbr55).toEqual(["vtep55"]);
    expect(await sw.ovs("ovs.vtep-del", { vnid: 55 })).toBeNull();
    expect(device("vtep55")).toBeUndefined();
    expect(sw.ports().vxlbr55).toEqual([]);
    expect(await failure(sw.ovs("vtep-del", { vnid: 55 }))).toMatchObject({ code: "ovs.no-vtep" });
  });

  test("bridge-del takes the device with the bridge, and the VXLAN can be had again", async () => {
    await ensure(60);
    expect(await sw.ovs("bridge-del", { bridge: "vxlbr60" })).toBe("");
    expect(device("vtep60")).toBeUndefined();
    expect(await ensure(60)).toBe("vxlbr60");
  });

  test("a device that went and came again is opened again by the switch", async () => {
    await ensure(61);
    for (const how of ["deleted", "with its master"]) {
      if (how === "deleted") await sw.ip("link", "delete", "vtep61");
      else {
        await sw.ovs("bridge-del", { bridge: "vxbackend" });
        await sw.ovs("bridge-add", { bridge: "vxbackend" });
        expect(device("vtep61")).toBeUndefined();
      }
      expect(await ensure(61)).toBe("vxlbr61");
      expect(link("vtep61")?.ofport).toBeGreaterThan(0);
      // Only a device that the switch has open takes all frames.
      expect(await sw.ip("-d", "link", "show", "vtep61")).toMatch(/promiscuity [1-9]/);
    }
  });

  test("comes from whatever is there to a VXLAN's bridge that works", async () => {
    const state = fc.record({
      bridge: fc.constantFrom("absent", "fresh", "broken", "marked"),
      device: fc.constantFrom("absent", "right", "down", "other group"),
      port: fc.constantFrom("absent", "right", "tagged", "internal"),
    });
    await fc.assert(
      fc.asyncProperty(state, async (half) => {
        await clear();
        await sw.vsctl("add-br", "vxbackend", "--", "set", "Bridge", "vxbackend", "datapath_type=netdev");
        const alias = ["alias", "switchyard ovs vtep"];
        if (half.device !== "absent") {
          const group = half.device === "other group" ? "239.9.9.9" : "239.0.0.1";
          const vxlan = ["type", "vxlan", "id", "77", "group", group, "dev", "vxbackend", "dstport", "8472"];
          await sw.ip("link", "add", "vtep77", ...vxlan);
          await sw.ip("link", "set", "vtep77", ...alias, half.device === "down" ? "down" : "up");
        }
        const marks = ["external_ids:switchyard-owner=ovs", 'external_ids:switchyard-purpose="vxlan 77 of vxbackend"'];
        if (half.bridge !== "absent" || half.port !== "absent") {
          const datapath = half.bridge === "broken" ? "system" : "netdev";
          await sw.vsctl(
            "--no-wait",
            "add-br",
            "vxlbr77",
            "--",
            "set",
            "Bridge",
            "vxlbr77",
            `datapath_type=${datapath}`,
          );
          if (half.bridge === "marked") await sw.vsctl("--no-wait", "set", "Bridge", "vxlbr77", ...marks);
        }
        if (half.port !== "absent") {
          const type = half.port === "internal" ? ["--", "set", "Interface", "vtep77", "type=internal"] : [];
          const tag = half.port === "tagged" ? ["tag=5"] : [];
          await sw.vsctl("add-port", "vxlbr77", "vtep77", ...tag, ...type);
        }
        expect(await ensure(77)).toBe("vxlbr77");
        expect(sw.ports()).toEqual({ vxbackend: [], vxlbr77: ["vtep77"] });
        expect(port("vtep77")).toMatchObject({ tag: undefined });
        expect(link("vtep77")).toMatchObject({ type: "" });
        expect(link("vtep77")?.ofport).toBeGreaterThan(0);
        expect(device("vtep77")).toMatchObject({ up: true, mtu: 1450, vxlan: { group: "239.0.0.1", id: 77 } });
        expect(await sw.ip("-d", "link", "show", "vtep77")).toMatch(/promiscuity [1-9]/);
      }),
      { numRuns: 25 },
    );
  });
});
