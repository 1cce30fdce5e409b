import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createServer, type Server } from "node:net";
import { run } from "@switchyard/base";
import {
  expectSameMachine,
  type Machine,
  type PodmanConfiguration,
  podmanConfiguration,
  requires,
  snapshotMachine,
} from "@switchyard/testing";
import { containerName } from "../src/agent/mod.ts";
import { LiveYard } from "./live.ts";

setDefaultTimeout(60_000);

const lab = (runtime: string, port = "") => `
name: days
networks: { lan: { cidr: 10.85.1.0/24 } }
nodes:
  host: { kind: netns, nics: [lan] }
  web: { kind: container, runtime: ${runtime}, image: busybox, pull: never, command: [sleep, "1000"], ${port}
         nics: [ { network: lan, ip: 10.85.1.80/24 } ] }
`;

const able = requires("root", "openvswitch", "runc", "conmon", "ping");
for (const runtime of ["oci", "podman"] as const) {
  const name = `t${runtime}${process.pid}`;
  describe.skipIf(!able || (runtime === "podman" && !requires("podman")))(`containers of ${runtime}`, () => {
    const LAB = lab(runtime);
    let before: Machine;
    let yard: LiveYard;
    let podman: PodmanConfiguration | undefined;

    beforeAll(async () => {
      before = await snapshotMachine();
      if (runtime === "podman") podman = await podmanConfiguration();
      // The agent inherits it.
      Object.assign(process.env, podman?.env);
      yard = await LiveYard.create(name);
      expect((await yard.up(LAB)).failures).toEqual([]);
    });
    afterAll(async () => {
      await yard[Symbol.asyncDispose]();
      for (const key of Object.keys(podman?.env ?? {})) delete process.env[key];
      await podman?.[Symbol.asyncDispose]();
      await expectSameMachine(before, { ours: new RegExp(name) });
    });

    const status = (state: string) =>
      yard.until(({ nodes }) => {
        const it = nodes.find((node) => node.name === "web")?.status;
        return it?.state === state && it;
      });
    const mac = async () => (await yard.in("web", "cat", "/sys/class/net/eth0/address")).stdout;

    test("that die are shown with their exit code, by an event, and are not started again by themselves", async () => {
      const [pid, its] = [await yard.nodePid("web"), await mac()];
      const at = yard.logLength();
      process.kill(pid, "SIGKILL");
      const ended = await yard.until(({ nodes }) => {
        const it = nodes.find((node) => node.name === "web")?.status;
        // That it has ended may be seen a moment before its code is noted.
        return it?.state === "exited" && it.exitCode !== undefined && it;
      });
      expect(ended).toMatchObject({ exitCode: 137, failure: undefined });
      await yard.logged('"actions":0,"failures":0', at);
      expect((await yard.status("web"))?.state).toBe("exited");

      expect((await yard.up(LAB)).failures).toEqual([]);
      const again = await status("running");
      expect(again.pid).not.toBe(pid);
      expect(await mac()).toBe(its);
      expect(await yard.comesToReach("host", "web")).toBe(true);
      expect(await yard.plan(LAB)).toEqual([]);
    });

    test("whose image is absent are the only ones that are not up, and their error says so", async () => {
      const ghost = `  ghost: { kind: container, runtime: ${runtime}, image: absent, pull: never, nics: [lan] }\n  web:`;
      const { failures } = await yard.up(LAB.replace("  web:", ghost));
      expect(failures).toMatchObject([{ subject: { kind: "node", node: "ghost" }, code: "runtime.image-absent" }]);
      expect(await yard.comesToReach("host", "web")).toBe(true);
      expect((await yard.up(LAB)).failures).toEqual([]);
    });

    // The oci runtime is no engine: there is nothing that would restart a container but the agent.
    const restartedByEngine = runtime === "podman" ? test : undefined;
    restartedByEngine?.("restarted by the engine keep their nic and its addresses", async () => {
      const [{ pid }, its] = [await status("running"), await mac()];
      const at = yard.logLength();
      await run(["podman", "restart", "--time", "0", containerName(name, "web")], { timeout: 30_000 });
      await yard.logged("converged", at);
      await yard.until(({ nodes }) => {
        const it = nodes.find((node) => node.name === "web")?.status;
        return it?.state === "running" && it.pid !== pid;
      });
      expect(await mac()).toBe(its);
      expect(await yard.comesToReach("host", "web")).toBe(true);
      expect(await yard.plan(LAB)).toEqual([]);
    });

    test("whose published port is taken say so; they run, and get it once it is free", async () => {
      const taken = await listen();
      const published = lab(runtime, `ports: ["127.0.0.1:${portOf(taken)}:80"],`);
      try {
        const { failures } = await yard.up(published);
        expect(failures).toMatchObject([{ subject: { kind: "node", node: "web" }, code: "node.port-taken" }]);
        expect(await yard.comesToReach("host", "web")).toBe(true);
      } finally {
        await new Promise((resolve) => taken.close(resolve));
      }
      await status("running");
      expect((await yard.up(published)).failures).toEqual([]);
    });
  });
}

function listen(): Promise<Server> {
  const server = createServer();
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}
