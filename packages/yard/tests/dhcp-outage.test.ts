import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync } from "node:fs";
import { expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { killServer, nicOf, serverConfig } from "./dhcp-server.ts";
import { LiveYard } from "./live.ts";

setDefaultTimeout(90_000);

const NAME = `tleaseo${process.pid}`;

describe.skipIf(!requires("root", "openvswitch", "busybox"))("a nic with dhcp whose server", () => {
  let before: Machine;
  let yard: LiveYard;
  const lab = () => `
name: outage
networks: { served: {}, empty: {} }
nodes:
  server:
    kind: netns
    nics: [ { network: served, ip: 10.86.7.1/24 } ]
    exec: [ [busybox, udhcpd, ${serverConfig(yard.folder, 7)}] ]
  a: { kind: netns, nics: [ { network: served, dhcp: true } ] }
  lonely: { kind: netns, nics: [ { network: empty, dhcp: true } ] }
`;

  beforeAll(async () => {
    before = await snapshotMachine();
    yard = await LiveYard.create(NAME);
    chmodSync(yard.folder, 0o711);
  });
  afterAll(async () => {
    await yard[Symbol.asyncDispose]();
    await expectSameMachine(before, { ours: new RegExp(NAME) });
  });

  const lease = (later = 0) =>
    yard.until((rows) => {
      const found = nicOf(rows, "a")?.status.lease;
      return found && found.expires > later && found;
    });

  test("is not there is an error of the nic and of the command; another renews its lease meanwhile", async () => {
    await using agent = await yard.agent();
    expect(await agent.request("hello")).toBeTruthy();
    const upped = yard.up(lab());
    const first = await lease();
    const { failures } = await upped;
    expect(failures).toMatchObject([
      { subject: { kind: "nic", node: "lonely", nic: "eth0" }, code: "nic.no-lease", hint: expect.any(String) },
    ]);
    const second = await lease(first.expires);
    expect(second.address).toBe(first.address);
  });

  test("goes away loses its address in the end, and has one again when it is back", async () => {
    await killServer(yard.folder, 7);
    await yard.until((rows) => nicOf(rows, "a")?.status.lease === undefined);
    expect((await yard.in("a", "ip", "-4", "address", "show", "dev", "eth0")).stdout).toBe("");
    expect((await yard.in("server", "busybox", "udhcpd", serverConfig(yard.folder, 7))).code).toBe(0);
    const { address } = await lease();
    expect((await yard.in("a", "ip", "address", "show", "dev", "eth0")).stdout).toContain(address);
  });
});
