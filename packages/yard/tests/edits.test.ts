import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { describe as line } from "../src/agent/mod.ts";
import { LiveYard } from "./live.ts";

setDefaultTimeout(60_000);

const LAB = `
name: days
networks: { lan: {}, other: {} }
nodes:
  a: { kind: netns, nics: [ { network: lan, ip: 10.86.1.1/24 } ] }
  b: { kind: netns, nics: [ { network: lan, ip: 10.86.1.2/24 } ] }
  box: { kind: container, runtime: oci, image: busybox, command: [sleep, "1000"], nics: [ { network: lan, ip: 10.86.1.3/24 } ] }
`;
const nicOfA = "{ network: lan, ip: 10.86.1.1/24 }";

const NAME = `tedits${process.pid}`;

describe.skipIf(!requires("root", "openvswitch", "runc", "conmon", "ping"))(
  "`up` after an edit does the difference",
  () => {
    let before: Machine;
    let yard: LiveYard;

    beforeAll(async () => {
      before = await snapshotMachine();
      yard = await LiveYard.create(NAME);
      expect((await yard.up(LAB)).failures).toEqual([]);
    });
    afterAll(async () => {
      await yard[Symbol.asyncDispose]();
      await expectSameMachine(before, { ours: new RegExp(NAME) });
    });

    /** What `up` of an edited lab says that it will do, does, and leaves alone: all nodes but those named. */
    async function edited(text: string, changed: readonly string[] = []) {
      expect((await yard.up(LAB)).failures).toEqual([]);
      const others = ["a", "b", "box"].filter((node) => !changed.includes(node));
      const identities = () => Promise.all(others.map((node) => yard.identity(node)));
      const [was, plan] = [await identities(), (await yard.plan(text)).map(line)];
      const at = yard.logLength();
      expect((await yard.up(text)).failures).toEqual([]);
      await yard.logged(new RegExp(`"actions":${plan.length},"failures":0`), at);
      expect(await identities()).toEqual(was);
      expect(await yard.plan(text)).toEqual([]);
      // The nodes' files follow whatever is added or goes; elsewhere that is looked at.
      return plan.filter((action) => !isFile(action)).toSorted();
    }

    test("nothing, when nothing was edited but comments and order", async () => {
      expect(await edited(LAB.replace("nodes:", "# as it was\nnodes:"))).toEqual([]);
    });

    test("a node that is added, and one that is taken out", async () => {
      const more = LAB.replace("  box:", "  c: { kind: netns, nics: [ { network: lan, ip: 10.86.1.4/24 } ] }\n  box:");
      const added = await edited(more);
      expect(added.map((action) => action.replace(/_k_\d+_\d/g, "PORT"))).toEqual([
        `+ nic c:eth0: address 10.86.1.4/24 on eth0`,
        `+ nic c:eth0: create link PORT to eth0 in yard_${NAME}_c`,
        `+ nic c:eth0: port PORT on bridge _b_lan`,
        `+ node c: create namespace yard_${NAME}_c`,
      ]);
      expect(await yard.comesToReach("c", "a")).toBe(true);
      const removed = (await yard.plan(LAB)).map(line).filter((action) => !isFile(action));
      expect(removed.map((action) => action.replace(/_k_\d+_\d/g, "PORT"))).toEqual([
        `- node c: delete namespace yard_${NAME}_c`,
        `- nic c:eth0: delete port PORT`,
      ]);
    });

    test("a command that failed, and one in its place; a node without any has none that failed", async () => {
      const asking = (command: string) => LAB.replace(`[ ${nicOfA} ]`, `[ ${nicOfA} ], exec: [${command}]`);
      expect((await yard.up(asking('"false"'))).failures).toMatchObject([{ code: "node.exec-failed" }]);
      expect((await yard.up(asking('"true"'))).failures).toEqual([]);
      expect((await yard.up(asking('"false"'))).failures).toHaveLength(1);
      expect((await yard.up(LAB)).failures).toEqual([]);
    });

    test("a nic that moves to another network keeps its link, its MAC and its address: one port is set", async () => {
      const moved = await edited(LAB.replace(nicOfA, "{ network: other, ip: 10.86.1.1/24 }"));
      expect(moved).toEqual([expect.stringMatching(/^\+ nic a:eth0: port _k_\d+_0 on bridge _b_other$/)]);
      expect(await yard.reaches("a", "b")).toBe(false);
    });

    test("a vlan, an MTU, a kernel parameter, an address: each alone", async () => {
      const nic = (more: string) => LAB.replace(nicOfA, `{ network: lan, ip: 10.86.1.1/24, ${more} }`);
      expect(await edited(nic("vlan: 9"))).toEqual([expect.stringMatching(/port _k_\d+_0 on bridge _b_lan, vlan 9$/)]);
      expect(await edited(nic("mtu: 1400"))).toEqual(["~ nic a:eth0: set mtu 1400 on eth0"]);
      const sysctl = LAB.replace("a: { kind: netns,", "a: { kind: netns, sysctls: { net.ipv4.ip_default_ttl: 61 },");
      expect(await edited(sysctl)).toEqual(["~ node a: net.ipv4.ip_default_ttl = 61"]);
      const address = await edited(LAB.replace("10.86.1.1/24", "10.86.1.11/24"));
      expect(address).toEqual([
        "+ nic a:eth0: address 10.86.1.11/24 on eth0",
        "- nic a:eth0: remove address 10.86.1.1/24 from eth0",
      ]);
    });

    test("a container whose command is another is made anew, in its namespace, with its nic; no other is", async () => {
      const nic = async () => (await yard.in("box", "ip", "-o", "link", "show", "eth0")).stdout.split(" qdisc")[0];
      expect((await yard.up(LAB)).failures).toEqual([]);
      const its = await nic();
      const remade = await edited(LAB.replace('"1000"', '"2000"'), ["box"]);
      expect(remade).toEqual([
        "+ node box: create an oci container from busybox",
        "+ node box: start the container",
        "- node box: remove the oci container",
      ]);
      expect(await nic()).toBe(its);
      expect(await yard.comesToReach("a", "box")).toBe(true);
    });

    test("a nic that is added to a running container comes without restarting it", async () => {
      const more = LAB.replace("ip: 10.86.1.3/24 } ]", "ip: 10.86.1.3/24 }, { network: other, ip: 10.86.2.3/24 } ]");
      expect((await yard.up(LAB)).failures).toEqual([]);
      const pid = (await yard.status("box"))?.pid;
      const added = await edited(more, ["box"]);
      expect(added.map((action) => action.replace(/_k_\d+_\d/g, "PORT"))).toEqual([
        "+ nic box:eth1: address 10.86.2.3/24 on eth1",
        `+ nic box:eth1: create link PORT to eth1 in yard_${NAME}_box`,
        "+ nic box:eth1: port PORT on bridge _b_other",
      ]);
      expect((await yard.status("box"))?.pid).toBe(pid);
    });
  },
);

/** Whether a line of a plan is about a file of nodes. */
function isFile(line: string): boolean {
  return /\/hosts|\/resolv|\/etc\/netns\//.test(line);
}
