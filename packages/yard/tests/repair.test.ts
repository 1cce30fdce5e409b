import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run, tryRun } from "@switchyard/base";
import { expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { nodeNamespace } from "../src/agent/mod.ts";
import { LiveYard } from "./live.ts";

setDefaultTimeout(60_000);

const LAB = `
name: days
networks:
  lan: { cidr: 10.83.1.0/24 }
  gated: { cidr: 10.83.2.0/24, gateway: 10.83.2.254 }
nodes:
  router: { kind: netns, sysctls: { net.ipv4.ip_forward: 1 }, nics: [ { network: lan, ip: 10.83.1.9/24 }, { network: gated, ip: 10.83.2.9/24 } ] }
  a: { kind: netns, nics: [ { network: lan, ip: 10.83.1.1/24, gateway: 10.83.1.9 } ], routes: [ { to: 10.83.2.0/24, via: 10.83.1.9 } ] }
  box: { kind: container, runtime: oci, image: busybox, command: [sleep, "1000"], nics: [ { network: gated, ip: 10.83.2.1/24, gateway: 10.83.2.9 } ] }
`;

const NAME = `trepair${process.pid}`;

describe.skipIf(!requires("root", "openvswitch", "runc", "conmon", "ping", "iproute2"))(
  "what somebody changes by hand",
  () => {
    let before: Machine;
    let yard: LiveYard;
    let a: string;
    let box: string;

    beforeAll(async () => {
      before = await snapshotMachine();
      yard = await LiveYard.create(NAME);
      expect((await yard.up(LAB)).failures).toEqual([]);
      [a, box] = [nodeNamespace(NAME, "a"), nodeNamespace(NAME, "box")];
    });
    afterAll(async () => {
      await yard[Symbol.asyncDispose]();
      await expectSameMachine(before, { ours: new RegExp(NAME) });
    });

    /** Resolves once the agent has found something to do, done it, and found nothing more. */
    async function putRight(change: () => Promise<unknown>) {
      expect(await yard.plan(LAB)).toEqual([]);
      const at = yard.logLength();
      await change();
      await yard.putRight(LAB, at);
      expect(await yard.comesToReach("a", "box")).toBe(true);
    }

    const ovs = (...args: readonly string[]) =>
      run(["ovs-vsctl", "--timeout=10", `--db=unix:${yard.paths.databaseSocket}`, ...args]);
    const portOf = (node: string) =>
      yard.until(({ nodes }) => nodes.find(({ name }) => name === node)?.nics[0]?.status.port);

    test("an address or a route that is removed comes back, one that is added to it stays", async () => {
      await putRight(() => run(["ip", "-n", a, "address", "flush", "dev", "eth0"]));
      await putRight(() => run(["ip", "-n", a, "route", "del", "10.83.2.0/24"]));
      await putRight(() => run(["ip", "-n", a, "route", "del", "default"]));
      await run(["ip", "-n", a, "address", "add", "10.99.0.1/24", "dev", "eth0"]);
      await yard.up(LAB);
      expect((await yard.in("a", "ip", "-4", "address")).stdout).toContain("10.99.0.1/24");
    });

    test("a nic that is taken down, renumbered or given another MTU or MAC is as declared again", async () => {
      await putRight(() => run(["ip", "-n", a, "link", "set", "eth0", "down"]));
      await putRight(() => run(["ip", "-n", a, "link", "set", "eth0", "mtu", "1300"]));
      await putRight(() => run(["ip", "-n", a, "link", "set", "eth0", "address", "02:00:00:00:00:99"]));
    });

    test("a nic that is deleted is made again with its MAC and its addresses", async () => {
      const mac = async () => (await yard.in("a", "cat", "/sys/class/net/eth0/address")).stdout;
      const its = await mac();
      await putRight(() => run(["ip", "-n", a, "link", "del", "eth0"]));
      expect(await mac()).toBe(its);
    });

    test("a port that is taken from its bridge, retagged, or whose bridge is removed, is put back", async () => {
      const port = await portOf("a");
      await putRight(() => ovs("del-port", port));
      await putRight(() => ovs("set", "Port", port, "tag=9"));
      await putRight(() => ovs("del-br", "_b_lan"));
    });

    test("a gateway that is deleted from the host comes back", async () => {
      const links = await run(["ip", "-o", "-4", "address"]);
      const device = /^\d+: (\S+) +inet 10\.83\.2\.254/m.exec(links)?.[1] ?? "";
      await putRight(() => run(["ip", "link", "del", device]));
    });

    test("a kernel parameter of a node is set again at the next look", async () => {
      await yard.in("router", "sysctl", "-w", "net.ipv4.ip_forward=0");
      expect((await yard.up(LAB)).failures).toEqual([]);
      expect((await yard.in("router", "sysctl", "-n", "net.ipv4.ip_forward")).stdout.trim()).toBe("1");
    });

    test("a namespace that is deleted is made again, with all that was in it", async () => {
      await putRight(() => run(["ip", "netns", "del", a]));
      expect((await yard.in("a", "ip", "route")).stdout).toContain("10.83.2.0/24 via 10.83.1.9");
    });

    test("a namespace that only loses its name, as its container lives on in it, is found wanting and made good", async () => {
      await putRight(() => run(["ip", "netns", "del", box]));
      expect((await yard.status("box"))?.state).toBe("running");
    });

    test("the switch's namespace gets its name back, and nothing in it is touched", async () => {
      const [vswitchd, identity] = [yard.pid("ovs-vswitchd"), await yard.identity("a")];
      const at = yard.logLength();
      await run(["ip", "netns", "del", yard.paths.namespace]);
      await yard.logged("has lost its name", at);
      expect((await yard.up(LAB)).failures).toEqual([]);
      expect(await yard.plan(LAB)).toEqual([]);
      expect(yard.pid("ovs-vswitchd")).toBe(vswitchd);
      expect(await yard.identity("a")).toBe(identity);
    });

    test("what is not ours is left alone, whatever it is called, by `up` and by `down --all`", async () => {
      const stranger = `${NAME}-other`;
      const inside = yard.paths.namespace;
      await run(["ip", "netns", "add", `yard_${stranger}`]);
      await run(["ip", "-n", inside, "link", "add", "_k_77_0", "type", "veth", "peer", "name", "stranger"]);
      await run(["ip", "-n", inside, "link", "set", "_k_77_0", "alias", "switchyard:somebody:nic a eth0"]);
      await ovs("add-br", "_b_theirs", "--", "set", "bridge", "_b_theirs", "datapath_type=netdev");
      await ovs("add-port", "_b_lan", "_k_77_0");
      try {
        expect((await yard.up(LAB.replace("  a:", "  c: { kind: netns, nics: [lan] }\n  a:"))).failures).toEqual([]);
        expect((await yard.up(LAB)).failures).toEqual([]);
        expect(await ovs("list-br")).toContain("_b_theirs");
        expect(await ovs("list-ports", "_b_lan")).toContain("_k_77_0");
        expect((await tryRun(["ip", "-n", inside, "link", "show", "_k_77_0"])).code).toBe(0);
        expect(await run(["ip", "netns", "list"])).toContain(`yard_${stranger}`);
      } finally {
        await ovs("--if-exists", "del-port", "_k_77_0");
        await ovs("--if-exists", "del-br", "_b_theirs");
        await run(["ip", "-n", inside, "link", "del", "_k_77_0"]);
        await run(["ip", "netns", "del", `yard_${stranger}`]);
      }
    });

    test("a namespace that was left half-made is made whole where a node shall be, and taken away where none is", async () => {
      const half = `yard_${NAME}_half`;
      const more = LAB.replace("  a:", "  half: { kind: netns, nics: [lan] }\n  a:");
      await writeFile(`/run/netns/${half}`, "");
      expect((await yard.up(more)).failures).toEqual([]);
      expect(await run(["ip", "-n", half, "link", "show", "eth0"])).toContain("state UP");
      expect((await yard.up(LAB)).failures).toEqual([]);
      expect(await readdir("/run/netns")).not.toContain(half);
      await writeFile(`/run/netns/${half}`, "");
      expect((await yard.up(LAB)).failures).toEqual([]);
      expect(await readdir("/run/netns")).not.toContain(half);
    });

    test("a file of the yard that is removed, or leads elsewhere, is written again at the next look", async () => {
      const folder = join("/etc/netns", a);
      for (const spoil of [
        ["rm", folder],
        ["ln", "-sfn", "/nowhere", folder],
      ] as const) {
        await run(spoil);
        expect((await yard.up(LAB)).failures).toEqual([]);
        expect(await run(["cat", join(folder, "hosts")])).toContain("10.83.2.1");
      }
    });
  },
);
