import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { spawn } from "node:child_process";
import { readFileSync, statSync, watch } from "node:fs";
import { join } from "node:path";
import { run, tryRun } from "@switchyard/base";
import { expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { createSite, type Site, yardName } from "./yard.ts";

setDefaultTimeout(60_000);

const LAB = `
name: spied
networks: { lan: { cidr: 10.251.7.0/24 }, spare: {} }
nodes:
  a: { kind: netns, nics: [{ network: lan, ip: 10.251.7.1/24, spy: true }] }
  b: { kind: netns, nics: [{ network: lan, ip: 10.251.7.2/24 }] }
  tagged: { kind: netns, nics: [{ network: spare, ip: 10.251.8.1/24, vlan: 5 }] }
  trunk: { kind: netns, nics: [{ network: spare, trunks: [5, 6] }] }
  left: { kind: netns, nics: [{ name: wire0, ip: 10.251.9.1/24 }] }
  right: { kind: netns, nics: [{ name: wire0, ip: 10.251.9.2/24 }] }
links: [{ endpoints: ["left:wire0", "right:wire0"] }]
`;

/** Each of its nics is on a network of another type; the first is slowed down, and so on a bridge of its own. */
const TYPES = `
name: types
networks:
  slow: { cidr: 10.251.10.0/24 }
  theirs: { type: bridge, bridge: br0 }
  tagged: { type: vlan, id: 7, master: slow, cidr: 10.251.12.0/24 }
  out: { type: nat, cidr: 10.251.13.0/24 }
nodes:
  c:
    kind: netns
    nics:
      - { network: slow, ip: 10.251.10.1/24, impair: { delay: 1ms } }
      - { network: theirs, ip: 10.251.11.1/24 }
      - { network: tagged, ip: 10.251.12.1/24 }
      - { network: out, ip: 10.251.13.10/24 }
  d:
    kind: netns
    nics:
      - { network: slow, ip: 10.251.10.2/24 }
      - { network: theirs, ip: 10.251.11.2/24 }
      - { network: tagged, ip: 10.251.12.2/24 }
      - { network: out, ip: 10.251.13.11/24 }
`;

describe.skipIf(!requires("root", "openvswitch", "iproute2", "ping", "tcpdump"))("a spied lab", () => {
  const yard = yardName();
  let before: Machine;
  let site: Site;
  const command = (...argv: readonly string[]) => site.yard(yard, argv);
  const capturing = (...argv: readonly string[]) => site.capturing(yard, argv);
  const links = async () => {
    const told = JSON.parse(await run(["ip", "-n", `yard_${yard}`, "-json", "link", "show"]));
    return told
      .map(({ ifname }: { readonly ifname: string }) => ifname)
      .filter((name: string) => name.startsWith("s_"));
  };
  const ping = (node: string, address: string, count = 3) =>
    run(["ip", "netns", "exec", `yard_${yard}_${node}`, "ping", "-qn", "-i", "0.02", "-c", String(count), address]);
  const decoded = async (file: string, ...argv: readonly string[]) => {
    const { stdout } = await tryRun(["tcpdump", "-nr", join(site.folder, file), ...argv]);
    return stdout.trim().split("\n");
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

  test("a nic has its spy from birth, in the yard's namespace, that anyone can read, and loses it when told", async () => {
    expect(await links()).toEqual(["s_k_1_0"]);
    const [a] = JSON.parse((await command("inspect", "a", "--json")).stdout);
    expect(a.nics[0]).toMatchObject({ port: "_k_1_0", spy: "s_k_1_0" });
    expect((await command("spy", "a:0", "off")).stdout).toMatch(/^nic a:eth0 no longer spied on/);
    expect(await links()).toEqual([]);
    expect((await command("spy", "a:eth0", "on")).stdout).toMatch(/^nic a:eth0 spied on: s_k_1_0/);
    expect((await command("spy", "a:eth0", "on")).stdout).toMatch(/^nothing to do/);
    expect(await links()).toEqual(["s_k_1_0"]);
    expect((await command("plan")).stdout).toBe("nothing to do\n");
  });

  test("a capture has every frame in both directions once, and makes its spy and removes it", async () => {
    const { done, child } = await capturing("b:0", "icmp", "-w", "both.pcapng");
    expect(await links()).toEqual(["s_k_1_0", "s_k_2_0"]);
    await ping("a", "10.251.7.2", 20);
    await ping("b", "10.251.7.1", 20);
    await untilGone("s_k_2_0", async () => {
      child.kill("SIGINT");
      expect(await done).toMatchObject({ code: 0, stdout: "" });
    });
    expect((await done).stderr).toContain("80 frames captured, 80 let through, 0 dropped");
    const seen = (await decoded("both.pcapng")).map((line) => line.replace(/^\S+ /, ""));
    expect(seen).toHaveLength(80);
    expect(new Set(seen).size).toBe(80);
    expect(await links()).toEqual(["s_k_1_0"]);
  });

  test("frames bear the tags that they have at that very nic, on an access port, a trunk and a wire", async () => {
    const tagged = await capturing("tagged:0", "-c", "2", "-w", "tagged.pcapng", "arp");
    const trunk = await capturing("trunk:0", "-c", "1", "-w", "trunk.pcapng", "vlan 5 and arp");
    const wire = await capturing("left:wire0", "-c", "2", "-w", "wire.pcapng", "icmp");
    await ping("left", "10.251.9.2", 1);
    // Nobody answers; the questions are what is seen.
    await tryRun(["ip", "netns", "exec", `yard_${yard}_tagged`, "ping", "-qn", "-c", "2", "-W", "1", "10.251.8.9"]);
    for (const { done } of [tagged, trunk, wire]) expect((await done).code).toBe(0);
    expect((await decoded("tagged.pcapng", "-e"))[0]).toMatch(/ethertype ARP .*who-has 10\.251\.8\.9/);
    expect((await decoded("trunk.pcapng", "-e"))[0]).toMatch(/vlan 5.*who-has 10\.251\.8\.9/);
    expect((await decoded("wire.pcapng", "-e"))[0]).toMatch(/> 10\.251\.9\.2: ICMP echo request/);
  });

  test("nics on all types of networks can be captured from, impaired ones too", async () => {
    expect((await command("ovs", "bridge-add", "br0")).code).toBe(0);
    expect((await command("up", site.write("types.yard.yaml", TYPES))).code).toBe(0);
    const captures = await Promise.all(
      [0, 1, 2, 3].map((n) => capturing(`c:${n}`, "icmp", "-c", "4", "-w", `c${n}.pcapng`)),
    );
    for (const address of ["10.251.10.2", "10.251.11.2", "10.251.12.2", "10.251.13.11"]) await ping("c", address, 2);
    for (const { done } of captures) expect((await done).code).toBe(0);
    for (const [n, subnet] of [10, 11, 12, 13].entries()) {
      const seen = await decoded(`c${n}.pcapng`, "-e");
      expect(seen).toHaveLength(4);
      for (const line of seen) expect(line).toMatch(new RegExp(`ethertype IPv4 .*> 10\\.251\\.${subnet}\\.`));
    }
    expect((await command("down", "types.yard.yaml")).code).toBe(0);
  });

  test("several read at once; the spy goes with the last, also when all are killed", async () => {
    const first = await capturing("b:0", "icmp", "-c", "2", "-w", "first.pcapng");
    const second = await capturing("b:eth0", "icmp", "-w", "second.pcapng");
    const third = await capturing("b:eth0", "-w", "third.pcapng");
    await ping("a", "10.251.7.2", 1);
    expect((await first.done).code).toBe(0);
    expect(await links()).toEqual(["s_k_1_0", "s_k_2_0"]);
    const size = await written("second.pcapng", 0);
    await ping("a", "10.251.7.2", 1);
    await written("second.pcapng", size);
    await untilGone("s_k_2_0", async () => {
      second.child.kill("SIGKILL");
      third.child.kill("SIGKILL");
      await Promise.all([second.done, third.done]);
    });
    expect(await links()).toEqual(["s_k_1_0"]);
    // What the killed one has written can be read.
    expect((await decoded("first.pcapng")).length).toBe(2);
    expect((await decoded("second.pcapng")).length).toBeGreaterThan(0);
  });

  test("a reader that leaves a pipe ends the capture, though no frame comes by", async () => {
    const words = site.argv(yard, ["capture", "b:0", "udp port 9"]).map((word) => `'${word}'`);
    await untilGone("s_k_2_0", async () => {
      // It takes the beginning, which comes at once, and goes.
      const piped = await tryRun(["sh", "-c", `${words.join(" ")} | head -c 4 | wc -c`], { env: site.env });
      expect(piped).toMatchObject({ code: 0, stdout: "4\n" });
    });
    expect(await links()).toEqual(["s_k_1_0"]);
  });

  test("what cannot be is refused before anything is touched", async () => {
    const wrong = await command("capture", "b:0", "tcp", "prot", "80", "-w", "none.pcapng");
    expect(wrong).toMatchObject({ code: 1, stdout: "" });
    expect(wrong.stderr).toContain('"tcp prot 80" is no filter: syntax error [capture.bad-filter]');
    expect(() => statSync(join(site.folder, "none.pcapng"))).toThrow("ENOENT");
    expect((await command("capture", "b:7", "-w", "none.pcapng")).stderr).toContain("[nic.unknown]");
    expect(await command("capture", "b:0", "--ring", "3/1M")).toMatchObject({ code: 2 });
    expect(await links()).toEqual(["s_k_1_0"]);
  });

  test("the counts come as JSON, and the file names the nic", async () => {
    const { done } = await capturing("b:0", "icmp", "-c", "2", "--json");
    await ping("a", "10.251.7.2", 1);
    const { stderr, code } = await done;
    expect(code).toBe(0);
    expect(JSON.parse(stderr.trim().split("\n").at(-1) ?? "")).toMatchObject({
      nic: "b:eth0",
      captured: 2,
      dropped: 0,
    });
    expect(readFileSync(join(site.folder, "both.pcapng")).includes("b:eth0")).toBe(true);
  });

  /** The size of a file once it has grown beyond `size`. */
  async function written(name: string, size: number): Promise<number> {
    const file = join(site.folder, name);
    await new Promise<void>((resolve) => {
      const watcher = watch(file, () => look());
      const look = () => {
        if (statSync(file).size <= size) return;
        watcher.close();
        resolve();
      };
      look();
    });
    return statSync(file).size;
  }

  /** Does something that has a link removed in its course, and waits for that. */
  async function untilGone(name: string, cause: () => Promise<void>): Promise<void> {
    const monitor = spawn("ip", ["-n", `yard_${yard}`, "monitor", "link"], { stdio: ["ignore", "pipe", "inherit"] });
    const gone = new Promise<void>((resolve) => {
      let said = "";
      monitor.stdout.on("data", (text) => {
        said += String(text);
        if (new RegExp(`Deleted .*${name}`).test(said)) resolve();
      });
    });
    await cause();
    // It may be gone since before the monitor could listen; by now it does.
    if ((await links()).includes(name)) await gone;
    monitor.kill();
  }
});
