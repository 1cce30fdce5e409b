import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { run, tryRun } from "@switchyard/base";
import { startTime, watchExit } from "@switchyard/linux";
import { expectSameMachine, type Machine, patience, requires, snapshotMachine } from "@switchyard/testing";
import { stopYard } from "../src/agent/mod.ts";
import { LiveYard } from "./live.ts";
import { expectBulkTo } from "./tcp.ts";

setDefaultTimeout(patience(60_000));

const NAME = `tphy${process.pid}`;
const ours = { ours: new RegExp(NAME) };
/** A NIC of the host, and the namespace that its cable leads to. */
const NIC = `tphy${process.pid % 100_000}`;
const WORLD = `${NAME}-world`;
const MAC = "02:00:5e:00:00:77";

const lab = (mode: string, more = "") => `
name: phy
networks: { lan: { cidr: 10.99.0.0/24 } }
nodes:
  a: { kind: netns, nics: [ { network: lan, ip: 10.99.0.1/24 } ] }
  out: { kind: phy, parent: ${NIC}, mode: ${mode}, nics: [ { network: lan } ] }
${more}`;
const SECOND = "  b: { kind: netns, nics: [ { network: lan, ip: 10.99.0.2/24 } ] }\n";

describe.skipIf(!requires("root", "openvswitch", "iperf3", "ping", "tcpdump", "iproute2"))("a phy", () => {
  let before: Machine;
  let yard: LiveYard;
  let kernelName = "";

  beforeAll(async () => {
    before = await snapshotMachine();
    await run(["ip", "netns", "add", WORLD]);
    const peer = ["peer", "name", "eth0", "netns", WORLD];
    await run(["ip", "link", "add", NIC, "address", MAC, "mtu", "1600", "type", "veth", ...peer]);
    await run(["ip", "link", "set", NIC, "up", "alias", "to the world"]);
    await run(["ip", "-n", WORLD, "link", "set", "eth0", "up"]);
    await run(["ip", "-n", WORLD, "address", "add", "10.99.0.9/24", "dev", "eth0"]);
    yard = await LiveYard.create(NAME);
    kernelName = "_k_2_0";
  });
  afterAll(async () => {
    await yard[Symbol.asyncDispose]();
    await tryRun(["ip", "link", "delete", NIC]);
    await run(["ip", "netns", "delete", WORLD]);
    await expectSameMachine(before, ours);
  });

  /** That the NIC is on the host again as it was. */
  async function expectReturned(underMacvlan = false): Promise<void> {
    const [link] = JSON.parse(await run(["ip", "-j", "-d", "link", "show", NIC]));
    expect(link).toMatchObject({ address: MAC, mtu: 1600, ifalias: "to the world" });
    expect(link.flags).toContain("UP");
    // A macvlan that is a port has its parent take all frames.
    if (!underMacvlan) expect(link.promiscuity).toBe(0);
  }

  async function killAgent(): Promise<void> {
    const agent = await yard.agentPid();
    const ended = Promise.withResolvers<void>();
    using _watch = watchExit({ pid: agent, startTime: startTime(agent) ?? 0n }, ended.resolve);
    process.kill(agent, "SIGKILL");
    await ended.promise;
  }

  test("takes a NIC of the host's for a port of a network, so that its nodes reach what is behind it", async () => {
    expect((await yard.up(lab("absorb", SECOND))).failures).toEqual([]);
    expect(await yard.comesToReach("a", "10.99.0.9")).toBe(true);
    expect(await yard.comesToReach("b", "10.99.0.9")).toBe(true);
    await expectBulkTo(yard, "a", WORLD, "10.99.0.9");
    expect((await tryRun(["ip", "link", "show", NIC])).code).not.toBe(0);
    const { rows } = await yard.until((found) => found.nodes.length > 0 && { rows: found });
    const out = rows.nodes.find(({ name }) => name === "out");
    expect(out?.status.state).toBe("running");
    expect(out?.nics[0]?.status).toMatchObject({ state: "up", port: kernelName, mac: MAC });
    expect(await yard.plan(lab("absorb", SECOND))).toEqual([]);
  });

  test("can be spied on and impaired as any other port", async () => {
    const spied = lab("absorb").replace("{ network: lan } ]", "{ network: lan, spy: true, impair: { delay: 20ms } } ]");
    expect((await yard.up(spied)).failures).toEqual([]);
    expect(await yard.comesToReach("a", "10.99.0.9")).toBe(true);
    const argv = ["netns", "exec", yard.paths.namespace, "tcpdump", "-lni", `s${kernelName}`, "-c", "2", "icmp"];
    const tcpdump = spawn("ip", argv, { stdio: ["ignore", "pipe", "pipe"] });
    const ended = once(tcpdump, "exit");
    await once(tcpdump.stderr, "data");
    const { stdout } = await yard.in("a", "ping", "-c", "1", "-W", "2", "10.99.0.9");
    expect(Number(/= ([\d.]+)\//.exec(stdout)?.[1])).toBeGreaterThanOrEqual(40);
    expect((await ended)[0]).toBe(0);
    expect((await yard.up(lab("absorb"))).failures).toEqual([]);
    expect(await yard.comesToReach("a", "10.99.0.9")).toBe(true);
  });

  test("goes on when agent and switch were killed, and when somebody gave it back to the host by hand", async () => {
    await killAgent();
    process.kill(yard.pid("ovs-vswitchd"), "SIGKILL");
    // As the kernel does with a NIC whose namespace dies; a veth it would destroy.
    await run(["ip", "-n", yard.paths.namespace, "link", "set", kernelName, "netns", "1"]);
    expect((await yard.up(lab("absorb"))).failures).toEqual([]);
    expect(await yard.comesToReach("a", "10.99.0.9")).toBe(true);
    expect((await tryRun(["ip", "link", "show", NIC])).code).not.toBe(0);
  });

  test("comes back with its name, MAC, MTU, alias and state when the node goes, or becomes a macvlan on it", async () => {
    expect((await yard.up(lab("macvlan"))).failures).toEqual([]);
    await expectReturned(true);
    expect(await yard.comesToReach("a", "10.99.0.9")).toBe(true);
    await expectBulkTo(yard, "a", WORLD, "10.99.0.9");
    const { failures } = await yard.up(lab("macvlan", SECOND));
    expect(failures.map(({ code }) => code)).toEqual(["phy.many-macs"]);
    expect((await yard.up(lab("absorb"))).failures).toEqual([]);
    expect((await yard.up("name: phy\nnodes: {}\n")).failures).toEqual([]);
    await expectReturned();
  });

  test("comes back after everything of the yard was killed, by down alone", async () => {
    expect((await yard.up(lab("absorb"))).failures).toEqual([]);
    expect((await tryRun(["ip", "link", "show", NIC])).code).not.toBe(0);
    await killAgent();
    for (const program of ["ovs-vswitchd", "ovsdb-server"] as const) process.kill(yard.pid(program), "SIGKILL");
    await stopYard(NAME);
    await expectReturned();
  });

  test("tells which NIC the host has not, or needs itself", async () => {
    const absent = await yard.up(lab("absorb").replace(`parent: ${NIC}`, "parent: nosuch0"));
    expect(absent.failures.map(({ code }) => code)).toEqual(["nic.parent-absent"]);
    await run(["ip", "address", "add", "10.99.7.1/24", "dev", NIC]);
    const used = await yard.up(lab("absorb"));
    expect(used.failures.map(({ code }) => code)).toEqual(["nic.parent-in-use"]);
    await run(["ip", "address", "delete", "10.99.7.1/24", "dev", NIC]);
  });
});
