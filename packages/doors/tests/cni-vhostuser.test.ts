import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { childEnvironment, tryRun } from "@switchyard/base";
import { createLogger } from "@switchyard/base/log";
import { expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { runContainerAgent } from "../src/container/mod.ts";
import { type CniSite, type Conf, cniSite } from "./cni-site.ts";
import { bareSwitch, containerSwitch, DPDK_PROGRAM, hugepages, startDpdk } from "./dpdk.ts";
import { caughtUp, pings } from "./switch.ts";

setDefaultTimeout(60_000);

const EXECUTABLE = new URL("../../../dist/yard", import.meta.url).pathname;

describe.skipIf(!requires("root", "openvswitch", "iproute2", "ping", "cni-plugins", "dpdk"))(
  "vhost-user by CNI",
  () => {
    let before: Machine;
    let site: CniSite;
    let elsewhere: string;
    const started = new AsyncDisposableStack();
    beforeAll(async () => {
      before = await snapshotMachine();
      // At most 128 MB for each of three switches, and some more.
      started.use(hugepages(256));
      site = started.use(await cniSite({ vswitchd: false }));
      started.use(await startDpdk(site.sw, "--in-memory", 0));
      await site.sw.vsctl("add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=netdev");
      // Another file system than the switch's own sockets are on.
      elsewhere = await mkdtemp("/dev/shm/tdoors-");
      started.defer(() => rm(elsewhere, { recursive: true, force: true }));
    });
    afterAll(async () => {
      await started.disposeAsync();
      await expectSameMachine(before, { ours: /tdoors[_-]/ });
    });

    const nic = (id: string) => ({ id, netns: site.container(id), env: { SWITCHYARD_RUN_DIR: `${site.folder}/run` } });

    test("joins the switches of two containers on a VLAN, one that makes its socket and one that the host's makes it for", async () => {
      // A configuration of the userspace CNI, with a folder whose name alone is longer than a socket's address.
      const far = `${site.folder}/${"a-long-name-".repeat(9)}`;
      const client: Conf = {
        cniVersion: "1.0.0",
        name: "vhost",
        type: "userspace",
        sharedDir: far,
        LogFile: "/var/log/none.log",
        host: {
          engine: "ovs-dpdk",
          iftype: "vhostuser",
          netType: "bridge",
          vhost: { mode: "client", group: "daemon" },
          bridge: { bridgeName: "br0", vlanId: 100 },
        },
        container: { engine: "ovs-dpdk", iftype: "vhostuser", netType: "interface", vhost: { mode: "server" } },
        ipam: site.hostLocal("10.81.0.0/24"),
      };
      const server: Conf = {
        cniVersion: "1.1.0",
        name: "vhost",
        type: "switchyard",
        interfaceType: "dpdkvhostuser",
        socketDir: elsewhere,
        socketGroup: "daemon",
        socketMode: "0770",
        bridge: "br0",
        vlan: 100,
      };
      const [one, two] = [nic("0123456789abcdef"), nic("fedcba9876543210")];
      const a = await site.call("ADD", client, { ...one, type: "userspace" });
      expect(a.json.code).toBeUndefined();
      expect<unknown>(a.json).toMatchObject({
        cniVersion: "1.0.0",
        interfaces: [{ name: "eth0", sandbox: one.netns }],
        ips: [{ address: "10.81.0.2/24", interface: 0 }],
      });
      expect(statSync(`${far}/0123456789ab`)).toMatchObject({
        gid: statSync(`${far}/0123456789ab`).gid,
        mode: 0o40750,
      });
      const b = await site.call("ADD", server, two);
      const made = b.json.interfaces[0].socketPath;
      expect(made).toBe(`${elsewhere}/fedcba987654/fedcba987654-eth0`);
      // daemon is group 1 everywhere.
      expect(statSync(made)).toMatchObject({ gid: 1, mode: 0o140660 });
      expect([statSync(`${far}/0123456789ab`).gid, statSync(`${elsewhere}/fedcba987654`).gid]).toEqual([1, 1]);
      const [port] = [...site.sw.db.table("Port")].filter(
        ({ external_ids }) => external_ids.get("cni-socket") === made,
      );
      expect(port).toMatchObject({ tag: 100, vlan_mode: "access" });

      // What the container reads, in the forms of two releases.
      const told = JSON.parse(readFileSync(`${far}/0123456789ab/configData-0123456789ab-eth0.json`, "utf8"));
      expect(told).toMatchObject({
        containerId: "0123456789abcdef",
        ifName: "eth0",
        name: "vhost",
        config: { engine: "ovs-dpdk", iftype: "vhostuser", netType: "interface" },
        ipResult: { ips: [{ address: "10.81.0.2/24" }] },
      });
      expect(told.config.vhost).toEqual({ mode: "server", socketfile: "0123456789ab-eth0" });
      const old = (name: string) =>
        JSON.parse(readFileSync(`${site.folder}/0123456789abcdef/${name}-eth0.json`, "utf8"));
      expect(old("remote")).toMatchObject({ type: "userspace", host: told.config, ipam: { type: "" } });
      expect(old("remote").container).toBeUndefined();
      expect(old("addData")).toEqual({ containerId: "0123456789abcdef", ifName: "eth0", ipResult: told.ipResult });

      // As the container has the folder mounted.
      symlinkSync(`${far}/0123456789ab`, `${site.folder}/in-a`);
      await using containers = new AsyncDisposableStack();
      const device = (path: string, more = "") => `net_virtio_user0,path=${path},queues=1${more}`;
      const ca = await containerSwitch(containers, {
        name: "vu0",
        address: "10.81.0.2/24",
        device: device(`${site.folder}/in-a/0123456789ab-eth0`, ",server=1"),
      });
      await containerSwitch(containers, { name: "vu0", address: "10.81.0.3/24", device: device(made) });
      let answered = false;
      for (let tries = 0; tries < 5 && !answered; tries++) answered = await pings(ca.namespace, "10.81.0.3");
      expect(answered).toBe(true);

      expect(
        (await site.call("CHECK", { ...client, prevResult: a.json }, { ...one, type: "userspace" })).json,
      ).toBeUndefined();
      await site.call("DEL", client, { ...one, type: "userspace" });
      await site.call("DEL", server, two);
      expect([existsSync(`${far}/0123456789ab`), readdirSync(elsewhere)]).toEqual([false, []]);
      expect(existsSync(`${site.folder}/run/cni.vhost`)).toBe(false);
      expect(existsSync(`${site.folder}/0123456789abcdef`)).toBe(false);
      expect(site.sw.ports().br0).toEqual([]);
    });

    test("is made a port of the container's switch by the agent there, follows another network, and goes with the nic", async () => {
      const shared = `${site.folder}/shared`;
      const network: Conf = {
        cniVersion: "1.0.0",
        name: "vhost",
        type: "userspace",
        sharedDir: shared,
        host: { engine: "ovs-dpdk", iftype: "vhostuser", vhost: { mode: "client" }, bridge: { bridgeName: "br0" } },
        container: { engine: "ovs-dpdk", iftype: "vhostuser", bridge: { bridgeName: "inner" } },
        ipam: site.hostLocal("10.82.0.0/24"),
      };
      const one = { ...nic("aaaabbbbccccdddd"), type: "userspace" } as const;
      await site.sw.ip("address", "add", "10.82.0.1/24", "dev", "br0");
      await site.sw.ip("link", "set", "br0", "up");
      await using containers = new AsyncDisposableStack();
      const inside = await bareSwitch(containers);
      const stop = new AbortController();
      const settled: string[] = [];
      const onVlan = Promise.withResolvers<void>();
      const running = runContainerAgent({
        data: `${site.folder}/aaaabbbbccccdddd`,
        shared,
        annotations: `${site.folder}/podinfo/annotations`,
        remote: inside.place.remote,
        namespace: inside.place.namespace,
        bridge: "br0",
        start: false,
        leave: false,
        signal: stop.signal,
        log: createLogger("cni-agent", "error"),
        onSettled: (outcomes) => {
          settled.push(outcomes.map(({ order }) => order.ifname).join());
          if (outcomes.some(({ order }) => order.vlan === 7)) onVlan.resolve();
        },
      });
      try {
        expect((await site.call("ADD", network, one)).code).toBe(0);
        await inside.db.waitFor((db) => db.table("Interface").find({ type: "dpdk" })?.ofport, { timeout: 15_000 });
        const [port] = inside.ports().inner ?? [];
        expect(
          inside.db
            .table("Port")
            .find({ name: port ?? "" })
            ?.external_ids.get("switchyard-owner"),
        ).toBe("cni-agent");
        let answered = false;
        for (let tries = 0; tries < 10 && !answered; tries++) answered = await pings(inside.namespace, "10.82.0.1");
        expect(answered).toBe(true);
        const applied = JSON.parse(readFileSync(`${site.folder}/aaaabbbbccccdddd/applied-eth0.json`, "utf8"));
        expect(applied).toMatchObject({ ifName: "eth0", port });
        expect(settled).toContain("eth0");
        // Another network in its place: what the nic has had is gone, with the bridge.
        await site.call("DEL", network, one);
        const container = { bridge: { bridgeName: "other", vlanId: 7 } };
        const ipam = site.hostLocal("10.85.0.0/24", { routes: [{ dst: "10.86.0.0/16" }] });
        expect((await site.call("ADD", { ...network, container, ipam }, one)).code).toBe(0);
        await onVlan.promise;
        await caughtUp(inside.db);
        expect(Object.keys(inside.ports())).toEqual(["other"]);
        expect(await inside.ip("route")).toMatch(
          /^10\.85\.0\.0\/24 dev other .*\n10\.86\.0\.0\/16 via 10\.85\.0\.1 dev other/,
        );
        await site.call("DEL", network, one);
        await inside.db.waitFor((db) => db.table("Interface").find({ type: "dpdk" }) === undefined, {
          timeout: 15_000,
        });
        expect(existsSync(`${site.folder}/aaaabbbbccccdddd`)).toBe(false);
      } finally {
        stop.abort();
        await running.catch(() => {});
      }
    });

    test("is handed over in three forms, by each of which the agent finds it", async () => {
      const id = "ccccddddeeeeffff";
      const shared = `${site.folder}/shared`;
      const network: Conf = {
        cniVersion: "1.0.0",
        name: "vhost",
        type: "userspace",
        sharedDir: shared,
        host: { engine: "ovs-dpdk", iftype: "vhostuser", vhost: { mode: "client" }, bridge: { bridgeName: "br1" } },
        container: { engine: "ovs-dpdk", iftype: "vhostuser" },
        ipam: site.hostLocal("10.84.0.0/24"),
      };
      const one = { ...nic(id), type: "userspace" } as const;
      await using containers = new AsyncDisposableStack();
      const inside = await bareSwitch(containers);
      expect((await site.call("ADD", network, one)).code).toBe(0);
      await site.sw.ip("address", "add", "10.84.0.1/24", "dev", "br1");
      await site.sw.ip("link", "set", "br1", "up");
      const own = `${shared}/${id.slice(0, 12)}`;
      // As kubelet writes a pod's annotations, of which this is one.
      const told = JSON.stringify([JSON.parse(readFileSync(`${own}/configData-${id.slice(0, 12)}-eth0.json`, "utf8"))]);
      const podinfo = `${site.folder}/podinfo`;
      mkdirSync(podinfo);
      const lines = { "userspace/configuration-data": told, "userspace/mapped-dir": shared };
      const quoted = Object.entries(lines).map(([key, value]) => `${key}=${JSON.stringify(value)}\n`);
      writeFileSync(`${podinfo}/annotations`, quoted.join(""));
      const nowhere = `${site.folder}/nowhere`;
      const forms = {
        "remote and addData": { data: `${site.folder}/${id}`, shared, annotations: nowhere },
        configData: { data: nowhere, shared: own, annotations: nowhere },
        annotations: { data: nowhere, shared: nowhere, annotations: `${podinfo}/annotations` },
      };
      for (const [form, places] of Object.entries(forms)) {
        const stop = new AbortController();
        await runContainerAgent({
          ...places,
          remote: inside.place.remote,
          namespace: inside.place.namespace,
          bridge: "br0",
          start: false,
          leave: false,
          signal: AbortSignal.any([stop.signal, AbortSignal.timeout(15_000)]),
          log: createLogger("cni-agent", "error"),
          onSettled: (outcomes) => outcomes.length > 0 && stop.abort(),
        });
        let answered = false;
        for (let tries = 0; tries < 10 && !answered; tries++) answered = await pings(inside.namespace, "10.84.0.1");
        expect([form, answered]).toEqual([form, true]);
        await caughtUp(inside.db);
        for (const port of inside.ports().br0 ?? []) await inside.vsctl("del-port", port);
      }
      await site.call("DEL", network, one);
    });

    test("starts no switch in a container where DPDK, hugepages or enough of them are missing, and says so", async () => {
      const folder = `${site.folder}/own`;
      mkdirSync(folder);
      const agent = async (vswitchd: string, hidden: string, ...more: readonly string[]) => {
        rmSync(`${folder}/ovs-vswitchd`, { force: true });
        symlinkSync(vswitchd, `${folder}/ovs-vswitchd`);
        const argv = `mount -t tmpfs none ${hidden} && exec "$0" cni-agent --db unix:${folder}/run/db.sock "$@"`;
        const env = { ...childEnvironment(), PATH: `${folder}:${process.env.PATH}` };
        const { code, stderr } = await tryRun(["unshare", "--mount", "--net", "sh", "-c", argv, EXECUTABLE, ...more], {
          env,
        });
        const left = existsSync(`${folder}/run`) ? readdirSync(`${folder}/run`) : [];
        return { code, stderr, left: left.filter((name) => !/\.(log|lock)$/.test(name)) };
      };
      const plain = await agent("/usr/lib/openvswitch-switch/ovs-vswitchd", "/mnt");
      expect(plain).toMatchObject({ code: 1, stderr: expect.stringContaining("[container.no-dpdk]"), left: [] });
      const poor = await agent(DPDK_PROGRAM, "/sys/kernel/mm/hugepages");
      expect(poor).toMatchObject({ code: 1, stderr: expect.stringContaining("[container.no-hugepages]"), left: [] });
      const much = ["--set", "dpdk-socket-mem=1000000", "--set", "dpdk-socket-limit=0"];
      const greedy = await agent(DPDK_PROGRAM, "/mnt", ...much);
      expect(greedy).toMatchObject({ code: 1, stderr: expect.stringContaining("Requested: 1000000MB"), left: [] });
    });

    test("undoes port, socket, link and folder when a step fails, and keeps others' sockets", async () => {
      mkdirSync(`${site.folder}/short`);
      const server: Conf = {
        cniVersion: "1.1.0",
        name: "vhost",
        type: "switchyard",
        interfaceType: "dpdkvhostuser",
        socketDir: elsewhere,
        bridge: "br0",
      };
      const one = nic("0123456789ab-one");
      for (const failing of ["folder made", "port added", "socket placed"]) {
        const step = (name: string) => {
          if (name === failing) throw new Error(`no luck: ${name}`);
        };
        const { json, log } = await site.call("ADD", server, { ...one, step });
        expect(log).toEqual([]);
        expect(json.msg).toBe(`no luck: ${failing}`);
        expect([site.sw.ports().br0, readdirSync(elsewhere)]).toEqual([[], []]);
      }
      // Ids that begin alike have one folder and one name.
      expect((await site.call("ADD", server, one)).code).toBe(0);
      expect((await site.call("ADD", server, nic("0123456789ab-two"))).json.code).toBe(108);
      expect(readdirSync(`${elsewhere}/0123456789ab`)).toEqual(["0123456789ab-eth0"]);
      // net1 goes, net10 stays.
      for (const ifname of ["net1", "net10"]) await site.call("ADD", server, { ...one, ifname });
      await site.call("DEL", server, { ...one, ifname: "net1" });
      expect(readdirSync(`${elsewhere}/0123456789ab`).sort()).toEqual(["0123456789ab-eth0", "0123456789ab-net10"]);
      for (const ifname of ["eth0", "net10"]) await site.call("DEL", server, { ...one, ifname });
      expect([site.sw.ports().br0, readdirSync(elsewhere)]).toEqual([[], []]);
    });
  },
);
