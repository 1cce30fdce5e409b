import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { run } from "@switchyard/base";
import { expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { type CniSite, type Conf, cniSite } from "./cni-site.ts";
import { pings } from "./switch.ts";

setDefaultTimeout(30_000);

const CARD = "0000:01:00.0";
const FUNCTION = "0000:01:00.3";

/** The card is not real: files stand for what sysfs has of one, and a veth for a virtual function and its representor. */
describe.skipIf(!requires("root", "openvswitch", "iproute2", "ping", "cni-plugins"))(
  "a virtual function of a simulated card",
  () => {
    let before: Machine;
    let site: CniSite;
    let sysfs: string;
    let clean: unknown;
    beforeAll(async () => {
      before = await snapshotMachine();
      site = await cniSite();
      await site.sw.vsctl("add-br", "br1", "--", "set", "Bridge", "br1", "datapath_type=netdev");
      // The bridge has the other member of the bond that the card is in.
      await site.sw.vsctl("add-port", "br1", "pf1", "--", "set", "Interface", "pf1", "type=internal");
      await site.sw.ip("link", "add", "vf1", "type", "veth", "peer", "name", "rep1");
      await run(["mkdir", "-p", `${site.folder}/ipam/net1`]);
      sysfs = `${site.folder}/sys`;
      simulateCard(sysfs);
      clean = { ...Object(await site.everything()), files: expect.anything() };
    });
    afterAll(async () => {
      await site[Symbol.asyncDispose]();
      await expectSameMachine(before, { ours: /tdoors[_-]/ });
    });

    const conf = (more: Conf = {}): Conf => ({
      cniVersion: "1.0.0",
      name: "net1",
      type: "ovs",
      deviceID: FUNCTION,
      ...more,
    });
    const space = (file: string) => file.replace("/run/netns/", "");

    test("goes to the container, its representor to the bridge that the bond of its card is found by, and back again", async () => {
      const [c1, c2] = [site.container("a"), site.container("b")];
      const network = conf({
        vlan: 9,
        mtu: 1400,
        ipam: site.hostLocal("10.77.0.0/24"),
        args: { cni: { mac: "02:00:00:00:09:01" } },
      });
      const one = { id: "one", netns: c1, type: "ovs", sysfs } as const;
      const { json } = await site.call("ADD", network, one);
      expect<unknown>(json).toMatchObject({
        interfaces: [{ name: "rep1" }, { name: "eth0", mac: "02:00:00:00:09:01", sandbox: c1 }],
        ips: [{ address: "10.77.0.2/24", interface: 1 }],
      });
      expect(site.sw.ports().br1).toEqual(["pf1", "rep1"]);
      expect((await site.ip(c1, "link", "show", "eth0"))[0]).toMatchObject({ mtu: 1400, operstate: "UP" });
      expect((await site.call("CHECK", { ...network, prevResult: json }, one)).json).toBeUndefined();
      const other = conf({
        type: "switchyard",
        deviceID: undefined,
        bridge: "br1",
        vlan: 9,
        ipam: site.hostLocal("10.77.0.0/24"),
      });
      await site.call("ADD", other, { id: "two", netns: c2 });
      expect(await pings(space(c2), "10.77.0.2")).toBe(true);
      // Nobody else gets it meanwhile.
      expect((await site.call("ADD", network, { ...one, id: "three", netns: c2, ifname: "eth1" })).json.code).toBe(106);
      for (const failing of ["port added", "device moved"]) {
        await site.call("DEL", network, one);
        const step = (name: string) => {
          if (name === failing) throw new Error("no luck");
        };
        expect((await site.call("ADD", network, { ...one, step })).json.msg).toBe("no luck");
        expect(await site.ip(c1, "link")).toHaveLength(1);
        expect((await site.call("ADD", network, one)).code).toBe(0);
      }
      await site.call("DEL", network, one);
      await site.call("DEL", other, { id: "two", netns: c2 });
      await site.sw.ip("link", "set", "rep1", "down");
      expect(await site.everything()).toEqual(clean);
    });

    test("stays where it is for a virtual machine's vDPA, which gets the MAC, and tells by which file it is had", async () => {
      const info = `${site.folder}/device.json`;
      writeFileSync(
        info,
        JSON.stringify({ type: "vdpa", version: "1.1.0", vdpa: { driver: "vhost", path: "/dev/vhost-vdpa-0" } }),
      );
      const network = conf({ cniVersion: "1.1.0", bridge: "br1", runtimeConfig: { CNIDeviceInfoFile: info } });
      const bin = `${site.folder}/bin`;
      standInForVdpa(bin, sysfs);
      const env = { PATH: `${bin}:${process.env.PATH}` };
      const one = { id: "one", netns: site.container("c"), type: "ovs", sysfs, env } as const;
      const { json } = await site.call("ADD", network, one);
      expect<unknown>(json.interfaces).toEqual([
        { name: "rep1" },
        {
          name: "eth0",
          sandbox: one.netns,
          pciID: FUNCTION,
          socketPath: "/dev/vhost-vdpa-0",
          mac: "02:00:00:00:00:0a",
          mtu: 1500,
        },
      ]);
      expect(await site.ip(one.netns, "link")).toHaveLength(1);
      await site.call("DEL", network, one);
      const wish = { ...network, args: { cni: { mac: "02:00:00:00:09:02" } } };
      const told = await site.call("ADD", wish, one);
      expect<unknown>(told.json.interfaces[1]).toMatchObject({ mac: "02:00:00:00:09:02", mtu: 1500 });
      expect(readFileSync(`${bin}/called`, "utf8")).toBe("dev set name vdpa7 mac 02:00:00:00:09:02\n");
      await site.call("DEL", wish, one);
      // Others have the device open.
      writeFileSync(`${bin}/busy`, "");
      const refused = await site.call("ADD", wish, one);
      expect([refused.json.code, refused.json.msg]).toEqual([
        102,
        expect.stringContaining("vdpa7 cannot be set: busy"),
      ]);
      expect(site.sw.ports().br1).toEqual(["pf1"]);
      const none = { driver: "vhost", path: "/dev/vhost-vdpa-1" };
      writeFileSync(info, JSON.stringify({ type: "vdpa", version: "1.1.0", vdpa: none }));
      expect((await site.call("ADD", network, one)).json.code).toBe(111);
      rmSync(bin, { recursive: true });
      await site.sw.ip("link", "set", "rep1", "down");
      expect(await site.everything()).toEqual(clean);
    });

    test("is refused where the card or its representor is not to be found, before anything is made", async () => {
      const one = { id: "one", netns: site.container("d"), type: "ovs", sysfs } as const;
      for (const [id, why] of [
        ["0000:09:00.1", "is not on this host"],
        [CARD, "is no virtual function"],
        ["0000:01:00.2", "has no representor"],
      ] as const) {
        const { json } = await site.call("ADD", conf({ deviceID: id }), one);
        expect([json.code, json.msg]).toEqual([111, expect.stringContaining(why)]);
      }
      await site.sw.vsctl("del-port", "pf1");
      expect((await site.call("ADD", conf(), one)).json.code).toBe(100);
      expect(site.sw.ports().br1).toEqual([]);
    });
  },
);

/** The kernel here has no vDPA: files stand for its bus, and a program for vdpa(8). */
function standInForVdpa(bin: string, sysfs: string): void {
  mkdirSync(`${sysfs}/bus/vdpa/devices/vdpa7/vhost-vdpa-0`, { recursive: true });
  mkdirSync(bin);
  const config = '{"config":{"vdpa7":{"mac":"02:00:00:00:00:0a","link ":"up","mtu":1500}}}';
  const words = [
    "#!/bin/sh",
    `test "$1" = -j && exec echo '${config}'`,
    `test -e ${bin}/busy && { echo busy >&2; exit 1; }`,
    `echo "$*" >>${bin}/called`,
  ];
  writeFileSync(`${bin}/vdpa`, `${words.join("\n")}\n`, { mode: 0o755 });
}

function simulateCard(sysfs: string): void {
  const devices = `${sysfs}/bus/pci/devices`;
  for (const folder of [`${CARD}/net/pf0`, "0000:01:00.2/net/vf0", `${FUNCTION}/net/vf1`])
    mkdirSync(`${devices}/${folder}`, { recursive: true });
  for (const [n, id] of [
    [0, "0000:01:00.2"],
    [1, FUNCTION],
  ] as const) {
    symlinkSync(`../${id}`, `${devices}/${CARD}/virtfn${n}`);
    symlinkSync(`../${CARD}`, `${devices}/${id}/physfn`);
  }
  const links = { pf0: "p0", pf1: "p1", rep1: "pf0vf1" };
  for (const [name, port] of Object.entries(links)) {
    mkdirSync(`${sysfs}/class/net/${name}`, { recursive: true });
    writeFileSync(`${sysfs}/class/net/${name}/phys_switch_id`, "0123abcd\n");
    writeFileSync(`${sysfs}/class/net/${name}/phys_port_name`, `${port}\n`);
  }
  mkdirSync(`${sysfs}/class/net/bond0`);
  symlinkSync("../bond0", `${sysfs}/class/net/pf0/master`);
  for (const member of ["pf0", "pf1"]) symlinkSync(`../${member}`, `${sysfs}/class/net/bond0/lower_${member}`);
}
