import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { run, tryRun } from "@switchyard/base";
import { expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { yardPaths } from "@switchyard/yard/paths";
import { createSite, type Site, yardName } from "./yard.ts";

setDefaultTimeout(60_000);

const LAB = `
name: spied
networks: { lan: { cidr: 10.251.5.0/24 } }
nodes:
  a: { kind: netns, nics: [{ network: lan, ip: 10.251.5.1/24, spy: true }] }
  b: { kind: netns, nics: [{ network: lan, ip: 10.251.5.2/24 }] }
`;

describe.skipIf(!requires("root", "openvswitch", "iproute2", "ping", "tcpdump"))("bad days of a capture", () => {
  const yard = yardName();
  let before: Machine;
  let site: Site;
  const command = (...argv: readonly string[]) => site.yard(yard, argv);
  const capturing = (...argv: readonly string[]) => site.capturing(yard, argv);
  const ping = (...argv: readonly string[]) =>
    tryRun(["ip", "netns", "exec", `yard_${yard}_a`, "ping", "-qn", ...argv, "10.251.5.2"]);
  const frames = async (file: string) => {
    const { stdout, stderr, code } = await tryRun(["tcpdump", "-nr", join(site.folder, file)]);
    expect({ file, code, stderr }).toMatchObject({ code: 0, stderr: expect.not.stringContaining("truncated") });
    return stdout.trim().split("\n").length;
  };

  beforeAll(async () => {
    before = await snapshotMachine();
    site = await createSite();
    site.write("spied.yard.yaml", LAB);
    expect((await command("up")).code).toBe(0);
  });
  afterAll(async () => {
    await site[Symbol.asyncDispose]();
    await expectSameMachine(before, { ours: new RegExp(yard) });
  });

  test("the switch killed under a spy and a capture: both see frames again when it is back", async () => {
    const { child, done } = await capturing("a:0", "icmp", "-w", "restart.pcapng");
    expect((await ping("-c", "2", "-i", "0.05")).code).toBe(0);
    const { run: folder } = yardPaths(yard, site.env);
    process.kill(Number(readFileSync(join(folder, "ovs-vswitchd.pid"), "utf8")), "SIGKILL");
    // Until the first answer.
    expect((await ping("-c", "1", "-i", "0.2", "-w", "20")).code).toBe(0);
    expect((await ping("-c", "5", "-i", "0.05", "-p", "5a")).code).toBe(0);
    child.kill("SIGINT");
    expect((await done).code).toBe(0);
    const marked = await run(["tcpdump", "-nr", join(site.folder, "restart.pcapng"), "ip[48:4] = 0x5a5a5a5a"]);
    expect(marked.split("\n").filter((line) => line.includes("ICMP"))).toHaveLength(10);
    expect((await command("plan")).stdout).toBe("nothing to do\n");
  });

  test("a reader that is too slow loses frames, which are counted, there and in the file", async () => {
    const [program = "", ...args] = site.argv(yard, ["capture", "b:0", "icmp", "-B", "64k", "--json"]);
    const child = spawn(program, args, { env: site.env, cwd: site.folder, stdio: ["ignore", "pipe", "pipe"] });
    const said = text(child.stderr);
    await once(child.stderr, "data");
    // Nothing reads its output meanwhile.
    await ping("-f", "-c", "1500", "-s", "1400");
    child.kill("SIGINT");
    const chunks: Buffer[] = [];
    for await (const chunk of child.stdout) chunks.push(chunk);
    writeFileSync(join(site.folder, "slow.pcapng"), Buffer.concat(chunks));
    const { captured, received, dropped } = JSON.parse((await said).trim().split("\n").at(-1) ?? "");
    expect(dropped).toBeGreaterThan(0);
    expect(captured).toBe(await frames("slow.pcapng"));
    expect(received).toBeGreaterThanOrEqual(captured + dropped - 1);
    // isb_ifdrop: code 5, eight bytes.
    const option = Buffer.alloc(12);
    option.writeUInt16LE(5, 0);
    option.writeUInt16LE(8, 2);
    option.writeBigUInt64LE(BigInt(dropped), 4);
    expect(Buffer.concat(chunks).includes(option)).toBe(true);
  });

  test("a disk that is full ends it with a clear word, and what is on it can be read", async () => {
    const folder = join(site.folder, "small");
    mkdirSync(folder);
    await run(["mount", "-t", "tmpfs", "-o", "size=128k", "tspy", folder]);
    try {
      const { done } = await capturing("b:0", "-w", "small/full.pcapng");
      await ping("-c", "150", "-i", "0.005", "-s", "1400");
      const { code, stderr } = await done;
      expect(code).toBe(1);
      expect(stderr).toContain("there is no room left for small/full.pcapng [capture.disk-full]");
      const seen = await frames("small/full.pcapng");
      expect(seen).toBeGreaterThan(70);
      expect(statSync(join(folder, "full.pcapng")).size).toBeLessThanOrEqual(128 * 1024);
    } finally {
      await run(["umount", folder]);
    }
  });

  test("a ring keeps the last files, each whole and of its size, for as long as it was told", async () => {
    mkdirSync(join(site.folder, "ring"));
    const began = performance.now();
    const { done } = await capturing("b:0", "icmp", "-w", "ring/t.pcapng", "--ring", "3/32k", "-d", "2.5s");
    await ping("-c", "70", "-i", "0.01", "-s", "1000");
    const { stderr, code } = await done;
    expect(performance.now() - began).toBeGreaterThan(2_500);
    expect(code).toBe(0);
    expect(stderr).toContain("140 frames captured, 140 let through, 0 dropped");
    const files = readdirSync(join(site.folder, "ring")).sort();
    expect(files).toEqual(["t_00003.pcapng", "t_00004.pcapng", "t_00005.pcapng"]);
    let kept = 0;
    for (const file of files) {
      kept += await frames(`ring/${file}`);
      expect(statSync(join(site.folder, "ring", file)).size).toBeLessThanOrEqual(32 * 1024 + 200);
    }
    expect(kept).toBeGreaterThan(60);
  });

  test("the agent killed under it: the capture ends and says so, and the next agent removes what it left", async () => {
    const { done } = await capturing("b:0", "icmp", "-w", "agent.pcapng");
    await ping("-c", "2", "-i", "0.05");
    const { agent } = JSON.parse((await command("ps", "--json")).stdout);
    process.kill(agent, "SIGKILL");
    const { code, stderr } = await done;
    expect(code).toBe(1);
    expect(stderr).toContain("[agent.died]");
    expect(await frames("agent.pcapng")).toBe(4);
    expect((await command("up")).code).toBe(0);
    const links = await run(["ip", "-n", `yard_${yard}`, "-brief", "link", "show"]);
    expect(links).toContain("s_k_1_0");
    expect(links).not.toContain("s_k_2_0");
  });

  test("a nic that goes away ends its capture, which says so", async () => {
    const { done } = await capturing("b:0", "-w", "gone.pcapng");
    expect((await command("rm", "b")).code).toBe(0);
    const { code, stderr } = await done;
    expect(code).toBe(1);
    expect(stderr).toContain("the capture of b:eth0 ended by itself");
  });
});
