import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync } from "node:fs";
import { dirname } from "node:path";
import { delay, run } from "@switchyard/base";
import { expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { createSite, type Site, yardName } from "./yard.ts";

setDefaultTimeout(60_000);

const LAB = `name: counted
networks: { lan: { cidr: 10.92.0.0/24 } }
nodes:
  a: { kind: netns, nics: [ { network: lan, monitor: true } ] }
  b: { kind: netns, nics: [lan] }
`;

describe.skipIf(!requires("root", "openvswitch", "ping"))("a nic with monitor", () => {
  let before: Machine;
  let site: Site;
  const yard = yardName();

  beforeAll(async () => {
    before = await snapshotMachine();
    site = await createSite();
    // As /run is: DHCP's clients and servers read there as nobody.
    chmodSync(dirname(site.folder), 0o711);
  });
  afterAll(async () => {
    await site[Symbol.asyncDispose]();
    await expectSameMachine(before, { ours: new RegExp(yard) });
  });

  const nicOf = async (node: string) =>
    JSON.parse((await site.yard(yard, ["inspect", node, "--json"])).stdout)[0].nics[0];

  test("shows its port's counters, which follow what passes; others show none", async () => {
    site.write("counted.yard.yaml", LAB);
    expect(await site.yard(yard, ["up"])).toMatchObject({ code: 0 });
    await run(["ip", "netns", "exec", `yard_${yard}_a`, "ping", "-c", "20", "-i", "0.05", "10.92.0.2"]);
    // The switch writes them down every five seconds.
    let counted = await nicOf("a");
    for (let tries = 0; counted.counters === null || counted.counters.rxPackets < 20; tries++) {
      if (tries === 20) throw new Error(`the counters stay ${JSON.stringify(counted.counters)}`);
      await delay(500);
      counted = await nicOf("a");
    }
    expect(counted.counters).toMatchObject({ rxErrors: 0, txErrors: 0 });
    expect(counted.counters.txPackets).toBeGreaterThanOrEqual(20);
    const shown = (await site.yard(yard, ["inspect", "a"])).stdout;
    expect(shown).toContain("RX PACKETS");
    expect(shown).toMatch(/eth0 _k_1_0 +\d+ +\d+/);
    expect((await nicOf("b")).counters).toBe(null);
    expect((await site.yard(yard, ["inspect", "b"])).stdout).not.toContain("RX PACKETS");
  });

  test("gets an address from a server by `attach --dhcp`", async () => {
    expect(await site.yard(yard, ["attach", "b", "default", "--dhcp"])).toMatchObject({ code: 0 });
    const [, nic] = JSON.parse((await site.yard(yard, ["inspect", "b", "--json"])).stdout)[0].nics;
    expect(nic).toMatchObject({ dhcp: true, addresses: [nic.lease.address] });
    expect(nic.lease.server).toMatch(/^172\.|^10\./);
  });
});
