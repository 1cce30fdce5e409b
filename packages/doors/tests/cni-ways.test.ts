import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { run } from "@switchyard/base";
import { expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { stopVswitchd } from "@switchyard/vswitch";
import { type CniSite, type Conf, cniSite } from "./cni-site.ts";
import { DATAPATH, megabits, pings, serveIperf } from "./switch.ts";

setDefaultTimeout(30_000);

describe.skipIf(!requires("root", "openvswitch", "iproute2", "ping", "tcpdump", "iperf3", "cni-plugins"))(
  "the CNI plugin",
  () => {
    let before: Machine;
    let site: CniSite;
    let clean: unknown;
    let made = 0;
    let c1: string;
    let c2: string;
    let c3: string;
    beforeAll(async () => {
      before = await snapshotMachine();
      site = await cniSite();
      await site.sw.vsctl("add-br", "br1", "--", "set", "Bridge", "br1", `datapath_type=${DATAPATH}`);
      await run(["mkdir", "-p", `${site.folder}/ipam/net1`]);
    });
    beforeEach(async () => {
      made++;
      [c1, c2, c3] = [site.container(`a${made}`), site.container(`b${made}`), site.container(`c${made}`)];
      await run(["sh", "-c", `rm -rf ${site.folder}/ipam/net1/*`]);
      clean = { ...Object(await site.everything()), files: expect.anything() };
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
    const nic = (id: string, netns: string) => ({ id, netns });
    const space = (file: string) => file.replace("/run/netns/", "");
    const mirror = (name: string) => site.sw.db.table("Mirror").find({ name });
    const named = (uuids: Iterable<Parameters<ReturnType<typeof site.sw.db.table<"Port">>["get"]>[0]>) =>
      [...uuids].map((uuid) => site.sw.db.table("Port").get(uuid)?.name).sort();

    test("gives a container a port of the switch's own, which goes with its row, or a veth where the kernel would lose that", async () => {
      const network = conf({
        interfaceType: "internal",
        vlan: 7,
        mtu: 1400,
        ipam: site.hostLocal("10.77.0.0/24"),
        runtimeConfig: { mac: "02:00:00:00:07:01" },
      });
      const inside = await site.call("ADD", network, nic("in", c1));
      const isOwn = DATAPATH === "netdev";
      expect(inside.log).toEqual(isOwn ? [] : [expect.stringContaining("it gets a veth")]);
      expect<unknown>(inside.json).toMatchObject({
        interfaces: [...(isOwn ? [] : [{}]), { name: "eth0", mac: "02:00:00:00:07:01", sandbox: c1 }],
        ips: [{ address: "10.77.0.2/24", interface: isOwn ? 0 : 1 }],
      });
      const other = await site.call("ADD", conf({ vlan: 7, ipam: site.hostLocal("10.77.0.0/24") }), nic("out", c2));
      // The kernel's datapath may begin late, and lose the first packets.
      let answered = false;
      for (let tries = 0; tries < 10 && !answered; tries++) answered = await pings(space(c1), "10.77.0.3");
      expect(answered).toBe(true);
      expect((await site.ip(c1, "link", "show", "eth0"))[0]).toMatchObject({ mtu: 1400, address: "02:00:00:00:07:01" });
      expect((await site.call("CHECK", { ...network, prevResult: inside.json }, nic("in", c1))).json).toBeUndefined();
      expect(other.code).toBe(0);
      for (const failing of ["port added", isOwn ? "nic moved" : "nic made"]) {
        const step = (name: string) => {
          if (name === failing) throw new Error("no luck");
        };
        expect((await site.call("ADD", network, { ...nic("third", c3), step })).json.msg).toBe("no luck");
        expect(await site.ip(c3, "link")).toHaveLength(1);
      }
      await site.call("DEL", network, nic("in", c1));
      expect(await site.ip(c1, "link")).toHaveLength(1);
      await site.call("DEL", conf({ ipam: site.hostLocal("10.77.0.0/24") }), nic("out", c2));
      expect(await site.everything()).toEqual(clean);
    });

    test("holds a nic to its bandwidth in both directions, and leaves no queue", async () => {
      const limited = conf({
        bandwidth: { ingressRate: 1_000 },
        // As containerd writes it, and what counts.
        runtimeConfig: { bandwidth: { IngressRate: 20_000_000, IngressBurst: 2 ** 32 - 1, EgressRate: 10_000_000 } },
        ipam: site.hostLocal("10.77.0.0/24"),
      });
      const a = await site.call("ADD", limited, nic("a", c1));
      expect(a.code).toBe(0);
      const b = await site.call("ADD", conf({ ipam: site.hostLocal("10.77.0.0/24") }), nic("b", c2));
      const serving = serveIperf(c2, 2);
      const sent = await megabits(c1, "10.77.0.3");
      const got = await megabits(c1, "10.77.0.3", "--reverse");
      await serving;
      // The kernel's datapath drops what is too much, and lets most of a second's worth come at once.
      const [least, most] = DATAPATH === "system" ? [2, 25] : [4, 15];
      expect([sent > least, sent < most, got > 8, got < 30]).toEqual([true, true, true, true]);
      // The switch's refusal takes the queues back, too.
      const refused = conf({
        bandwidth: { ingressRate: 10 ** 6 },
        interfaceType: "dpdkvhostuserclient",
        socketDir: `${site.folder}/s`,
      });
      expect((await site.call("ADD", refused, nic("c", c3))).json).toMatchObject({ code: 101 });
      expect(
        (await site.call("ADD", conf({ bandwidth: { egressRate: 5 }, interfaceType: "internal" }), nic("c", c3))).json
          .code,
      ).toBe(2);
      for (const [id, netns] of [
        ["a", c1],
        ["b", c2],
      ] as const)
        await site.call("DEL", limited, nic(id, netns));
      expect(b.code).toBe(0);
      expect(await site.everything()).toEqual(clean);
    });

    test("copies what producers send and get to the one consumer of a mirror, and keeps the result as it was", async () => {
      const ipam = site.hostLocal("10.77.0.0/24", { routes: [{ dst: "0.0.0.0/0" }] });
      const [a, b, c] = [
        await site.call("ADD", conf({ ipam }), nic("a", c1)),
        await site.call("ADD", conf({ ipam }), nic("b", c2)),
        await site.call("ADD", conf(), nic("c", c3)),
      ];
      const [pa, pb, pc] = [a, b, c].map(({ json }) => json.interfaces[0].name);
      const producer = (mirrors: readonly Conf[], prevResult: unknown) =>
        conf({ type: "ovs-mirror-producer", mirrors, prevResult });
      const consumer = (prevResult: unknown) =>
        conf({ type: "ovs-mirror-consumer", mirrors: [{ name: "m1" }], prevResult });
      const both = [{ name: "m1", ingress: true, egress: true }];
      const added = await site.call("ADD", producer(both, a.json), nic("a", c1));
      expect(added.json).toEqual(a.json);
      expect(mirror("m1")?.external_ids.get("switchyard-owner")).toBe("cni");
      const only = [
        { name: "m1", ingress: true },
        { name: "m2", egress: true },
      ];
      expect((await site.call("ADD", producer(only, b.json), nic("b", c2))).code).toBe(0);
      expect((await site.call("ADD", consumer(c.json), nic("c", c3))).json).toEqual(c.json);
      const m1 = mirror("m1");
      expect(named(m1?.select_src_port ?? [])).toEqual([pa, pb].sort());
      expect(named(m1?.select_dst_port ?? [])).toEqual([pa]);
      expect(named(mirror("m2")?.select_dst_port ?? [])).toEqual([pb]);
      expect(named(m1?.output_port === undefined ? [] : [m1.output_port])).toEqual([pc]);

      const heard = run(["nsenter", `--net=${c3}`, "timeout", "15", "tcpdump", "-lnc1", "-i", "eth0", "icmp"]);
      // It may begin to listen late.
      const stop = new AbortController();
      const talking = (async () => {
        while (!stop.signal.aborted) await pings(space(c1), "10.77.0.3");
      })();
      expect(await heard.finally(() => stop.abort())).toContain("10.77.0.2 > 10.77.0.3: ICMP echo request");
      await talking;

      // One consumer only, and each direction has to be said.
      expect((await site.call("ADD", consumer(b.json), nic("b", c2))).json.code).toBe(109);
      expect((await site.call("ADD", producer([{ name: "m3" }], a.json), nic("a", c1))).json.code).toBe(7);
      expect(
        (await site.call("ADD", conf({ ...producer(both, a.json), prevResult: undefined }), nic("a", c1))).json.code,
      ).toBe(7);
      expect((await site.call("CHECK", producer(both, a.json), nic("a", c1))).json).toBeUndefined();
      await site.sw.vsctl(
        "remove",
        "Mirror",
        "m1",
        "select_dst_port",
        site.sw.db.table("Port").find({ name: pa ?? "" })?._uuid ?? "",
      );
      expect<unknown>((await site.call("CHECK", producer(both, a.json), nic("a", c1))).json).toMatchObject({
        code: 104,
        msg: "eth0: mirror m1 does not copy what it gets",
      });

      // A mirror stays while somebody has a part in it; others' mirrors always do.
      await site.sw.vsctl(
        "--",
        "--id=@m",
        "create",
        "Mirror",
        "name=foreign",
        "--",
        "add",
        "Bridge",
        "br1",
        "mirrors",
        "@m",
      );
      const gone = await site.call("DEL", producer(both, a.json), nic("a", c1));
      expect<unknown>(gone).toEqual({ code: 0, json: undefined, log: [] });
      expect(named(mirror("m1")?.select_src_port ?? [])).toEqual([pb]);
      expect((await site.call("DEL", consumer(undefined), nic("c", c3))).code).toBe(0);
      expect((await site.call("DEL", producer(only, undefined), nic("b", c2))).code).toBe(0);
      expect([...site.sw.db.table("Mirror")].map(({ name }) => name)).toEqual(["foreign"]);
      // Once more, and with the ports gone.
      for (const [id, netns] of [
        ["a", c1],
        ["b", c2],
        ["c", c3],
      ] as const)
        await site.call("DEL", conf({ ipam }), nic(id, netns));
      expect((await site.call("DEL", producer(both, a.json), nic("a", ""))).code).toBe(0);
      await site.sw.vsctl("clear", "Bridge", "br1", "mirrors");
      expect(await site.everything()).toEqual(clean);
    });

    test("tells what hinders it by its code: a folder, a missing port, a switch that has stopped", async () => {
      const socket = conf({ interfaceType: "dpdkvhostuserclient", socketDir: "/proc/none" });
      expect((await site.call("ADD", socket, nic("a", c1))).json.code).toBe(5);
      const prevResult = { cniVersion: "1.0.0", interfaces: [{ name: "none" }] };
      const mirrors = [{ name: "m1", ingress: true }];
      const producer = conf({ type: "ovs-mirror-producer", mirrors, prevResult });
      expect((await site.call("ADD", producer, nic("a", c1))).json.code).toBe(110);
      const [link] = (await site.call("ADD", conf(), nic("a", c1))).json.interfaces;
      await stopVswitchd(site.sw.runDir);
      expect((await site.call("STATUS", conf({ cniVersion: "1.1.0" }))).json.code).toBe(51);
      const ipam = site.hostLocal("10.77.0.0/24");
      expect((await site.call("ADD", conf({ ipam }), { ...nic("b", c2), timeout: 500 })).json.code).toBe(11);
      expect(await site.ip(c2, "link")).toHaveLength(1);
      expect(site.sw.ports().br1).toEqual([link.name]);
      // What is there can be taken away all the same.
      expect((await site.call("DEL", conf(), nic("a", c1))).code).toBe(0);
      expect(site.sw.ports().br1).toEqual([]);
      expect(await site.ip(c1, "link")).toHaveLength(1);
    });
  },
);
