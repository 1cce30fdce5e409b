import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createSocket } from "node:dgram";
import { chmodSync, readdirSync } from "node:fs";
import { connect } from "node:net";
import { run } from "@switchyard/base";
import { createLogger } from "@switchyard/base/log";
import { openVmEngine, type VmEngine } from "@switchyard/runtime";
import {
  ensureGuest,
  expectSameMachine,
  type Guest,
  type Machine,
  requires,
  snapshotMachine,
} from "@switchyard/testing";
import { type Commanded, type Store, startNodes, stopNodes } from "../src/store/mod.ts";
import { LiveYard } from "./live.ts";
import { Screen } from "./screen.ts";

const PORT = 20_000 + (process.pid % 10_000);

// A translated guest is slow, and the machine may be busy with other tests.
setDefaultTimeout(90_000);

describe.skipIf(!requires("root", "openvswitch", "qemu", "busybox", "ping", "dnsmasq", "nftables"))(
  "virtual machines",
  () => {
    const name = `tvm${process.pid}`;
    let before: Machine;
    let guest: Guest;
    let yard: LiveYard;
    let engine: VmEngine;

    beforeAll(async () => {
      before = await snapshotMachine();
      guest = await ensureGuest();
      yard = await LiveYard.create(name);
      // The server of leases reads its files as nobody.
      chmodSync(yard.folder, 0o755);
      const { state: stateDir, run: runDir } = yard.paths;
      engine = await openVmEngine({ stateDir, runDir, log: createLogger("test", "silent") });
      await run(["qemu-img", "create", "-q", "-f", "qcow2", `${yard.folder}/base.qcow2`, "16M"]);
    });
    afterAll(async () => {
      await yard[Symbol.asyncDispose]();
      await expectSameMachine(before, { ours: new RegExp(`${name}|syguest`) });
    });

    const vm = () => `${name}_vm`;
    const lab = (nics: string) => `
name: machines
networks: { lan: { cidr: 10.86.1.0/24, gateway: 10.86.1.254 }, other: { cidr: 10.86.2.0/24 } }
nodes:
  host: { kind: netns, nics: [{ network: lan, ip: 10.86.1.1/24 }, { network: other, ip: 10.86.2.1/24 }] }
  vm:
    kind: vm
    image: base.qcow2
    kernel: ${guest.kernel}
    initrd: ${guest.initrd}
    append: console=ttyS0 quiet media
    memory: 160M
    ports: ["127.0.0.1:${PORT}:5002", "127.0.0.1:${PORT}:5002/udp"]
    cloud_init: { user_data: "#!/bin/sh\\necho told > /tmp/told\\n" }
    nics: [${nics}]
`;
    const LAN = "{ network: lan, ip: 10.86.1.7/24, spy: true }";
    const LAB = () => lab(`${LAN}, default`);

    /** What a command in the guest prints, by its agent. */
    const inGuest = async (script: string) => {
      const screen = new Screen();
      const code = await engine.exec(vm(), { command: ["/bin/sh", "-c", script], tty: false }, screen);
      const text = await screen.text();
      if (code !== 0) throw new Error(`${script} ended with ${code}: ${text}`);
      return text;
    };
    const pid = async () => (await yard.status("vm"))?.pid ?? 0;

    test("come up with the addresses that the lab gives them, and are known by name", async () => {
      expect((await yard.up(LAB())).failures).toEqual([]);
      expect(await yard.plan(LAB())).toEqual([]);
      expect(await yard.status("vm")).toMatchObject({ state: "running", namespace: undefined });
      await Screen.sees(engine, vm(), "guest ready");
      expect(await yard.comesToReach("host", "10.86.1.7")).toBe(true);
      expect(await yard.comesToReach("host", "vm")).toBe(true);
      expect(await run(["ip", "-n", yard.paths.namespace, "link", "show", "s_k_2_0"])).toContain("UP");
      expect(await inGuest("hostname; ip route; cat /tmp/told")).toMatch(
        /^vm\ndefault via 10\.86\.1\.254 .*\ntold\n$/s,
      );
    });

    test("have their own lease on a nat, and its names", async () => {
      const address = await yard.until(({ nodes }) => nodes.find((node) => node.name === "vm")?.nics[1]?.addresses[0]);
      expect(await inGuest("ip -4 address show eth1")).toContain(`inet ${address} `);
      const server = (await inGuest("cat /etc/resolv.conf")).split(" ")[1]?.trim() ?? "";
      expect(await inGuest(`nslookup vm ${server}`)).toContain(String(address).split("/")[0] ?? "");
    });

    test("send and receive in bulk", async () => {
      const make = "dd if=/dev/urandom of=/tmp/file bs=1k count=2000 2>/dev/null; busybox md5sum < /tmp/file";
      // What listens ends its own half with its input, which therefore must not end.
      const listen = (port: number, folder: string) =>
        `busybox mkfifo ${folder}/open${port}; busybox nc -l -p ${port} 0<>${folder}/open${port} | busybox md5sum`;
      const send = (file: string, to: string) =>
        `for n in 1 2 3 4 5 6 7 8 9; do busybox nc -w 5 ${to} < ${file} && break; busybox usleep 100000; done`;
      const received = yard.in("host", "sh", "-c", listen(5000, yard.folder));
      const sum = await inGuest(`${make}; ${send("/tmp/file", "10.86.1.1 5000")}`);
      expect((await received).stdout).toBe(sum);
      const back = inGuest(listen(5001, "/tmp"));
      const file = `${yard.folder}/bulk`;
      const sent = await yard.in(
        "host",
        "sh",
        "-c",
        `${make.replaceAll("/tmp/file", file)}; ${send(file, "10.86.1.7 5001")}`,
      );
      expect(await back).toBe(sent.stdout);
    });

    test("publish ports, over TCP and UDP", async () => {
      const listening = "until cat /proc/net/tcp* | grep -q :138A; do usleep 10000; done";
      await inGuest(`nc -l -p 5002 -e hostname >/dev/null 2>&1 </dev/null & ${listening}`);
      let answer = "";
      for await (const chunk of connect(PORT, "127.0.0.1")) answer += String(chunk);
      expect(answer).toBe("vm\n");
      // A busybox has no server for UDP: the guest's kernel counts what has come to a port that nobody listens at.
      const come = "$(grep Udp: /proc/net/snmp | tail -n 1 | cut -d ' ' -f 3)";
      const before = Number(await inGuest(`echo ${come}`));
      const socket = createSocket("udp4");
      socket.send("a", PORT, "127.0.0.1");
      await inGuest(`until [ ${come} -gt ${before} ]; do usleep 10000; done`);
      socket.close();
    });

    test("get nics, lose them and have them moved while they run", async () => {
      const before = await pid();
      const nic = "{ network: other, name: more, mac: 02:00:00:00:86:02, ip: none }";
      expect((await yard.up(lab(`${LAN}, default, ${nic}`))).failures).toEqual([]);
      const path = await inGuest("until grep -l 02:00:00:00:86:02 /sys/class/net/*/address; do usleep 50000; done");
      const name = path.split("/")[4];
      await inGuest(`ip link set ${name} up; ip address add 10.86.2.7/24 dev ${name}`);
      expect(await yard.comesToReach("host", "10.86.2.7")).toBe(true);
      expect((await yard.up(lab(`${LAN}, default, ${nic.replace("other", "lan")}`))).failures).toEqual([]);
      expect(await yard.reaches("host", "10.86.2.7")).toBe(false);
      expect((await yard.up(LAB())).failures).toEqual([]);
      expect(await inGuest("ls /sys/class/net")).not.toContain(name ?? "");
      expect(await pid()).toBe(before);
      expect(await yard.plan(LAB())).toEqual([]);
    });

    test("outlive their agent, and are taken over by the next one", async () => {
      const before = await pid();
      process.kill(await yard.agentPid(), "SIGKILL");
      expect(await yard.reaches("host", "vm")).toBe(true);
      expect((await yard.up(LAB())).failures).toEqual([]);
      expect(await pid()).toBe(before);
      expect(await yard.plan(LAB())).toEqual([]);
    });

    test("have a tap device that somebody took away made anew, and plugged in again", async () => {
      await using _agent = await yard.agent();
      const before = await pid();
      const at = yard.logLength();
      await run(["ip", "-n", yard.paths.namespace, "link", "delete", "_k_2_0"]);
      await yard.putRight(LAB(), at);
      expect(await pid()).toBe(before);
      await inGuest("until [ -e /sys/class/net/eth0 ]; do usleep 50000; done; ip link set eth0 up");
      await inGuest("ip address add 10.86.1.7/24 dev eth0");
      expect(await yard.comesToReach("host", "vm")).toBe(true);
    });

    test("that are killed are shown as ended, by an event, and come back when they are asked for", async () => {
      await using _agent = await yard.agent();
      const state = (word: string) =>
        yard.until(({ nodes }) => nodes.find((node) => node.name === "vm")?.status.state === word);
      process.kill(await pid(), "SIGKILL");
      await state("exited");
      expect(await yard.plan(LAB())).toMatchObject([{ do: "machine-start" }]);
      expect((await yard.up(LAB())).failures).toEqual([]);
      await Screen.sees(engine, vm(), "guest ready", 0);
      expect(await yard.comesToReach("host", "vm")).toBe(true);
    });

    test("that are stopped stay off when the lab is declared again, and have their disk when they are started", async () => {
      const change = async (write: (store: Store) => Promise<Commanded>) => {
        await using store = await yard.store();
        return (await yard.settled((await write(store)).cfg)).failures;
      };
      await inGuest("echo kept | dd of=/dev/vda conv=fsync 2>/dev/null");
      expect(await change((store) => stopNodes(store, ["vm"], 10))).toEqual([]);
      expect((await yard.up(LAB())).failures).toEqual([]);
      expect(await yard.status("vm")).toMatchObject({ state: "stopped", pid: undefined, failure: undefined });
      expect(await yard.plan(LAB())).toEqual([]);
      expect((await yard.in("host", "ping", "-c1", "-W1", "10.86.1.7")).code).toBe(1);
      const { nics } = await yard.until(({ nodes }) => nodes.find((node) => node.name === "vm"));
      expect(nics.map(({ status: { state, failure } }) => [state, failure])).toEqual([
        ["down", undefined],
        ["down", undefined],
      ]);
      // What changes of its nics meanwhile is there when it comes back.
      const nic = "{ network: other, name: more, mac: 02:00:00:00:86:02, ip: none }";
      expect((await yard.up(lab(`${LAN}, default, ${nic}`))).failures).toEqual([]);
      expect((await yard.status("vm"))?.state).toBe("stopped");

      expect(await change((store) => startNodes(store, ["vm"]))).toEqual([]);
      await Screen.sees(engine, vm(), "guest ready", 0);
      expect(await yard.comesToReach("host", "vm")).toBe(true);
      expect(await inGuest("head -c 4 /dev/vda; grep -c 02:00:00:00:86:02 /sys/class/net/*/address")).toMatch(
        /^kept.*:1$/ms,
      );
    });

    test("whose definition has changed are made anew, and those that are gone leave nothing", async () => {
      const before = await pid();
      expect((await yard.up(LAB().replace("160M", "161M"))).failures).toEqual([]);
      expect(await pid()).not.toBe(before);
      expect((await yard.up("name: machines")).failures).toEqual([]);
      expect(await engine.list({})).toEqual([]);
      for (const folder of [`${yard.paths.state}/vm`, `${yard.paths.run}/vm/live`, `${yard.paths.run}/vm/sockets`])
        expect(readdirSync(folder)).toEqual([]);
      expect((await run(["ip", "-n", yard.paths.namespace, "link"])).includes("_k_")).toBe(false);
    });
  },
);
