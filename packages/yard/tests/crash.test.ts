import { describe, expect, test } from "bun:test";
import { expectSameMachine, requires, snapshotMachine } from "@switchyard/testing";
import type { Phase } from "../src/agent/mod.ts";
import { LiveYard } from "./live.ts";

const LAB = `
name: crash
networks:
  lan01: {}
  lan02: { cidr: 10.77.2.0/24, gateway: 10.77.2.254 }
nodes:
  router: { kind: netns, sysctls: { net.ipv4.ip_forward: 1 }, nics: [ { network: lan01, ip: 10.77.1.9/24 }, { network: lan02, slot: 9 } ] }
  web: { kind: container, runtime: oci, image: busybox, command: [httpd, -f], ports: ["127.0.0.1:18977:80"], exec: ["touch /ran"],
         nics: [ { network: lan01, ip: 10.77.1.1/24, gateway: 10.77.1.9 } ] }
  host: { kind: netns, count: 2, nics: [ { network: lan02, gateway: 10.77.2.9 } ] }
links: [ { endpoints: ["web:eth1", "router:eth2"] } ]
`;

const NAME = `tcrash${process.pid}`;

const phases: Phase[] = [
  "files",
  "namespaces",
  "create containers",
  "links",
  "switch",
  "configure",
  "start containers",
  "services",
  "exec",
];

describe.skipIf(!requires("root", "openvswitch", "runc"))("an agent killed in mid-up", () => {
  for (const phase of phases) {
    test(`as it begins "${phase}" is continued by the next one: whole, nothing doubled, nothing left`, async () => {
      const before = await snapshotMachine();
      {
        await using yard = await LiveYard.create(NAME);
        const pid = await yard.agentPid();
        const begun = yard.logged(`"phase":"${phase}"`);
        const cfg = await yard.declare(LAB);
        await begun;
        process.kill(pid, "SIGKILL");

        expect((await yard.settled(cfg)).failures).toEqual([]);
        expect(await yard.agentPid()).not.toBe(pid);
        expect(await yard.reaches("host-1", "web")).toBe(true);
        expect(await yard.reaches("host-2", "host-1")).toBe(true);
        expect((await yard.in("web", "ip", "-br", "link")).stdout.match(/eth\d/g)?.length).toBe(2);
        expect(await yard.plan(LAB)).toEqual([]);
      }
      await expectSameMachine(before, { ours: new RegExp(NAME) });
    }, 120_000);
  }

  // There the switch is told of a port before its device is made.
  test("as it makes the nic of one node more in a large yard is continued by the next one", async () => {
    const before = await snapshotMachine();
    {
      const lab = (count: number) =>
        `{ name: crash, networks: { lan: { cidr: 10.77.0.0/16 } }, nodes: { n: { kind: netns, count: ${count}, nics: [lan] } } }`;
      await using yard = await LiveYard.create(NAME);
      expect((await yard.up(lab(300))).failures).toEqual([]);
      const pid = await yard.agentPid();
      const begun = yard.logged('"phase":"links"', yard.logLength());
      const cfg = await yard.declare(lab(301));
      await begun;
      process.kill(pid, "SIGKILL");

      expect((await yard.settled(cfg)).failures).toEqual([]);
      expect(await yard.agentPid()).not.toBe(pid);
      expect(await yard.reaches("n-301", "n-1")).toBe(true);
      expect(await yard.plan(lab(301))).toEqual([]);
    }
    await expectSameMachine(before, { ours: new RegExp(NAME) });
  }, 120_000);
});
