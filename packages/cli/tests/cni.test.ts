import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { ChildProcess } from "node:child_process";
import { existsSync, readdirSync, readlinkSync, writeFileSync } from "node:fs";
import { createConnection } from "node:net";
import { createInterface } from "node:readline";
import { run, tryRun } from "@switchyard/base";
import { expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { type CniYard, cniYard, executable, pings } from "./cni-site.ts";

setDefaultTimeout(60_000);

describe.skipIf(!requires("root", "openvswitch", "iproute2", "ping", "cni-plugins"))("the installed CNI plugin", () => {
  let before: Machine;
  let site: CniYard;
  let c1: string;
  let c2: string;
  beforeAll(async () => {
    before = await snapshotMachine();
    site = await cniYard(`tcnicli${process.pid}`);
    [c1, c2] = [site.container("a"), site.container("b")];
  });
  afterAll(async () => {
    await site[Symbol.asyncDispose]();
    await expectSameMachine(before, { ours: /tcnicli/ });
  });

  const ipam = (more: object = {}) => ({
    ipam: { type: "host-local", dataDir: `${site.folder}/ipam`, ranges: [[{ subnet: "10.78.0.0/24" }]], ...more },
  });
  const addresses = () =>
    existsSync(`${site.folder}/ipam/net`) ? readdirSync(`${site.folder}/ipam/net`).filter((it) => /^\d/.test(it)) : [];
  const ports = async () => (await site.vsctl("list-ports", "br0")).split("\n").filter((name) => name !== "");

  test("has its names in the folder, which others' programs keep theirs in", async () => {
    expect(readdirSync(site.plugins).sort()).toEqual([
      "ovs",
      "ovs-mirror-consumer",
      "ovs-mirror-producer",
      "switchyard",
      "userspace",
    ]);
    expect(readlinkSync(`${site.plugins}/ovs`)).toBe(executable);
    const folder = `${site.folder}/mixed`;
    await run(["mkdir", folder]);
    writeFileSync(`${folder}/ovs`, "#!/bin/sh\n");
    const refused = await tryRun([executable, "cni", "install", folder], { env: site.env });
    expect(refused.stderr).toContain("[cni.name-taken]");
    expect(readdirSync(folder)).toEqual(["ovs"]);
    await run([executable, "cni", "install", "--force", "--copy", folder], { env: site.env });
    expect(await run([`${folder}/ovs`], { env: { CNI_COMMAND: "VERSION" }, input: "" })).toContain('"1.1.0"');
    await run([executable, "cni", "uninstall", folder], { env: site.env });
    expect(readdirSync(folder)).toEqual([]);
  });

  test("is served by the agent, and does the same alone when that dies in the middle or is not there", async () => {
    const conf = site.conf({ vlan: 5, ...ipam() });
    // A stopped agent keeps the call waiting: it is the agent that does it.
    site.signalAgent("SIGSTOP");
    let child: ChildProcess | undefined;
    const adding = site.call("ADD", conf, { id: "one", netns: c1 }, { onStart: (it) => (child = it) });
    const waited = await Promise.race([adding.then(() => "answered"), Bun.sleep(500).then(() => "waits")]);
    expect([waited, child?.exitCode]).toEqual(["waits", null]);
    await site.killAgent();
    const added = await adding;
    expect(added).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse(added.stdout).ips).toEqual([{ address: "10.78.0.2/24", gateway: "10.78.0.1", interface: 1 }]);
    // No agent at all.
    expect((await site.call("ADD", conf, { id: "two", netns: c2 })).code).toBe(0);
    expect(await pings(c1, "10.78.0.3")).toBe(true);
    // And again with one.
    await site.startAgent();
    const check = { ...conf, prevResult: JSON.parse(added.stdout) };
    expect(await site.call("CHECK", check, { id: "one", netns: c1 })).toEqual({ code: 0, stdout: "", stderr: "" });
    for (const [id, netns] of [
      ["one", c1],
      ["two", ""],
    ] as const)
      expect(await site.call("DEL", conf, { id, netns })).toMatchObject({ code: 0 });
    expect([await ports(), addresses()]).toEqual([[], []]);
  });

  test("does the same for a daemon that asks the agent by its socket, with no process started", async () => {
    const ask = (command: string, namespaces: readonly string[]) =>
      new Promise<unknown>((resolve, reject) => {
        const socket = createConnection(`${site.env.SWITCHYARD_RUN_DIR}/${site.name}/agent.sock`);
        socket.once("error", reject);
        createInterface({ input: socket }).once("line", (line) => {
          socket.destroy();
          resolve(JSON.parse(line));
        });
        const env = {
          CNI_COMMAND: command,
          CNI_CONTAINERID: "asked",
          CNI_NETNS: c1,
          CNI_IFNAME: "eth0",
          CNI_PATH: site.plugins,
          SWITCHYARD_RUN_DIR: site.env.SWITCHYARD_RUN_DIR,
        };
        const params = { protocol: 1, type: "switchyard", env, input: JSON.stringify(site.conf()), namespaces };
        socket.write(`${JSON.stringify({ id: 1, method: "cni", params })}\n`);
      });
    const own = ["mnt", "net", "pid"].map((kind) => readlinkSync(`/proc/self/ns/${kind}`));
    expect(await ask("ADD", own)).toEqual({ id: 1, result: { exitCode: 0, output: expect.stringContaining(c1) } });
    expect(await ports()).toHaveLength(1);
    expect(await ask("DEL", ["mnt:[1]", ...own.slice(1)])).toMatchObject({ result: { elsewhere: expect.any(String) } });
    expect(await ports()).toHaveLength(1);
    expect(await ask("DEL", own)).toEqual({ id: 1, result: { exitCode: 0, output: "" } });
    expect(await ports()).toEqual([]);
    expect(await run(["nsenter", `--net=${c1}`, "ip", "-brief", "link"])).not.toContain("eth0");
  });

  test("called from another mount namespace finds what its runtime has there", async () => {
    const script = `mkdir ${site.folder}/hidden && touch ${site.folder}/hidden/ns && mount --bind ${c1} ${site.folder}/hidden/ns && exec ${site.plugins}/switchyard`;
    const env = {
      ...site.env,
      CNI_COMMAND: "ADD",
      CNI_CONTAINERID: "apart",
      CNI_NETNS: `${site.folder}/hidden/ns`,
      CNI_IFNAME: "eth0",
      CNI_PATH: "/usr/lib/cni",
    };
    const { code, stdout } = await tryRun(["unshare", "--mount", "sh", "-c", script], {
      env,
      input: JSON.stringify(site.conf()),
    });
    expect([code, JSON.parse(stdout).interfaces?.[1]?.name]).toEqual([0, "eth0"]);
    expect((await run(["nsenter", `--net=${c1}`, "ip", "-brief", "link"])).includes("eth0")).toBe(true);
    expect((await site.call("DEL", site.conf(), { id: "apart", netns: "" })).code).toBe(0);
  });

  test("undoes what a runtime has lost patience with, before it is asked about the same nic again", async () => {
    site.signalAgent("SIGSTOP");
    let child: ChildProcess | undefined;
    const adding = site.call("ADD", site.conf(ipam()), { id: "late", netns: c1 }, { onStart: (it) => (child = it) });
    await Bun.sleep(300);
    child?.kill("SIGKILL");
    await adding;
    site.signalAgent("SIGCONT");
    expect((await site.call("DEL", site.conf(ipam()), { id: "late", netns: c1 })).code).toBe(0);
    expect([await ports(), addresses()]).toEqual([[], []]);
    expect(await run(["nsenter", `--net=${c1}`, "ip", "-brief", "link"])).not.toContain("eth0");
  });

  test("is tried by yard as a runtime would, and leaves nothing", async () => {
    const file = `${site.folder}/net.conflist`;
    const { cniVersion, name, ...plugin } = { cniVersion: "1.0.0", name: "net", ...site.conf(ipam()) };
    const plugins = [
      { ...plugin, capabilities: { mac: true } },
      { type: "tuning", mtu: 1400 },
    ];
    writeFileSync(file, JSON.stringify({ cniVersion, name, plugins }));
    const argv = [executable, "cni", "try", file, c1] as const;
    const told = await run([...argv, "--capability", 'mac="02:00:00:00:00:99"'], { env: site.env });
    expect(JSON.parse(told)).toMatchObject({
      interfaces: [{}, { name: "eth0", mac: "02:00:00:00:00:99", sandbox: c1 }],
      ips: [{ address: expect.stringMatching(/^10\.78\.0\.\d+\/24$/) }],
    });
    expect([await ports(), addresses()]).toEqual([[], []]);
    const added = await run([...argv, "add"], { env: site.env });
    expect(await run(["nsenter", `--net=${c1}`, "ip", "link", "show", "eth0"])).toContain("mtu 1400");
    writeFileSync(`${site.folder}/result.json`, added);
    for (const what of ["check", "del"])
      await run([...argv, what, "--result", `${site.folder}/result.json`], { env: site.env });
    expect([await ports(), addresses()]).toEqual([[], []]);
    const failing = await tryRun([executable, "cni", "try", file, "/run/netns/none"], { env: site.env });
    expect([failing.code, failing.stderr]).toEqual([1, expect.stringContaining("[cni.plugin-failed]")]);
    writeFileSync(file, "{}");
    expect((await tryRun(argv, { env: site.env })).stderr).toContain("[cni.bad-network]");
  });

  test("two hundred calls at once over fifty containers, with the agent killed now and then, leak nothing and give no address twice", async () => {
    const conf = site.conf(ipam({ ranges: [[{ subnet: "10.78.0.0/16" }]] }));
    const nics = Array.from({ length: 50 }, (_, at) => ({ id: `c${at}`, netns: site.container(`p${at}`) }));
    const rounds = async () => {
      for (let round = 0; round < 2; round++) {
        const added = await Promise.all(nics.map((nic) => site.call("ADD", conf, nic)));
        expect(added.filter(({ code }) => code !== 0)).toEqual([]);
        expect(new Set(added.map(({ stdout }) => JSON.parse(stdout).ips[0].address)).size).toBe(50);
        expect(await ports()).toHaveLength(50);
        const removed = await Promise.all(nics.map((nic) => site.call("DEL", conf, nic)));
        expect(removed.filter(({ code }) => code !== 0)).toEqual([]);
      }
    };
    let busy = true;
    const done = rounds().finally(() => {
      busy = false;
    });
    const killing = (async () => {
      while (busy) {
        await Bun.sleep(700);
        await site.killAgent();
        await site.startAgent();
      }
    })();
    await done;
    await killing;
    expect([await ports(), addresses()]).toEqual([[], []]);
    const links = await run(["ip", "-n", `yard_${site.name}`, "-brief", "link"]);
    expect(links).not.toContain("cni");
  });
});
