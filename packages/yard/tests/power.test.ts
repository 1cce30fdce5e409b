import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { endProcess, identify } from "@switchyard/linux";
import {
  expectSameMachine,
  type Machine,
  podmanConfiguration,
  requires,
  snapshotMachine,
  startDockerEngine,
} from "@switchyard/testing";
import { nodeNamespace } from "../src/agent/mod.ts";
import { type Commanded, rowsOf, type Store, startNodes, stopNodes } from "../src/store/mod.ts";
import { LiveYard } from "./live.ts";

setDefaultTimeout(60_000);

const lab = (runtime: string) => `
name: power
networks: { lan: { cidr: 10.89.1.0/24 } }
nodes:
  host: { kind: netns, nics: [{ network: lan, ip: 10.89.1.9/24 }, { network: lan }], exec: [touch HERE/ran] }
  pc: { kind: netns, nics: [{ network: lan, ip: 10.89.1.10/24 }] }
  web: { kind: container, runtime: ${runtime}, image: busybox, pull: never, command: [sleep, "1000"], ports: ["127.0.0.1:18989:80"],
         exec: [[sh, -c, "echo ran >> /ran"]], nics: [ { network: lan, ip: 10.89.1.80/24 } ] }
links: [ { endpoints: ["web:wire", "pc:wire"] } ]
`;

const able = requires("root", "openvswitch", "runc", "conmon", "ping");
for (const runtime of ["oci", "podman", "docker"] as const) {
  const engine = runtime === "oci" || requires(runtime === "podman" ? "podman" : "docker-engine");
  const name = `tpower${runtime}${process.pid}`;
  describe.skipIf(!able || !engine)(`nodes stopped and started, with a container of ${runtime}`, () => {
    const stack = new AsyncDisposableStack();
    let before: Machine;
    let yard: LiveYard;
    let text: string;

    beforeAll(async () => {
      before = await snapshotMachine();
      const environment: Record<string, string> = {};
      if (runtime === "podman") {
        const podman = stack.use(await podmanConfiguration());
        // The agent inherits it.
        Object.assign(process.env, podman.env);
        stack.defer(() => {
          for (const key of Object.keys(podman.env)) delete process.env[key];
        });
      }
      if (runtime === "docker") {
        environment.DOCKER_HOST = stack.use(await startDockerEngine()).address;
      }
      yard = stack.use(await LiveYard.create(name, { environment }));
      text = lab(runtime).replace("HERE", yard.folder);
      expect((await yard.up(text)).failures).toEqual([]);
    });
    afterAll(async () => {
      await stack.disposeAsync();
      await expectSameMachine(before, { ours: new RegExp(name) });
    });

    const change = async (write: (store: Store) => Promise<Commanded>) => {
      await using store = await yard.store();
      return await yard.settled((await write(store)).cfg);
    };
    const stop = (...nodes: string[]) => change((store) => stopNodes(store, nodes, 1));
    const start = (...nodes: string[]) => change((store) => startNodes(store, nodes));
    const node = async (of: string) => {
      await using store = await yard.store();
      const found = rowsOf(store.db).nodes.find((it) => it.name === of);
      if (found === undefined) throw new Error(`the lab has no ${of}`);
      return found;
    };
    const nics = async (of: string) =>
      (await yard.in(of, "ip", "-br", "-4", "address")).stdout + (await yard.in(of, "ip", "-br", "link")).stdout;
    const steady = (output: string) =>
      [...output.matchAll(/^(\w+)@?\S* +UP +(\S+)/gm)].map((it) => `${it[1]} ${it[2]}`);

    test("a stopped container is out of its networks, and no failure; started, it is as it was", async () => {
      const its = steady(await nics("web"));
      expect(its).toHaveLength(3);
      const { status } = await node("web");
      expect((await stop("web")).failures).toEqual([]);
      const down = await node("web");
      expect([down.status.state, down.status.pid, down.stopped]).toEqual(["stopped", undefined, 1]);
      expect(down.nics.map((nic) => [nic.status.state, nic.status.failure, nic.status.ofport])).toEqual([
        ["down", undefined, undefined],
        ["down", undefined, undefined],
      ]);
      expect((await yard.in("host", "ping", "-c1", "-W1", "10.89.1.80")).code).toBe(1);
      expect((await node("pc")).nics.map((nic) => nic.status.state)).toEqual(["up", "up"]);

      expect((await start("web")).failures).toEqual([]);
      const again = await node("web");
      expect([again.status.state, again.stopped]).toEqual(["running", undefined]);
      expect(again.status.container).toBe(status.container);
      expect(again.status.pid).not.toBe(status.pid);
      expect(steady(await nics("web"))).toEqual(its);
      expect(await yard.comesToReach("host", "10.89.1.80")).toBe(true);
      expect(await yard.plan(text)).toEqual([]);
    });

    test("it stays stopped when the lab is declared again, and when the agent ends and comes back", async () => {
      await stop("web", "host");
      expect((await yard.up(text)).failures).toEqual([]);
      expect(await yard.plan(text)).toEqual([]);
      expect((await node("web")).status.state).toBe("stopped");
      const agent = identify(await yard.agentPid());
      if (agent) await endProcess(agent, 0);
      const at = yard.logLength();
      await (await yard.agent())[Symbol.asyncDispose]();
      await yard.logged('"actions":0,"failures":0', at);
      expect([(await node("web")).status.state, (await node("host")).status.state]).toEqual(["stopped", "stopped"]);
      expect((await yard.in("host", "true")).code).not.toBe(0);

      rmSync(join(yard.folder, "ran"));
      expect((await start("web", "host")).failures).toEqual([]);
      rmSync(join(yard.folder, "ran"));
      expect(await yard.comesToReach("host", "10.89.1.80")).toBe(true);
      expect(await yard.plan(text)).toEqual([]);
    });

    // What tells one engine from another is tested by the others.
    if (runtime === "oci")
      test("an agent that is killed while it stops or starts a node is continued by the next one", async () => {
        for (const [write, state] of [
          [(store: Store) => stopNodes(store, ["web"], 0), "stopped"],
          [(store: Store) => startNodes(store, ["web"]), "running"],
        ] as const) {
          const pid = await yard.agentPid();
          const begun = yard.logged('"phase begins"', yard.logLength());
          await using store = await yard.store();
          const { cfg } = await write(store);
          await begun;
          process.kill(pid, "SIGKILL");
          expect((await yard.settled(cfg)).failures).toEqual([]);
          expect((await node("web")).status.state).toBe(state);
          expect(await yard.plan(text)).toEqual([]);
        }
        expect(await yard.comesToReach("host", "10.89.1.80")).toBe(true);
      });

    test("a change of a stopped node is made without starting it; gone from the lab, it is gone", async () => {
      await stop("web");
      const other = text.replace("10.89.1.80", "10.89.1.81").replace('"1000"', '"999"');
      expect((await yard.up(other)).failures).toEqual([]);
      expect((await node("web")).status.state).toBe("stopped");
      expect((await start("web")).failures).toEqual([]);
      expect(await yard.comesToReach("host", "10.89.1.81")).toBe(true);
      await stop("web", "host");
      const without = text.replace(/ {2}web:.*?(?=links)/s, "").replace(/links.*/, "");
      expect((await yard.up(without)).failures).toEqual([]);
      expect((await yard.in("web", "true")).code).not.toBe(0);
      expect(nodeNamespace(name, "web")).toContain(name);
      expect((await start("host")).failures).toEqual([]);
      expect(await yard.reaches("pc", "10.89.1.9")).toBe(true);
    });
  });
}
