import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, watch } from "node:fs";
import { join } from "node:path";
import { expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { createSite, type Site, yardName } from "./yard.ts";

setDefaultTimeout(60_000);

describe.skipIf(!requires("root", "openvswitch", "busybox"))(
  "commands that are interrupted, and agents that end or hang under them",
  () => {
    const yard = yardName();
    let before: Machine;
    let site: Site;
    beforeAll(async () => {
      before = await snapshotMachine();
      site = await createSite();
      // Clients of DHCP run as nobody.
      chmodSync(join(site.folder, ".."), 0o755);
    });
    afterAll(async () => {
      await site[Symbol.asyncDispose]();
      await expectSameMachine(before, { ours: new RegExp(yard) });
    });

    test("Ctrl-C in mid-up leaves a state that converges, and says so", async () => {
      const signs = join(site.folder, "signs");
      mkdirSync(signs);
      // The first command tells that `up` is in the middle of it, the second keeps it there.
      site.write(
        "slow.yard.yaml",
        `name: slow
networks: { lan: { cidr: 10.5.0.0/24 } }
nodes: { slow: { kind: netns, nics: [lan], exec: [[touch, ${signs}/begun], [sleep, "3"], [touch, ${signs}/ended]] } }
`,
      );
      const began = performance.now();
      let interrupted = 0;
      const up = await site.yard(yard, ["up", "slow.yard.yaml"], {
        onStart: (child) => {
          const watcher = watch(signs, () => {
            watcher.close();
            interrupted = performance.now();
            child.kill("SIGINT");
          });
        },
      });
      expect(up.code).toBe(130);
      expect(up.stderr).toContain("stays declared and the agent goes on");
      expect(performance.now() - interrupted).toBeLessThan(2_000);
      expect(interrupted).toBeGreaterThan(began);
      expect(existsSync(join(signs, "ended"))).toBe(false);
      expect((await site.yard(yard, ["up", "slow.yard.yaml"])).code).toBe(0);
      expect(existsSync(join(signs, "ended"))).toBe(true);
      expect((await site.yard(yard, ["down"])).code).toBe(0);
    });

    test("Ctrl-C takes back what a command adds", async () => {
      const listed = async () => (await site.yard(yard, ["ps", "-q"])).stdout;
      const interrupted = async (argv: readonly string[], moment: () => Promise<boolean>) =>
        site.yard(yard, argv, {
          onStart: async (child) => {
            while (child.exitCode === null && !(await moment())) await Bun.sleep(20);
            child.kill("SIGINT");
          },
        });
      await site.said(yard, ["add", "network", "lan", "--cidr", "10.5.0.0/24"]);
      // Nobody gives it an address, for which the command waits.
      const add = await interrupted(["add", "netns", "late", "-n", "lan,dhcp=true"], async () =>
        (await listed()).includes("late"),
      );
      expect(add).toMatchObject({ code: 130, stderr: expect.stringContaining("what was asked for is taken back") });
      expect(await listed()).toBe("");
      expect((await site.yard(yard, ["rm", "lan"])).code).toBe(0);
    });

    test("an agent that dies in mid-up is replaced, and the lab comes up whole", async () => {
      const signs = join(site.folder, "more-signs");
      mkdirSync(signs);
      site.write(
        "killed.yard.yaml",
        `name: killed
networks: { lan: { cidr: 10.5.0.0/24 } }
nodes: { killed: { kind: netns, nics: [lan], exec: [[touch, ${signs}/begun], [sleep, "2"]] } }
`,
      );
      const { agent } = JSON.parse((await site.yard(yard, ["ps", "--json"])).stdout);
      const up = await site.yard(yard, ["up", "killed.yard.yaml"], {
        onStart: () => {
          const watcher = watch(signs, () => {
            watcher.close();
            process.kill(agent, "SIGKILL");
          });
        },
      });
      expect(up.code).toBe(0);
      expect((await site.yard(yard, ["up", "killed.yard.yaml"])).stdout).toContain("nothing to do");
      const after = JSON.parse((await site.yard(yard, ["ps", "--json"])).stdout);
      expect(after.agent).not.toBe(agent);
      expect(after.nodes).toMatchObject([{ name: "killed", state: "running" }]);
      expect((await site.yard(yard, ["down"])).code).toBe(0);
    });

    test("an agent that hangs is done without by who only looks, and can be left", async () => {
      await site.said(yard, [
        "up",
        site.write("hung.yard.yaml", "name: hung\nnodes: { hung: { kind: netns, count: 2 } }\n"),
      ]);
      const { agent } = JSON.parse(await site.said(yard, ["ps", "--json"]));
      process.kill(agent, "SIGSTOP");
      try {
        const leaving = (argv: readonly string[]) =>
          site.yard(yard, argv, { onStart: (child) => setTimeout(() => child.kill("SIGINT"), 1_000) });
        const [seen, up, all] = await Promise.all([
          site.yard(yard, ["ps", "-q"]),
          leaving(["up", "hung.yard.yaml"]),
          leaving(["down", "--all"]),
        ]);
        expect(seen).toMatchObject({ code: 0, stdout: "hung-1\nhung-2\n" });
        expect(up).toMatchObject({ code: 130, stderr: "interrupted: nothing was declared\n" });
        expect(all.code).toBe(130);
      } finally {
        process.kill(agent, "SIGCONT");
      }
      // It was asked to take the yard away, and now it does.
      const gone = await site.yard(yard, ["down", "--all"]);
      expect(gone.code).toBe(0);
      expect((await site.yard(yard, ["ps", "-q"])).stdout).toBe("");
    });
  },
);
