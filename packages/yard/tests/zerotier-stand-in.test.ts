import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { runningServices } from "../src/agent/services.ts";
import { kill, nicOf } from "./dhcp-server.ts";
import { LiveYard } from "./live.ts";

setDefaultTimeout(90_000);

const NAME = `tleasez${process.pid}`;
const [FIRST, SECOND, CLOSED, NONE] = ["8056c2e21c000001", "8056c2e21c000002", "8056c2e21c00000d", "8056c2e21c0000ff"];

describe.skipIf(!requires("root", "openvswitch", "runc", "iproute2"))(
  "a network of type zerotier, with a stand-in for zerotier-one",
  () => {
    const path = process.env.PATH;
    let before: Machine;
    let yard: LiveYard;
    const lab = (nics: string) => `
name: joined
networks:
  one: { type: zerotier, nwid: "${FIRST}" }
  closed: { type: zerotier, nwid: "${CLOSED}" }
  none: { type: zerotier, nwid: "${NONE}" }
nodes:
  n: { kind: netns, nics: ${nics} }
  c: { kind: container, runtime: oci, image: busybox, command: [sleep, inf], nics: [ { network: one, identity: ./identity } ] }
`;

    beforeAll(async () => {
      before = await snapshotMachine();
      yard = await LiveYard.create(NAME);
      writeFileSync(join(yard.folder, "identity"), "2a00000000:0:public:private", { mode: 0o600 });
    });
    afterAll(async () => {
      process.env.PATH = path;
      await yard[Symbol.asyncDispose]();
      await expectSameMachine(before, { ours: new RegExp(NAME) });
    });

    /** From now on the programs are there. */
    async function install(): Promise<void> {
      const folder = join(yard.folder, "bin");
      mkdirSync(folder);
      const script = fileURLToPath(new URL("./zerotier-stand-in.ts", import.meta.url));
      for (const name of ["one", "cli"])
        writeFileSync(
          join(folder, `zerotier-${name}`),
          `#!/bin/sh\nexec ${process.execPath} ${script} ${name} "$@"\n`,
          {
            mode: 0o755,
          },
        );
      process.env.PATH = `${folder}:${path}`;
      // The agent has the PATH that it was started with.
      await kill(await yard.agentPid());
    }

    test("says that the program is not installed, and where it is to be had", async () => {
      const { failures } = await yard.up(lab("[one]"));
      expect(failures.map(({ code }) => code)).toEqual(Array(2).fill("service.not-installed"));
      expect(failures[0]).toMatchObject({
        subject: { kind: "nic", node: "n", nic: "eth0" },
        hint: expect.stringContaining("zerotier.com"),
      });
    });

    test("gives nics of a node the addresses that it is assigned, under their names, with one process", async () => {
      await install();
      expect((await yard.up(lab(`[one, { type: zerotier, id: ${SECOND}, name: zt1 }]`))).failures).toEqual([]);
      const device = async (name: string) =>
        (await yard.in("n", "ip", "-o", "-4", "address", "show", "dev", name)).stdout;
      const rows = await yard.until((it) => it);
      const [own = ""] = nicOf(rows, "n")?.status.assigned ?? [];
      expect(own).toMatch(/^10\.147\.\d+\.\d+\/16$/);
      expect(await device("eth0")).toContain(own);
      expect(await device("zt1")).toContain("10.148.");
      expect(nicOf(rows, "n")?.status.state).toBe("up");
      // By its identity.
      expect(nicOf(rows, "c")?.status.assigned).toEqual(["10.147.44.2/16"]);
      expect([...runningServices(yard.paths.run).keys()].filter((id) => id.startsWith("zerotier-"))).toHaveLength(2);
      expect(await yard.plan(lab(`[one, { type: zerotier, id: ${SECOND}, name: zt1 }]`))).toEqual([]);
    });

    test("is left when its nic goes, and the process stays for the others; so it does when the agent is killed", async () => {
      const running = () =>
        [...runningServices(yard.paths.run)].filter(([id]) => id.startsWith("zerotier-")).map(([, { pid }]) => pid);
      const pids = running();
      await kill(await yard.agentPid());
      expect((await yard.up(lab("[one]"))).failures).toEqual([]);
      expect((await yard.in("n", "ip", "link")).stdout).not.toContain("zt1");
      expect(running()).toEqual(pids);
      for (const pid of pids) await kill(pid);
      expect((await yard.up(lab("[one]"))).failures).toEqual([]);
      expect(running()).not.toEqual(pids);
      expect((await yard.in("n", "ip", "-4", "address", "show", "dev", "eth0")).stdout).toContain("10.147.");
    });

    test("that does not let the node in, or is not there, is the nic's error", async () => {
      const { failures } = await yard.up(lab("[one, closed, none]"));
      expect(failures).toMatchObject([
        {
          subject: { kind: "nic", node: "n", nic: "eth1" },
          code: "nic.not-joined",
          hint: expect.stringContaining("authorise"),
        },
        {
          subject: { kind: "nic", node: "n", nic: "eth2" },
          code: "nic.not-joined",
          hint: expect.stringContaining("nwid"),
        },
      ]);
    });

    test("goes with its processes and their homes", async () => {
      const home = join(yard.paths.state, "zerotier", "c");
      expect(readFileSync(join(home, "identity.secret"), "utf8")).toContain("2a00000000");
      expect((await yard.up("name: joined\nnodes: {}\n")).failures).toEqual([]);
      expect([...runningServices(yard.paths.run).keys()]).toEqual([]);
      expect(existsSync(home)).toBe(false);
    });
  },
);
