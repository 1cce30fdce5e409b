import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import { run } from "@switchyard/base";
import { endProcess, identify } from "@switchyard/linux";
import { expectSameMachine, type Machine, requires, snapshotMachine, startDockerEngine } from "@switchyard/testing";
import { stopYard } from "../src/agent/mod.ts";
import { gatewayDevice, gatewayMac } from "../src/agent/names.ts";
import { HostSwitch, hostSwitchFree, hostSwitchTurn, TURN_LIMIT } from "./host-switch.ts";
import { LiveYard } from "./live.ts";
import { expectBulkBetween, expectBulkWithHost, leavesOffloads } from "./tcp.ts";

setDefaultTimeout(120_000);

const LAB = `
name: sys
networks:
  lan01: { cidr: 10.78.1.0/24, gateway: 10.78.1.254 }
nodes:
  a: { kind: netns, nics: [ { network: lan01, ip: 10.78.1.1/24 } ] }
  b: { kind: netns, nics: [ { network: lan01, ip: 10.78.1.2/24 } ] }
  c: { kind: container, runtime: oci, image: busybox, command: [httpd, -f, -h, /], nics: [ { network: lan01, ip: 10.78.1.3/24 } ],
       exec: ["dd if=/dev/zero of=/body bs=1M count=1"] }
links: [ { endpoints: ["a:eth1", "b:eth1"] } ]
`;

/** What a system yard makes in the host's own namespaces. */
const OURS = new RegExp(`yard_system|run/system|^_[kgbw]_|^_probe$|^${gatewayDevice("system", "lan01")}$|tsys`);

const able = requires("root", "openvswitch", "runc", "iperf3", "busybox", "iproute2") && hostSwitchFree();

