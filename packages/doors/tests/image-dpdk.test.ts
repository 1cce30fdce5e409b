import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync } from "node:fs";
import { run, tryRun } from "@switchyard/base";
import { expectSameMachine, type Machine, requires, sitDown, snapshotMachine } from "@switchyard/testing";
import { type DpdkContainers, dpdkContainers, prepareBase } from "./dpdk-containers.ts";
import { caughtUp } from "./switch.ts";

setDefaultTimeout(90_000);

/** By which an agent says that it has attached the nic. */
const APPLIED = "/var/lib/cni/usrspcni/data/applied-eth0.json";

describe.skipIf(!requires("root", "openvswitch", "docker-engine", "debootstrap", "iproute2", "cni-plugins", "dpdk"))(
  "the image of images/ovs-dpdk",
  () => {
    let before: Machine;
    let site: DpdkContainers;
    beforeAll(async () => {
      await prepareBase();
      before = await snapshotMachine();
      site = await dpdkContainers();
      const ranges = [[{ subnet: "10.83.0.0/24", rangeStart: "10.83.0.10" }]];
      site.network("10-vhost", { ipam: { type: "host-local", dataDir: `${site.folder}/ipam`, ranges } });
    }, 500_000);
    afterAll(async () => {
      await site?.[Symbol.asyncDispose]();
      await expectSameMachine(before, { ours: /tdoors[_-]|sydocker|hugepages/ });
    }, 60_000);

    const sit = (name: string, ...rights: readonly string[]) =>
      sitDown(site.script(["-it", ...rights, "--name", name]), site.env, site.folder);
    /** A shell's command in a container. */
    const sh = (name: string, command: string) => site.docker("exec", name, "sh", "-c", command);

    /** testpmd on a port of its own of the container's switch, for five seconds. @returns how many packets it received */
    async function testpmd(name: string, mac: string, worker: 0 | 1, ...options: readonly string[]): Promise<number> {
      const socket = "/run/testpmd.sock";
      await sh(
        name,
        `ovs-vsctl add-port br0 testpmd -- set Interface testpmd type=dpdkvhostuserclient options:vhost-server-path=${socket}`,
      );
      const eal = [
        ...["--lcores", `0@${1 - worker},1@${worker}`, "--no-pci", "--in-memory", "--single-file-segments"],
        ...["--vdev", `net_virtio_user0,path=${socket},server=1,mac=${mac}`],
      ];
      const own = ["--total-num-mbufs=8192", "--stats-period=1", "--auto-start", ...options];
      const argv = ["timeout", "--signal=INT", "5", "dpdk-testpmd", ...eal, "--", ...own];
      const { stdout } = await tryRun(["docker", "exec", name, ...argv], { env: site.env, timeout: 30_000 });
      return Number([...stdout.matchAll(/RX-packets: (\d+)/g)].at(-1)?.[1]);
    }

    test("takes two containers from a network's file to traffic, through a switch in each and the host's", async () => {
      await using one = sit("one", "--privileged");
      // As much as is needed.
      await using two = sit("two", "--cap-add", "NET_ADMIN", "--cap-add", "SYS_NICE", "--device", "/dev/net/tun");
      await Promise.all([one.sees(":/# ", 40_000), two.sees(":/# ", 40_000)]);
      const [, address = ""] = /inet (10\.83\.0\.\d+)\/24/.exec(await sh("two", "ip address show br0")) ?? [];
      one.type(`ping -c 4 -i 0.2 ${address} && echo answ''ered\n`);
      await one.sees("answered");
      // And TCP, of which switches may have left more undone than of a ping.
      await site.docker("exec", "--detach", "two", "python3", "-m", "http.server", "--directory", "/usr/bin", "80");
      const fetch = `python3 -c 'import urllib.request as r; print(len(r.urlopen("http://${address}/dpdk-testpmd").read()))'`;
      const fetched = await sh("one", `until ${fetch} 2>/dev/null; do sleep 0.1; done`);
      expect(fetched).toBe(await sh("one", "stat -c %s /usr/bin/dpdk-testpmd"));
      expect(JSON.parse(await sh("one", `cat ${APPLIED}`))).toMatchObject({
        ifName: "eth0",
      });
      const devices = await site.docker("inspect", "--format", "{{json .HostConfig.Devices}}", "one");
      expect(devices).toContain('"PathOnHost":"/dev/hugepages"');
      expect(await sh("one", "stat -f -c %T /dev/hugepages")).toContain("hugetlbfs");

      // What one sends the other sends back: its address is learnt on the way by all three switches.
      const [, received] = await Promise.all([
        testpmd("one", "02:00:00:00:83:0a", 0, "--forward-mode=txonly", "--eth-peer=0,02:00:00:00:83:0b"),
        testpmd("two", "02:00:00:00:83:0b", 1, "--forward-mode=macswap"),
      ]);

      expect(received).toBeGreaterThan(1_000);

      // The host's switch finds its sockets again.
      await site.restartSwitch();
      one.type(`until ping -c 1 -W 1 ${address}; do true; done; echo still th''ere\n`);
      await one.sees("still there");

      // One in a container that was killed is started again, with its ports.
      await sh("one", "kill -KILL $(cat /run/openvswitch/ovs-vswitchd.pid)");
      one.type(`until ping -c 1 -W 1 ${address}; do true; done; echo a''gain\n`);
      await one.sees("again");

      // And it ends with the agent, though one before has started it, which was killed.
      await sh("one", "kill -KILL $(pgrep -x usrsp-app)");
      await site.docker("exec", "--detach", "one", "usrsp-app", "--set", "pmd-cpu-mask=0x2");
      await sh("one", `rm ${APPLIED}; until [ -e ${APPLIED} ]; do sleep 0.1; done`);
      await sh("one", "pid=$(pgrep -x usrsp-app) && kill -TERM $pid && tail --pid=$pid -f /dev/null");
      expect(await sh("one", "ls /run/openvswitch /var/lib/cni/usrspcni/data; pgrep -l ovs || true")).not.toMatch(
        /\.pid|\.sock|\.db|applied|^\d+ ovs/m,
      );

      one.type("exit 3\n");
      expect(await one.ended).toBe(3);
      expect((await site.docker("ps", "--all", "--format", "{{.Names}}")).split("\n")).not.toContain("one");
      expect(site.sw.ports().br0).toHaveLength(1);
      process.kill(two.pid, "SIGTERM");
      expect(await two.ended).toBe(143);
      await expectNothingLeft();
    });

    test("needs no terminal, and leaves nothing when a network cannot be had", async () => {
      const words = ["--privileged", "--detach", "--name", "three"];
      const detached = await tryRun(site.script(words, "ping", "-c", "1", "127.0.0.1"), { env: site.env });
      expect([detached.code, detached.stderr]).toEqual([0, ""]);
      await expectNothingLeft();
      site.network("20-bad", { host: { engine: "vpp" } });
      const { code, stderr } = await tryRun(site.script(words), { env: site.env });
      expect(code).toBe(1);
      expect(stderr).toContain("vpp is not served");
      await expectNothingLeft();
    });

    async function expectNothingLeft(): Promise<void> {
      expect(await site.docker("ps", "--all", "--quiet")).toBe("");
      await caughtUp(site.sw.db);
      expect(site.sw.ports().br0).toEqual([]);
      expect(await run(["find", `${site.folder}/shared`, "-mindepth", "1"])).toBe("");
      expect(await run(["find", `${site.folder}/ipam`, "-name", "10.83.*"])).toBe("");
      expect(readdirSync(site.folder).filter((name) => /^[0-9a-f]{64}$/.test(name))).toEqual([]);
    }
  },
);
