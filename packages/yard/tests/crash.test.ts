import { describe, expect, test } from "bun:test";
import { expectSameMachine, requires, snapshotMachine } from "@switchyard/testing";
import type { Phase } from "../src/agent/mod.ts";
import { LiveYard } from "./live.ts";

const lab = (hosts: number) => `
name: crash
networks:
  lan01: {}
  lan02: { cidr: 10.77.2.0/24, gateway: 10.77.2.254 }
nodes:
  router: { kind: netns, sysctls: { net.ipv4.ip_forward: 1 }, nics: [ { network: lan01, ip: 10.77.1.9/24 }, { network: lan02, slot: 9 } ] }
  web: { kind: container, runtime: oci, image: busybox, command: [httpd, -f], ports: ["127.0.0.1:18977:80"], exec: ["touch /ran"],
         nics: [ { network: lan01, ip: 10.77.1.1/24, gateway: 10.77.1.9 } ] }
  host: { kind: netns, count: ${hosts}, nics: [ { network: lan02, gateway: 10.77.2.9 } ] }
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

/** The switch is told of few ports before their devices are made, and of many after that. */
const MANY = 9;
const cases = [...phases.map((phase) => ({ phase, hosts: 2 })), { phase: "switch", hosts: MANY } as const];

describe.skipIf(!requires("root", "openvswitch", "runc"))("an agent killed in mid-up", () => {
  for (const { phase, hosts } of cases) {
    const many = hosts === MANY ? " for many nodes" : "";
    test(`as it begins "${phase}"${many} is continued by the next one: whole, nothing doubled, nothing left`, async () => {
      const before = await snapshotMachine();
      {
        await using yard = await LiveYard.create(NAME);
        const pid = await yard.agentPid();
        const begun = yard.logged(`"phase":"${phase}"`);
        const cfg = await yard.declare(lab(hosts));
        await begun;
        process.kill(pid, "SIGKILL");

        expect((await yard.settled(cfg)).failures).toEqual([]);
        expect(await yard.agentPid()).not.toBe(pid);
        expect(await yard.reaches("host-1", "web")).toBe(true);
        expect(await yard.reaches("host-2", "host-1")).toBe(true);
        expect((await yard.in("web", "ip", "-br", "link")).stdout.match(/eth\d/g)?.length).toBe(2);
        expect(await yard.plan(lab(hosts))).toEqual([]);
      }
      await expectSameMachine(before, { ours: new RegExp(NAME) });
    }, 120_000);
  }
});