describe.skipIf(!able)("a system yard", () => {
  let turn: Disposable | undefined;
  beforeAll(async () => {
    turn = await hostSwitchTurn();
  }, TURN_LIMIT);
  afterAll(() => turn?.[Symbol.dispose]());

  for (const tso of [false, true])
    describe(`on a switch that has userspace TSO ${tso ? "on" : "off"}`, () => {
      let before: Machine;
      let host: HostSwitch;
      let found: Awaited<ReturnType<HostSwitch["look"]>>;
      let yard: LiveYard;
      beforeAll(async () => {
        before = await snapshotMachine();
        host = await HostSwitch.start(tso);
        found = await host.look();
        yard = await LiveYard.create("system");
        expect((await yard.up(LAB)).failures).toEqual([]);
      });
      afterAll(async () => {
        await yard[Symbol.asyncDispose]();
        await host[Symbol.asyncDispose]();
        await expectSameMachine(before, { ours: OURS });
      });

      test("passes TCP both ways between nodes, a container and the host", async () => {
        const state = tso ? "on" : "off";
        for (const [node, nic] of [
          ["a", "eth0"],
          ["b", "eth1"],
          ["c", "eth0"],
        ] as const)
          expect([node, ...(await leavesOffloads(yard, node, nic))]).toEqual([node, state, state]);
        await expectBulkBetween(yard, "a", "b", "10.78.1.2");
        await expectBulkBetween(yard, "a", "c", "10.78.1.3");
        await expectBulkWithHost(yard, "c", "10.78.1.3", "10.78.1.254");
        expect(await yard.plan(LAB)).toEqual([]);
      });

      if (tso)
        test("has the host answer a node from the gateway alone, not from the switch's end of its nic", async () => {
          // Whoever answers last would be believed; `-b` of arping tells each of them.
          expect(await yard.reaches("a", "10.78.1.254")).toBe(true);
          const arping = ["busybox", "arping", "-b", "-c", "2", "-w", "3", "-I", "eth0", "10.78.1.254"] as const;
          const { stdout } = await yard.in("a", ...arping);
          const answered = new Set([...stdout.matchAll(/\[([0-9a-f:]{17})\]/g)].map(([, mac]) => mac));
          expect([...answered]).toEqual([gatewayMac("system", "lan01")]);
          expect(await run(["ip", "-br", "-6", "address", "show", "dev", "_k_1_0"])).toBe("");
        });

      test("leaves the host's switch as it was, also when only its agent is gone", async () => {
        expect((await host.look()).rows.length).toBeGreaterThan(found.rows.length);
        const agent = identify(await yard.agentPid());
        if (agent) await endProcess(agent, 0);
        await stopYard("system");
        expect(await host.look()).toEqual(found);
      });
    });

  test.skipIf(!requires("docker-engine"))(
    "has a docker container's nic finish its packets for a switch without TSO, also after a restart by the engine",
    async () => {
      const docker = `
name: sys
networks:
  lan01: { cidr: 10.78.1.0/24, gateway: 10.78.1.254 }
nodes:
  a: { kind: netns, nics: [ { network: lan01, ip: 10.78.1.1/24 } ] }
  d: { kind: container, runtime: docker, image: busybox, command: [httpd, -f, -h, /], nics: [ { network: lan01, ip: 10.78.1.4/24 } ],
       exec: ["dd if=/dev/zero of=/body bs=1M count=1"] }
`;
      await using engine = await startDockerEngine();
      await using _host = await HostSwitch.start(false);
      await using yard = await LiveYard.create("system", { environment: { DOCKER_HOST: engine.address } });
      expect((await yard.up(docker)).failures).toEqual([]);
      await expectBulkBetween(yard, "a", "d", "10.78.1.4");
      await expectBulkWithHost(yard, "d", "10.78.1.4", "10.78.1.254");
      const before = await yard.identity("d");
      await run(["docker", "-H", engine.address, "restart", "-t", "0", "system_d"], { timeout: 30_000 });
      await yard.until((rows) => rows.nodes.find(({ name, status }) => name === "d" && status.state === "running"));
      expect((await yard.up(docker)).failures).toEqual([]);
      expect(await yard.identity("d")).not.toBe(before);
      expect(await leavesOffloads(yard, "d", "eth0")).toEqual(["off", "off"]);
      await expectBulkBetween(yard, "a", "d", "10.78.1.4");
    },
  );

  test("says that the host has no switch that runs, and makes nothing", async () => {
    const before = await snapshotMachine();
    await using yard = await LiveYard.create("system");
    await expect(yard.up(LAB)).rejects.toMatchObject({ code: "switch.system-absent" });
    expect(existsSync(yard.paths.run)).toBe(false);
    expect(existsSync(yard.paths.state)).toBe(false);
    await expectSameMachine(before, { ours: /yard_system|_probe/ });
  });

  test("says that the host's switch takes nothing while only its database runs, and leaves nothing", async () => {
    const before = await snapshotMachine();
    {
      await using host = await HostSwitch.start(true);
      await using yard = await LiveYard.create("system", { before: ["env", "SWITCHYARD_SWITCH_PATIENCE=2"] });
      const rows = (await host.look()).rows;
      await host.stop(["ovs-vswitchd"]);
      await expect(yard.up(LAB)).rejects.toMatchObject({ code: "switch.not-answering" });
      expect(existsSync(yard.paths.state)).toBe(false);
      expect((await host.look()).rows).toEqual(rows);
    }
    await expectSameMachine(before, { ours: OURS });
  });

  test("leaves alone what is somebody else's by a name that it would give, and says so", async () => {
    await using host = await HostSwitch.start(true, "_k_1_0");
    await using yard = await LiveYard.create("system");
    const before = await host.look();
    const { failures } = await yard.up(LAB);
    expect(failures).toContainEqual(
      expect.objectContaining({ subject: { kind: "nic", node: "a", nic: "eth0" }, code: "nic.refused" }),
    );
    expect(failures.filter(({ subject }) => !("node" in subject) || subject.node !== "a")).toEqual([]);
    await expectBulkBetween(yard, "b", "c", "10.78.1.3");
    await stopYard("system");
    expect(await host.look()).toEqual(before);
  });

  test("and a private one with the same lab do not meet", async () => {
    await using _host = await HostSwitch.start(true);
    await using system = await LiveYard.create("system");
    await using own = await LiveYard.create(`tsys${process.pid}`, { beside: system });
    const upper = LAB.replaceAll("10.78.1.", "10.79.1.");
    expect((await system.up(LAB)).failures).toEqual([]);
    expect((await own.up(upper)).failures).toEqual([]);
    expect(await system.reaches("a", "10.78.1.2")).toBe(true);
    expect(await own.reaches("a", "10.79.1.2")).toBe(true);
    await system.in("a", "ip", "addr", "add", "10.79.1.9/24", "dev", "eth0");
    expect(await system.reaches("a", "10.79.1.2")).toBe(false);
    await stopYard("system");
    expect(await own.reaches("a", "10.79.1.2")).toBe(true);
    expect(await own.plan(upper)).toEqual([]);
  });

  test("that is taken away while the host's switch is away says so; once more, it leaves the switch as it was", async () => {
    await using host = await HostSwitch.start(true);
    const before = await host.look();
    await using yard = await LiveYard.create("system");
    expect((await yard.up(LAB)).failures).toEqual([]);
    await host.stop();
    await expect(stopYard("system")).rejects.toMatchObject({ code: "switch.system-absent" });
    expect(existsSync(yard.paths.run)).toBe(false);
    await host.restart();
    expect((await host.look()).rows).not.toEqual(before.rows);
    expect(await stopYard("system")).toBe(true);
    expect((await host.look()).rows).toEqual(before.rows);
    expect(existsSync("/sys/class/net/_b_lan01")).toBe(false);
    expect(await stopYard("system")).toBe(false);
  });

  test("goes on when the host's switch comes again that was away, or was restarted without TSO", async () => {
    await using host = await HostSwitch.start(true);
    await using yard = await LiveYard.create("system");
    expect((await yard.up(LAB)).failures).toEqual([]);
    const agent = await yard.agentPid();
    await host.stop();
    const { failures } = await yard.up(LAB);
    expect(failures.map(({ code }) => code)).toEqual(["switch.system-absent"]);
    await host.restart();
    expect((await yard.up(LAB)).failures).toEqual([]);
    expect(await yard.reaches("a", "10.78.1.2")).toBe(true);
    await host.restart(false);
    const more = LAB.replace("links:", "  d: { kind: netns, nics: [ { network: lan01, ip: 10.78.1.4/24 } ] }\nlinks:");
    expect((await yard.up(more)).failures).toEqual([]);
    expect(await yard.agentPid()).toBe(agent);
    expect(await leavesOffloads(yard, "a", "eth0")).toEqual(["off", "off"]);
    await expectBulkBetween(yard, "d", "a", "10.78.1.1");
    await expectBulkWithHost(yard, "c", "10.78.1.3", "10.78.1.254");
    expect(await yard.plan(more)).toEqual([]);
  });
});
