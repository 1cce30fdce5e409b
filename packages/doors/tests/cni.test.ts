import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { run } from "@switchyard/base";
import { expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { type CniSite, type Conf, cniSite, PLUGINS } from "./cni-site.ts";
import { pings } from "./switch.ts";

setDefaultTimeout(30_000);

describe.skipIf(!requires("root", "openvswitch", "iproute2", "ping", "cni-plugins"))("the CNI plugin", () => {
  let before: Machine;
  let site: CniSite;
  let clean: unknown;
  let made = 0;
  let c1: string;
  let c2: string;
  beforeAll(async () => {
    before = await snapshotMachine();
    site = await cniSite();
    await site.sw.vsctl("add-br", "br1", "--", "set", "Bridge", "br1", "datapath_type=netdev");
    // The folder of host-local's addresses stays with the site.
    await run(["mkdir", "-p", `${site.folder}/ipam/net1`]);
  });
  beforeEach(async () => {
    made++;
    c1 = site.container(`a${made}`);
    c2 = site.container(`b${made}`);
    await run(["sh", "-c", `rm -rf ${site.folder}/ipam/net1/*`]);
    clean = await site.everything();
  });
  afterEach(async () => {
    for (const [id, netns] of [
      ["container-1", c1],
      ["container-2", c2],
    ] as const)
      await site.call("DEL", conf({ ipam: undefined }), { id, netns });
  });
  afterAll(async () => {
    await site[Symbol.asyncDispose]();
    await expectSameMachine(before, { ours: /tdoors[_-]/ });
  });

  const conf = (more: Conf = {}): Conf => ({
    cniVersion: "1.0.0",
    name: "net1",
    type: "switchyard",
    bridge: "br1",
    ...more,
  });
  const one = () => ({ id: "container-1", netns: c1 });
  const two = () => ({ id: "container-2", netns: c2 });
  const port = (name: string) => site.sw.db.table("Port").find({ name });
  const space = (file: string) => file.replace("/run/netns/", "");

  test("gives a container a nic that its row in the switch tells everything of", async () => {
    const { code, json } = await site.call("ADD", conf({ vlan: 100, mtu: 1456 }), {
      ...one(),
      args: "IgnoreUnknown=1;K8S_POD_UID=pod-7",
    });
    expect(code).toBe(0);
    const [host, nic] = json.interfaces;
    expect<unknown>(json).toEqual({
      cniVersion: "1.0.0",
      interfaces: [
        { name: expect.stringMatching(/^cni[0-9a-f]{12}$/), mac: expect.any(String) },
        { name: "eth0", mac: expect.any(String), sandbox: c1 },
      ],
      dns: {},
    });
    const [seen] = await site.ip(c1, "address", "show", "dev", "eth0");
    expect(seen).toMatchObject({ address: nic.mac, mtu: 1456, operstate: "UP" });
    expect((await site.ip(undefined, "link", "show", "dev", host.name))[0]).toMatchObject({
      address: host.mac,
      mtu: 1456,
    });
    expect(port(host.name)).toMatchObject({ tag: 100, vlan_mode: "access" });
    expect(Object.fromEntries(port(host.name)?.external_ids ?? [])).toMatchObject({
      "switchyard-owner": "cni",
      "cni-container": "container-1",
      "cni-interface": "eth0",
      "cni-network": "net1",
      "cni-pod-uid": "pod-7",
      contNetns: c1,
      contIface: "eth0",
      contPodUid: "pod-7",
    });
    expect(
      (await site.call("CHECK", conf({ vlan: 100, mtu: 1456, prevResult: json, cniVersion: "1.0.0" }), one())).json,
    ).toBeUndefined();
    expect<unknown>(await site.call("DEL", conf({ vlan: 100 }), one())).toEqual({ code: 0, json: undefined, log: [] });
    expect(await site.everything()).toEqual(clean);
    // And once more, with nothing there.
    expect((await site.call("DEL", conf({ vlan: 100 }), one())).code).toBe(0);
  });

  test("joins two containers on a VLAN with addresses of host-local, and parts them from another", async () => {
    const ipam = site.hostLocal("10.77.0.0/24", {
      routes: [{ dst: "0.0.0.0/0" }, { dst: "192.168.9.0/24", gw: "10.77.0.9" }],
    });
    const network = conf({ vlan: 100, ipam });
    const [a, b] = [await site.call("ADD", network, one()), await site.call("ADD", network, two())];
    expect([a.code, b.code]).toEqual([0, 0]);
    expect(a.json.ips).toEqual([{ address: "10.77.0.2/24", gateway: "10.77.0.1", interface: 1 }]);
    // The MAC follows from the address, as others' ARP caches know it by then.
    expect(a.json.interfaces[1].mac).toBe("0a:58:0a:4d:00:02");
    expect(await pings(space(c1), "10.77.0.3")).toBe(true);
    const routes = await site.ip(c1, "route");
    expect(routes).toContainEqual(expect.objectContaining({ dst: "default", gateway: "10.77.0.1", dev: "eth0" }));
    expect(routes).toContainEqual(expect.objectContaining({ dst: "192.168.9.0/24", gateway: "10.77.0.9" }));
    expect((await site.call("CHECK", { ...network, prevResult: a.json }, one())).json).toBeUndefined();
    await site.sw.vsctl("set", "Port", b.json.interfaces[0].name, "tag=200");
    expect(await pings(space(c1), "10.77.0.3")).toBe(false);
    const differs = await site.call("CHECK", { ...network, prevResult: b.json }, two());
    expect<unknown>(differs.json).toMatchObject({ code: 104, msg: "eth0: its tag is 200, not 100" });
    for (const which of [one(), two()]) expect((await site.call("DEL", network, which)).code).toBe(0);
    expect(
      (await run(["ls", `${site.folder}/ipam/net1`])).split("\n").filter((name) => name.startsWith("10.")),
    ).toEqual([]);
  });

  test("undoes all that was made when any step fails, and says why", async () => {
    const network = conf({ vlan: 100, ipam: site.hostLocal("10.77.0.0/24") });
    const steps: string[] = [];
    const good = await site.call("ADD", network, { ...one(), step: (name) => void steps.push(name) });
    expect(good.code).toBe(0);
    // Addresses are given meanwhile.
    expect(steps.toSorted()).toEqual(["addresses given", "nic made", "port added", "result"]);
    await site.call("DEL", network, one());
    for (const failing of steps) {
      const step = (name: string) => {
        if (name === failing) throw new Error(`no luck: ${name}`);
      };
      const { code, json, log } = await site.call("ADD", network, { ...one(), step });
      expect([code, json.code, json.msg, log]).toEqual([1, 999, `no luck: ${failing}`, []]);
      expect(await site.everything()).toMatchObject(without(clean));
      expect(await addresses()).toEqual([]);
      expect(await site.ip(c1, "link")).toHaveLength(1);
    }
  });

  test("leaves nothing of a nic that cannot be made, and tells each reason by a code", async () => {
    const foreign = await site.call("ADD", conf(), one());
    const [{ name: taken }] = foreign.json.interfaces;
    await site.call("DEL", conf(), one());
    await site.sw.vsctl(
      "add-port",
      "br1",
      "other",
      "--",
      "set",
      "Interface",
      "other",
      "type=internal",
      "ofport_request=7",
    );
    clean = await site.everything();
    const ipam = site.hostLocal("10.77.0.0/24");
    for (const [code, more] of [
      [100, { bridge: "br9", ipam }],
      [105, { ofport_request: 7, ipam }],
      [107, { ipam: { type: "no-such-plugin" } }],
      [999, { ipam: { ...ipam, ranges: [[{ subnet: "nonsense" }]] } }],
      [
        102,
        {
          ipam: {
            type: "static",
            addresses: [{ address: "10.77.0.9/24" }],
            routes: [{ dst: "10.9.0.0/16", gw: "10.88.0.1" }],
          },
        },
      ],
      [101, { interfaceType: "dpdkvhostuserclient", socketDir: `${site.folder}/sockets` }],
    ] as const) {
      const { json } = await site.call("ADD", conf(more), one());
      expect([more, json.code]).toEqual([more, code]);
      if ("socketDir" in more) expect(json.details).toContain("[cni.no-dpdk]");
      await run(["rm", "-rf", `${site.folder}/sockets`]);
      expect(await site.everything()).toMatchObject(without(clean));
      expect(await addresses()).toEqual([]);
    }
    // Another's port of the very name stays.
    await site.sw.vsctl("add-port", "br1", taken, "--", "set", "Interface", taken, "type=internal");
    expect((await site.call("ADD", conf(), one())).json.code).toBeGreaterThanOrEqual(102);
    await site.call("DEL", conf(), one());
    expect(port(taken)).toBeDefined();
    await site.sw.vsctl("del-port", taken);
    await site.sw.vsctl("del-port", "other");
  });

  test("refuses a second nic of one name, and keeps the first with its address", async () => {
    const network = conf({ ipam: site.hostLocal("10.77.0.0/24") });
    const first = await site.call("ADD", network, one());
    const held = await site.everything();
    expect((await site.call("ADD", network, one())).json.code).toBe(103);
    expect(await site.everything()).toEqual(held);
    expect(await addresses()).toEqual(["10.77.0.2"]);
    expect((await site.call("CHECK", { ...network, prevResult: first.json }, one())).code).toBe(0);
    expect((await site.call("DEL", network, one())).code).toBe(0);
  });

  test("takes away one interface of a container and no other, not even one whose name begins alike", async () => {
    for (const ifname of ["net1", "net10", "net2"]) await site.call("ADD", conf(), { ...one(), ifname });
    expect((await site.call("DEL", conf(), { ...one(), ifname: "net1" })).code).toBe(0);
    const links = await site.ip(c1, "link");
    expect(links.map((link) => Reflect.get(Object(link), "ifname"))).toEqual(["lo", "net10", "net2"]);
    for (const ifname of ["net10", "net2"]) await site.call("DEL", conf(), { ...one(), ifname });
  });

  test("tells containers apart whose ids are short, begin alike, or come again in the same namespace", async () => {
    const ids = ["ct1", "0123456789abcdef", "0123456789abffff"];
    const names = await Promise.all(
      ids.map(
        async (id, at) => (await site.call("ADD", conf(), { id, netns: c1, ifname: `n${at}` })).json.interfaces[0].name,
      ),
    );
    expect(new Set(names).size).toBe(3);
    for (const [at, id] of ids.entries()) await site.call("DEL", conf(), { id, netns: c1, ifname: `n${at}` });
    expect(await site.everything()).toEqual(clean);
  });

  test("is taken away without namespace, link, bridge or a configuration without errors", async () => {
    const network = conf({ ipam: site.hostLocal("10.77.0.0/24") });
    await site.call("ADD", network, one());
    expect(await site.call("DEL", { ...network, vlan: 9999, bridge: "gone" }, { ...one(), netns: "" })).toMatchObject({
      code: 0,
    });
    await site.call("ADD", network, one());
    await run(["nsenter", `--net=${c1}`, "ip", "link", "delete", "eth0"]);
    expect((await site.call("DEL", network, one())).code).toBe(0);
    await site.call("ADD", network, two());
    await run(["ip", "netns", "delete", space(c2)]);
    expect((await site.call("DEL", network, two())).code).toBe(0);
    expect(await site.everything()).toMatchObject(without(clean));
    expect(await addresses()).toEqual([]);
  });

  test("collects what the runtime does not list, of its own network only, and ports of an earlier boot", async () => {
    const network = conf({ cniVersion: "1.1.0" });
    const other = conf({ cniVersion: "1.1.0", name: "net2" });
    const [a, b, c] = [
      await site.call("ADD", network, one()),
      await site.call("ADD", network, two()),
      await site.call("ADD", other, { ...two(), ifname: "eth1" }),
    ].map(({ json }) => json.interfaces[0].name);
    const valid = { "cni.dev/valid-attachments": [{ containerID: "container-1", ifname: "eth0" }] };
    expect((await site.call("GC", { ...network, ...valid })).code).toBe(0);
    expect([a, b, c].map((name) => port(name ?? "") !== undefined)).toEqual([true, false, true]);
    await site.sw.vsctl("set", "Port", c ?? "", "external_ids:cni-boot=before");
    expect((await site.call("ADD", network, two())).code).toBe(0);
    expect(port(c ?? "")).toBeUndefined();
    expect((await site.call("GC", { ...network, "cni.dev/valid-attachments": [] })).code).toBe(0);
    await run(["ip", "-n", site.sw.namespace, "link", "delete", c ?? ""]);
    expect(await site.everything()).toEqual(clean);
  });

  test("collects at the next ADD a port whose nic went with its namespace, and no other", async () => {
    const [a] = (await site.call("ADD", conf(), one())).json.interfaces;
    const [b] = (await site.call("ADD", conf(), two())).json.interfaces;
    await run(["ip", "netns", "delete", space(c1)]);
    await site.sw.db.waitFor((db) => db.table("Interface").find({ name: a.name })?.link_state !== "up", {
      timeout: 5_000,
    });
    expect((await site.call("ADD", conf(), { ...two(), ifname: "eth1" })).code).toBe(0);
    expect([a, b].map(({ name }) => port(name) !== undefined)).toEqual([false, true]);
    await site.call("DEL", conf(), { ...two(), ifname: "eth1" });
  });

  test("gives routes with what an IPAM plugin of CNI 1.1.0 says of them", async () => {
    const answer = {
      cniVersion: "1.1.0",
      ips: [{ address: "10.77.0.5/24" }],
      routes: [{ dst: "10.9.0.0/16", gw: "10.77.0.1", mtu: 1400, advmss: 1360, table: 100, scope: 0, priority: 7 }],
    };
    await run(["mkdir", "-p", `${site.folder}/bin`]);
    // A stand-in: Debian's plugins know CNI up to 1.0.0.
    writeFileSync(
      `${site.folder}/bin/ipam11`,
      `#!/bin/sh\n[ $CNI_COMMAND != ADD ] || echo '${JSON.stringify(answer)}'\n`,
      {
        mode: 0o755,
      },
    );
    const network = conf({ cniVersion: "1.1.0", ipam: { type: "ipam11" } });
    const env = { CNI_PATH: `${site.folder}/bin` };
    const { json, code } = await site.call("ADD", network, { ...one(), env });
    expect(code).toBe(0);
    expect<unknown>(json).toMatchObject({ cniVersion: "1.1.0", routes: answer.routes });
    const routes = await site.ip(c1, "route", "show", "table", "100");
    expect(routes).toEqual([
      expect.objectContaining({
        dst: "10.9.0.0/16",
        gateway: "10.77.0.1",
        metric: 7,
        metrics: [{ mtu: 1400, advmss: 1360 }],
      }),
    ]);
    expect((await site.call("CHECK", { ...network, prevResult: json }, { ...one(), env })).json).toBeUndefined();
    expect((await site.call("GC", { ...network, "cni.dev/valid-attachments": [] }, { env })).code).toBe(0);
    await run(["rm", "-r", `${site.folder}/bin`]);
  });

  test("tells by STATUS whether a nic could be made", async () => {
    const network = conf({ cniVersion: "1.1.0" });
    expect((await site.call("STATUS", network)).code).toBe(0);
    expect((await site.call("STATUS", conf({ cniVersion: "1.1.0", bridge: "br9" }))).json.code).toBe(50);
  });

  test("makes a trunk with a native VLAN that CHECK agrees with, and QinQ", async () => {
    const trunk = conf({ vlan: 5, trunk: [{ id: 20 }, { minID: 10, maxID: 12 }] });
    const made = await site.call("ADD", trunk, one());
    expect(port(made.json.interfaces[0].name)).toMatchObject({
      tag: 5,
      vlan_mode: "native-untagged",
      trunks: new Set([10, 11, 12, 20]),
    });
    expect((await site.call("CHECK", { ...trunk, prevResult: made.json }, one())).code).toBe(0);
    const tunnel = await site.call("ADD", conf({ vlan: 7, vlan_mode: "dot1q-tunnel", cvlans: [{ id: 3 }] }), two());
    expect(port(tunnel.json.interfaces[0].name)).toMatchObject({
      tag: 7,
      vlan_mode: "dot1q-tunnel",
      cvlans: new Set([3]),
    });
  });

  test("gives the MAC, OpenFlow port and iface-id that are asked for", async () => {
    const mac = "02:00:00:00:00:77";
    const network = conf({ type: "ovs", ofport_request: 77, runtimeConfig: { mac } });
    const { json } = await site.call("ADD", network, { ...one(), type: "ovs", args: "OvnPort=p1" });
    expect(json.interfaces[1].mac).toBe(mac);
    const row = site.sw.db.table("Interface").find({ name: json.interfaces[0].name });
    expect([Number(row?.ofport), row?.external_ids.get("iface-id")]).toEqual([77, "p1"]);
  });

  test("makes the bridge that is asked for, and takes it away with its last port; others' bridges stay", async () => {
    const network = conf({ bridge: "brown", createBridge: true });
    await site.call("ADD", network, one());
    await site.call("ADD", network, two());
    await site.call("DEL", network, one());
    expect(site.sw.ports().brown).toHaveLength(1);
    await site.call("DEL", network, two());
    expect(await site.everything()).toEqual(clean);
  });

  test("behind Debian's ptp attaches its interface, and CHECK passes what tuning changes after", async () => {
    const plugin = async (name: string, command: string, input: unknown) => {
      const env = {
        CNI_COMMAND: command,
        CNI_CONTAINERID: "container-1",
        CNI_NETNS: c1,
        CNI_IFNAME: "eth0",
        CNI_PATH: PLUGINS,
      };
      const vars = Object.entries(env).map(([key, value]) => `${key}=${value}`);
      const inside = ["ip", "netns", "exec", site.sw.namespace, "env", ...vars, `${PLUGINS}/${name}`] as const;
      return run([...inside], { input: JSON.stringify(input) });
    };
    const base = { cniVersion: "1.0.0", name: "net1" };
    const ptp = { ...base, type: "ptp", ipam: site.hostLocal("10.77.0.0/24") };
    const first: unknown = JSON.parse(await plugin("ptp", "ADD", ptp));
    const chained = conf({ vlan: 3, prevResult: first });
    const { json, code } = await site.call("ADD", chained, one());
    expect(code).toBe(0);
    expect<unknown>(json).toEqual(first);
    expect(port(json.interfaces[0].name)?.tag).toBe(3);
    expect((await site.call("DEL", chained, one())).code).toBe(0);
    expect(port(json.interfaces[0].name)).toBeUndefined();
    await plugin("ptp", "DEL", ptp);

    const own = await site.call("ADD", conf({ ipam: site.hostLocal("10.77.0.0/24") }), one());
    const tuning = { ...base, type: "tuning", mtu: 1400, promisc: true, prevResult: own.json };
    const final: unknown = JSON.parse(await plugin("tuning", "ADD", tuning));
    expect(
      (await site.call("CHECK", conf({ ipam: site.hostLocal("10.77.0.0/24"), prevResult: final }), one())).code,
    ).toBe(0);
    await site.call("DEL", conf({ ipam: site.hostLocal("10.77.0.0/24") }), one());
  });

  async function addresses(): Promise<string[]> {
    const names = (await run(["ls", `${site.folder}/ipam/net1`])).split("\n");
    return names.filter((name) => name.startsWith("10."));
  }

  /** host-local keeps files of its own. */
  function without(state: unknown): object {
    return { ...Object(state), files: expect.anything() };
  }
});
