import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "@switchyard/base";
import { expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { declareLab, rowsOf, waitApplied } from "../src/store/mod.ts";
import { LiveYard } from "./live.ts";

setDefaultTimeout(90_000);

const lab = (hosts: number, note = "") => `
name: days
networks: { lan: { cidr: 10.82.1.0/24 } }
nodes:
  host: { kind: netns, count: ${hosts}, nics: [lan] }
  last: { kind: netns, nics: [lan], exec: [[echo, "${note}"]] }
`;

const NAME = `tdatabase${process.pid}`;
const ours = { ours: new RegExp(NAME) };

describe.skipIf(!requires("root", "openvswitch", "ping"))("a database server that has a bad day", () => {
  let before: Machine;
  let yard: LiveYard;

  beforeAll(async () => {
    before = await snapshotMachine();
    yard = await LiveYard.create(NAME);
    expect((await yard.up(lab(2))).failures).toEqual([]);
  });
  afterAll(async () => {
    await yard[Symbol.asyncDispose]();
    await expectSameMachine(before, ours);
  });

  test("killed while idle is started again; agent and clients reconnect and nothing is lost", async () => {
    const agent = await yard.agentPid();
    await using client = await yard.store();
    const rows = rowsOf(client.db).nodes.map(({ name, objId }) => `${name} ${objId}`);
    const identity = await yard.identity("host-1");
    await yard.killed("ovsdb-server");

    const { cfg } = await declareLab(client, yard.lab(lab(3)), { yard: NAME, host: hostname() });
    expect((await waitApplied(client, cfg, { timeout: 30_000 })).failures).toEqual([]);
    expect(rowsOf(client.db).nodes.map(({ name, objId }) => `${name} ${objId}`)).toEqual(expect.arrayContaining(rows));
    expect(await yard.comesToReach("host-3", "host-1")).toBe(true);
    expect(await yard.identity("host-1")).toBe(identity);
    expect(await yard.agentPid()).toBe(agent);
  });

  for (const phase of ["namespaces", "switch"]) {
    test(`killed in mid-up, as "${phase}" begins: \`up\` waits for it and succeeds`, async () => {
      expect((await yard.up(lab(1))).failures).toEqual([]);
      const begun = yard.logged(`"phase":"${phase}"`, yard.logLength());
      const cfg = await yard.declare(lab(4));
      await begun;
      await yard.killed("ovsdb-server");
      expect((await yard.settled(cfg)).failures).toEqual([]);
      expect(await yard.comesToReach("host-4", "host-1")).toBe(true);
      expect(await yard.plan(lab(4))).toEqual([]);
    });
  }

  test("and the switch killed at once with it: both come back", async () => {
    const vswitchd = yard.pid("ovs-vswitchd");
    process.kill(vswitchd, "SIGKILL");
    await yard.killed("ovsdb-server");
    expect((await yard.up(lab(4))).failures).toEqual([]);
    await expect(yard.pid("ovs-vswitchd")).not.toBe(vswitchd);
    expect(await yard.comesToReach("host-4", "host-1")).toBe(true);
  });
});

describe.skipIf(!requires("root", "openvswitch", "ping"))("a disk without space for the database", () => {
  const name = `${NAME}-full`;
  const disk = join(tmpdir(), `${name}-disk`);
  let before: Machine;
  let yard: LiveYard;

  beforeAll(async () => {
    before = await snapshotMachine();
    mkdirSync(disk);
    await run(["mount", "-t", "tmpfs", "-o", "size=256k", name, disk]);
    yard = await LiveYard.create(name, { state: disk });
  });
  afterAll(async () => {
    await yard[Symbol.asyncDispose]();
    await run(["umount", "--lazy", disk]);
    rmSync(disk, { recursive: true });
    await expectSameMachine(before, { ours: new RegExp(name) });
  });

  /** Leaves `free` bytes. */
  function fill(free: number) {
    const file = join(disk, "filling");
    rmSync(file, { force: true });
    const filling = Buffer.alloc(4_096, "x");
    try {
      for (;;) writeFileSync(file, filling, { flag: "a" });
    } catch {}
    if (free > 0) writeFileSync(file, Buffer.alloc(Math.max(statSync(file).size - free, 0), "x"));
  }
  const free = () => rmSync(join(disk, "filling"), { force: true });

  test("from the beginning: `up` says that it is full, and leaves no half of a yard", async () => {
    fill(0);
    await expect(yard.up(lab(2))).rejects.toMatchObject({ code: "switch.disk-full" });
    await expectSameMachine(before, { ours: new RegExp(`${name}(?!-disk|.lock)`) });
    free();
    expect((await yard.up(lab(2))).failures).toEqual([]);
  });

  test("later: `up` fails with a code, nothing is half declared, and the yard works on when there is space", async () => {
    fill(0);
    await using client = await yard.store();
    const rows = JSON.stringify(rowsOf(client.db));
    await expect(yard.up(lab(3, "x".repeat(20_000)))).rejects.toMatchObject({ code: "ovsdb.server-io" });
    expect(JSON.stringify(rowsOf(client.db))).toBe(rows);
    expect(await yard.reaches("host-1", "host-2")).toBe(true);
    free();
    expect((await yard.up(lab(3))).failures).toEqual([]);
    expect(await yard.comesToReach("host-3", "host-1")).toBe(true);
  });

  test("between what `up` declares and what the agent tells of it: `up` fails with a code, and does not hang", async () => {
    const agent = await yard.agentPid();
    process.kill(agent, "SIGSTOP");
    // Statuses of forty nodes are more than the last page of the file has room for; the failure itself may fit.
    const cfg = await yard.declare(lab(40));
    fill(0);
    process.kill(agent, "SIGCONT");
    const told = await yard.settled(cfg).then(
      ({ failures }) => failures.map(({ code }) => code),
      ({ code }) => [code],
    );
    expect(told).toEqual(["ovsdb.server-io"]);
    free();
    expect((await yard.up(lab(40))).failures).toEqual([]);
    expect((await yard.up(lab(4))).failures).toEqual([]);
    expect(await yard.plan(lab(4))).toEqual([]);
  });
});
