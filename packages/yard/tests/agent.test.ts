import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { hostname } from "node:os";
import { join } from "node:path";
import { expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { nodeNamespace, stopYard } from "../src/agent/mod.ts";
import { addNode, declareLab, waitApplied, withdrawLabs } from "../src/store/mod.ts";
import { LiveYard } from "./live.ts";

setDefaultTimeout(60_000);

const PORT = 20_000 + (process.pid % 10_000);
const LAB = `
name: days
networks: { lan: { cidr: 10.87.1.0/24, gateway: 10.87.1.254 } }
nodes:
  web: { kind: container, runtime: oci, image: busybox, command: [nc, -ll, -p, "7", -e, cat], ports: ["127.0.0.1:${PORT}:7"],
         nics: [ { network: lan, ip: 10.87.1.80/24 } ] }
  host: { kind: netns, count: 2, nics: [lan], exec: ["true"] }
`;
const second = `
name: second
networks: { two: { cidr: 10.87.2.0/24 } }
nodes: { guest: { kind: netns, count: 2, nics: [two] } }
`;

const NAME = `tagent${process.pid}`;
const able = requires("root", "openvswitch", "runc", "conmon", "ping");

describe.skipIf(!able)("a yard whose agent has a bad day", () => {
  let before: Machine;
  let yard: LiveYard;

  beforeAll(async () => {
    before = await snapshotMachine();
    yard = await LiveYard.create(NAME);
  });
  afterAll(async () => {
    await yard[Symbol.asyncDispose]();
    await expectSameMachine(before, { ours: new RegExp(NAME) });
  });

  /** Sends a line through a connection and gets it back. */
  async function echo(socket: Socket, text: string): Promise<string> {
    socket.write(text);
    const [chunk]: unknown[] = await once(socket, "data");
    return String(chunk);
  }

  test("two first commands at once start one agent, and both of their labs come up", async () => {
    const [one, two] = await Promise.all([yard.up(LAB), yard.up(second), yard.up(LAB)]);
    expect([one.failures, two.failures]).toEqual([[], []]);
    expect(await yard.comesToReach("host-1", "web")).toBe(true);
    expect(await yard.comesToReach("guest-1", "guest-2")).toBe(true);
    const starts = [await yard.agentPid(), await yard.agentPid()];
    expect(new Set(starts).size).toBe(1);
  });

  test("killed while the lab runs: the next one adopts everything, and open connections go on", async () => {
    const nodes = ["web", "host-1", "host-2", "guest-1"];
    const identities = () => Promise.all(nodes.map((node) => yard.identity(node)));
    const [was, daemons] = [await identities(), [yard.pid("ovs-vswitchd"), yard.pid("ovsdb-server")]];
    const socket = connect(PORT, "127.0.0.1");
    try {
      expect(await echo(socket, "before")).toBe("before");
      const pid = await yard.agentPid();
      process.kill(pid, "SIGKILL");
      expect(await echo(socket, "without an agent")).toBe("without an agent");
      expect((await yard.up(LAB)).failures).toEqual([]);
      expect(await yard.agentPid()).not.toBe(pid);
      expect(await echo(socket, "after")).toBe("after");
    } finally {
      socket.destroy();
    }
    expect(await identities()).toEqual(was);
    expect([yard.pid("ovs-vswitchd"), yard.pid("ovsdb-server")]).toEqual(daemons);
    expect(await yard.plan(LAB)).toEqual([]);
  });

  test("what happened while none ran is put right by the next one: a node that died, a nic that is gone", async () => {
    const pid = await yard.nodePid("web");
    process.kill(await yard.agentPid(), "SIGKILL");
    process.kill(pid, "SIGKILL");
    await yard.in("host-1", "ip", "link", "del", "eth0");
    const cfg = await yard.declare(LAB);
    expect((await yard.settled(cfg)).failures).toEqual([]);
    expect((await yard.status("web"))?.pid).not.toBe(pid);
    expect(await yard.comesToReach("host-1", "web")).toBe(true);
  });

  test("a command that is killed in mid-up leaves a lab that comes up without it", async () => {
    const file = join(yard.folder, "more.yard.yaml");
    writeFileSync(file, second.replace("count: 2", "count: 40"));
    const begun = yard.logged('"phase":"namespaces"', yard.logLength());
    const command = yard.command("up", file);
    await begun;
    command.kill("SIGKILL");
    await once(command, "exit");
    await yard.until(
      ({ nodes }) =>
        nodes.filter(({ name }) => name.startsWith("guest")).length === 40 &&
        nodes.every(({ status }) => status.state === "running"),
    );
    expect(await yard.comesToReach("guest-40", "guest-1")).toBe(true);
  });

  test("three changes at once are all made: two labs and a single node", async () => {
    await using store = await yard.store();
    const place = { yard: NAME, host: hostname() };
    const alone = yard.lab("name: x\nnetworks: { lan: {} }\nnodes: { alone: { kind: netns, nics: [lan] } }").nodes[0];
    if (!alone) throw new Error("the lab has a node");
    const changes = await Promise.all([
      declareLab(store, yard.lab(second), place),
      declareLab(store, yard.lab(LAB.replace("count: 2", "count: 3")), place),
      addNode(store, alone, place),
    ]);
    for (const { cfg } of changes) expect((await waitApplied(store, cfg, { timeout: 30_000 })).failures).toEqual([]);
    expect(await yard.comesToReach("alone", "10.87.1.254")).toBe(true);
    expect(await yard.comesToReach("host-3", "web")).toBe(true);
    expect(await yard.comesToReach("guest-1", "guest-2")).toBe(true);
  });

  test("taking one lab of two away touches nothing of the other", async () => {
    const others = ["web", "host-1", "host-2", "host-3", "alone"];
    const identities = () => Promise.all(others.map((node) => yard.identity(node)));
    const was = await identities();
    await using store = await yard.store();
    const { cfg } = await withdrawLabs(store, ["second"]);
    expect((await waitApplied(store, cfg, { timeout: 30_000 })).failures).toEqual([]);
    expect(existsSync(`/run/netns/${nodeNamespace(NAME, "guest-1")}`)).toBe(false);
    expect(await identities()).toEqual(was);
    expect(await yard.comesToReach("host-1", "web")).toBe(true);
  });

  test("a second yard with the same names is another world", async () => {
    const name = `${NAME}-two`;
    const was = await yard.identity("web");
    {
      await using other = await LiveYard.create(name, { beside: yard });
      const lab = LAB.replace(`ports: ["127.0.0.1:${PORT}:7"],`, "").replace(", gateway: 10.87.1.254", "");
      expect((await other.up(lab)).failures).toEqual([]);
      expect(await other.comesToReach("host-1", "web")).toBe(true);
      await other.in("web", "ip", "link", "set", "eth0", "address", "02:00:00:00:77:77");
      expect(await yard.comesToReach("host-1", "web")).toBe(true);
    }
    expect(await yard.identity("web")).toBe(was);
    expect(await yard.plan(LAB.replace("count: 2", "count: 3"))).toEqual([]);
  });

  test("of which everything was killed leaves nothing after `down --all`", async () => {
    const pid = await yard.nodePid("web");
    for (const id of [await yard.agentPid(), yard.pid("ovs-vswitchd"), yard.pid("ovsdb-server"), pid])
      process.kill(id, "SIGKILL");
    expect(await stopYard(NAME)).toBe(true);
    await expectSameMachine(before, { ours: new RegExp(NAME) });
    expect(await stopYard(NAME)).toBe(false);
  });
});
