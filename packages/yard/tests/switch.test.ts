import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { run, tryRun } from "@switchyard/base";
import { expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { LiveYard } from "./live.ts";

setDefaultTimeout(90_000);

const LAB = `
name: days
networks: { lan: {}, gated: { cidr: 10.81.2.0/24, gateway: 10.81.2.254 } }
nodes:
  a: { kind: netns, nics: [ { network: lan, ip: 10.81.1.1/24 }, { network: lan, ip: 10.81.3.1/24, vlan: 7 } ] }
  b: { kind: netns, nics: [ { network: lan, ip: 10.81.1.2/24 }, { network: lan, ip: 10.81.3.2/24, vlan: 7 } ] }
  c: { kind: netns, nics: [ { network: gated, ip: 10.81.2.1/24 }, { network: lan, ip: 10.81.3.3/24, vlan: 8 } ] }
links: [ { endpoints: ["a:wire", "b:wire"] } ]
`;
const more = LAB.replace("links:", "  d: { kind: netns, count: 2, nics: [gated] }\nlinks:");

const NAME = `tswitch${process.pid}`;
const ours = { ours: new RegExp(NAME) };

describe.skipIf(!requires("root", "openvswitch", "ping"))("a switch that has a bad day", () => {
  let before: Machine;
  let yard: LiveYard;

  beforeAll(async () => {
    before = await snapshotMachine();
    yard = await LiveYard.create(NAME, { before: ["env", "SWITCHYARD_SWITCH_PATIENCE=5"] });
    expect((await yard.up(LAB)).failures).toEqual([]);
    await yard.in("a", "ip", "address", "add", "10.81.9.1/24", "dev", "wire");
    await yard.in("b", "ip", "address", "add", "10.81.9.2/24", "dev", "wire");
  });
  afterAll(async () => {
    await yard[Symbol.asyncDispose]();
    await expectSameMachine(before, ours);
  });

  async function trafficFlows() {
    expect(await yard.comesToReach("a", "10.81.1.2")).toBe(true);
    expect(await yard.comesToReach("a", "10.81.3.2")).toBe(true);
    expect(await yard.comesToReach("a", "10.81.9.2")).toBe(true);
    expect(await yard.comesToReach("c", "10.81.2.254")).toBe(true);
    expect(await yard.reaches("a", "10.81.3.3")).toBe(false);
  }

  test("killed while idle is started again: lans, vlans, wires and gateways carry traffic as before", async () => {
    await trafficFlows();
    const identity = await yard.identity("a");
    await yard.killed("ovs-vswitchd");
    await trafficFlows();
    expect(await yard.identity("a")).toBe(identity);
    expect((await yard.up(LAB)).failures).toEqual([]);
    expect(await yard.plan(LAB)).toEqual([]);
  });

  test("killed as `up` asks it for ports is started again, and `up` succeeds", async () => {
    const begun = yard.logged('"phase":"switch"', yard.logLength());
    const cfg = await yard.declare(more);
    await begun;
    await yard.killed("ovs-vswitchd");
    expect((await yard.settled(cfg)).failures).toEqual([]);
    expect(await yard.comesToReach("d-1", "d-2")).toBe(true);
    expect(await yard.plan(more)).toEqual([]);
    await trafficFlows();
    expect((await yard.up(LAB)).failures).toEqual([]);
  });

  test("that hangs makes `up` fail within its time, and is waited for; once it goes on all is as declared", async () => {
    const pid = yard.pid("ovs-vswitchd");
    process.kill(pid, "SIGSTOP");
    try {
      const { failures } = await yard.up(more);
      expect(new Set(failures.map(({ code }) => code))).toEqual(new Set(["switch.not-answering"]));
      expect(failures.map(({ subject }) => subject)).toContainEqual({ kind: "nic", node: "d-1", nic: "eth0" });
      // Looking again does not make it better: the database has the ports, the switch has not.
      const own = await yard.until(({ nodes }) => nodes.find(({ name }) => name === "d-1"));
      expect(own.nics[0]?.status.state).toBe("failed");
    } finally {
      process.kill(pid, "SIGCONT");
    }
    await yard.until(({ nodes }) => nodes.every(({ nics }) => nics.every(({ status }) => status.state === "up")));
    expect(await yard.comesToReach("d-1", "d-2")).toBe(true);
    expect((await yard.up(more)).failures).toEqual([]);
    expect(yard.pid("ovs-vswitchd")).toBe(pid);
    await trafficFlows();
  });

  test("whose port lost its device by somebody's hand gets both anew", async () => {
    const port = (await yard.until(({ nodes }) => nodes.find(({ name }) => name === "d-2")))?.nics[0]?.status.port;
    await run(["ip", "-n", yard.paths.namespace, "link", "delete", port ?? ""]);
    expect(await yard.comesToReach("d-1", "d-2")).toBe(true);
    expect((await yard.up(more)).failures).toEqual([]);
    expect(await yard.plan(more)).toEqual([]);
  });
});

describe.skipIf(!requires("root", "openvswitch"))("a host without ovs-vswitchd", () => {
  test("says what to install, and has no half of a yard on it", async () => {
    const before = await snapshotMachine();
    const name = `${NAME}-none`;
    {
      const hidden = 'mount --bind /dev/null "$0" && exec "$@"';
      await using yard = await LiveYard.create(name, {
        before: ["unshare", "--mount", "sh", "-c", hidden, await realPath("ovs-vswitchd")],
      });
      await expect(yard.up(LAB)).rejects.toMatchObject({
        code: "switch.not-installed",
        message: expect.stringContaining("ovs-vswitchd"),
        hint: expect.stringContaining("apt-get install openvswitch-switch"),
      });
      await expectSameMachine(before, { ours: new RegExp(`${name}(?!.lock)`) });
    }
    await expectSameMachine(before, { ours: new RegExp(name) });
  });
});

async function realPath(program: string): Promise<string> {
  const { stdout } = await tryRun(["sh", "-c", 'readlink -f "$(command -v "$0")"', program]);
  return stdout.trim();
}
