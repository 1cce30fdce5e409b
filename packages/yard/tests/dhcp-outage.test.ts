import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync } from "node:fs";
import { tryRun } from "@switchyard/base";
import { expectSameMachine, type Machine, requires, snapshotMachine, YARD_COMMAND } from "@switchyard/testing";
import type { Outcome } from "../src/store/mod.ts";
import { clientPid, killServer, nicOf, serverCommand } from "./dhcp-server.ts";
import { LiveYard } from "./live.ts";

setDefaultTimeout(90_000);

const NAME = `tleaseo${process.pid}`;

// Each waits for what takes its time: 20 s until a nic has had its, a lease until it is renewed or lost.
describe.concurrent.skipIf(!requires("root", "openvswitch", "busybox"))("a nic with dhcp whose server", () => {
  let before: Machine;
  let yard: LiveYard;
  let upped: Promise<Outcome>;
  const servers = () => `
name: outage
networks: { served: {}, left: {}, empty: {} }
nodes:
  server:
    kind: netns
    nics: [ { network: served, ip: 10.86.7.1/24 } ]
    exec: [ ${JSON.stringify(serverCommand(yard.folder, 7))} ]
  leaver:
    kind: netns
    nics: [ { network: left, ip: 10.86.8.1/24 } ]
    exec: [ ${JSON.stringify(serverCommand(yard.folder, 8))} ]
`;
  const lab = () => `${servers()}
  a: { kind: netns, nics: [ { network: served, dhcp: true } ] }
  b: { kind: netns, nics: [ { network: left, dhcp: true } ] }
  lonely: { kind: netns, nics: [ { network: empty, dhcp: true } ] }
  bare: { kind: netns, nics: [empty] }
`;

  beforeAll(async () => {
    before = await snapshotMachine();
    yard = await LiveYard.create(NAME);
    chmodSync(yard.folder, 0o711);
    expect((await yard.up(servers())).failures).toEqual([]);
    upped = yard.up(lab());
  });
  afterAll(async () => {
    await yard[Symbol.asyncDispose]();
    await expectSameMachine(before, { ours: new RegExp(NAME) });
  });

  const lease = (node: string, later = 0) =>
    yard.until((rows) => {
      const found = nicOf(rows, node)?.status.lease;
      return found && found.expires > later && found;
    });

  test("is not there is an error of the nic and of `up`", async () => {
    const { failures } = await upped;
    const lonely = failures.filter(({ subject }) => "node" in subject && subject.node === "lonely");
    expect(lonely).toMatchObject([
      { subject: { kind: "nic", node: "lonely", nic: "eth0" }, code: "nic.no-lease", hint: expect.any(String) },
    ]);
  });

  test("is not there is an error of `attach`, which leaves nothing of it", async () => {
    await yard.until((rows) => nicOf(rows, "bare")?.status.state === "up");
    const argv = ["-y", NAME, "attach", "bare", "empty", "--dhcp"];
    const { code, stderr } = await tryRun([...YARD_COMMAND, ...argv], { timeout: 60_000 });
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining("[nic.no-lease]") });
    expect(await yard.until(({ nodes }) => nodes.find(({ name }) => name === "bare")?.nics)).toHaveLength(1);
  });

  test("is there renews its lease", async () => {
    const first = await lease("a");
    const second = await lease("a", first.expires);
    expect(second.address).toBe(first.address);
  });

  test("goes away keeps its address until the lease expires, and has one again when it is back", async () => {
    const { address, expires } = await lease("b");
    await killServer(yard.folder, 8);
    const { port } = (await yard.until((rows) => nicOf(rows, "b"))).status;
    // It asks at once for what it would ask for in the middle of its lease (udhcpc(8)), and gives up before that ends.
    process.kill(clientPid(yard.paths.run, port) ?? 0, "SIGUSR1");
    await yard.until((rows) => nicOf(rows, "b")?.status.lease === undefined);
    expect(Date.now()).toBeGreaterThan(expires - 2_000);
    expect((await yard.in("b", "ip", "-4", "address", "show", "dev", "eth0")).stdout).toBe("");
    expect((await yard.in("leaver", ...serverCommand(yard.folder, 8))).code).toBe(0);
    expect((await lease("b")).address).toBe(address);
    expect((await yard.in("b", "ip", "address", "show", "dev", "eth0")).stdout).toContain(address);
  });
});
