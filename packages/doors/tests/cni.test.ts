import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { run } from "@switchyard/base";
import { expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { type CniSite, type Conf, cniSite } from "./cni-site.ts";
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
});
