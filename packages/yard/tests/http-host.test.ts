/** The host's own switch over HTTP, as a program asks that is root's: by the socket. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { childEnvironment, deadline, run } from "@switchyard/base";
import {
  expectSameMachine,
  type Machine,
  patience,
  requires,
  snapshotMachine,
  temporaryFolder,
  YARD_COMMAND,
} from "@switchyard/testing";
import { z } from "zod";
import { HostSwitch, hostSwitchFree, hostSwitchTurn, TURN_LIMIT } from "./host-switch.ts";

setDefaultTimeout(60_000);

const LAB = `name: sys
networks: {lan: {cidr: 10.78.3.0/24}}
nodes:
  a: {kind: netns, nics: [lan]}
  b: {kind: netns, nics: [lan]}
`;
/** What a system yard makes in the host's own namespaces. */
const OURS = /yard_system|run\/system|^_[kgbwixy]_|^_probe$|tsys|tsyshttp/;

const nics = z.array(z.looseObject({ port: z.string(), spy: z.unknown(), impair: z.unknown() }));
const node = z.looseObject({ state: z.string(), nics });
const pairs = z.looseObject({ pairs: z.array(z.looseObject({ roundTrip: z.number() })) });

describe.skipIf(!(requires("root", "openvswitch", "iproute2", "tcpdump") && hostSwitchFree()))(
  "the host's own switch over HTTP",
  () => {
    const stack = new AsyncDisposableStack();
    let before: Machine;
    let host: HostSwitch;
    let found: Awaited<ReturnType<HostSwitch["look"]>>;
    let unix: string;

    beforeAll(async () => {
      stack.use(await hostSwitchTurn());
      before = await snapshotMachine();
      host = stack.use(await HostSwitch.start(true));
      found = await host.look();
      const { path } = stack.use(await temporaryFolder("tsyshttp-"));
      const folders = { SWITCHYARD_RUN_DIR: join(path, "run"), SWITCHYARD_STATE_DIR: join(path, "state") };
      const env = { ...childEnvironment(), ...folders };
      stack.defer(
        async () => void (await run([...YARD_COMMAND, "--system", "down", "--all"], { env, timeout: 60_000 })),
      );
      const [program, ...first] = YARD_COMMAND;
      const argv = [...first, "--system", "serve", "--http", "127.0.0.1:0", "--rate", "0"];
      const server = spawn(program, argv, { env, cwd: path, stdio: ["ignore", "pipe", "ignore"] });
      const ended = once(server, "exit");
      stack.defer(async () => {
        server.kill();
        await ended;
      });
      await once(createInterface({ input: server.stdout }), "line");
      unix = join(path, "run", "system.http.sock");
      await done("PUT", "/labs/sys", { text: LAB });
    }, TURN_LIMIT);
    afterAll(async () => {
      await stack.disposeAsync();
      await expectSameMachine(before, { ours: OURS });
    });

    const ask = (method: string, path: string, body?: unknown) =>
      fetch(`http://yard/api/v1${path}`, {
        ...{ method, unix, headers: { "content-type": "application/json" } },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    const done = async (method: string, path: string, body?: unknown): Promise<unknown> => {
      const answer = await ask(method, path, body);
      if (answer.status !== 200) throw new Error(`${method} ${path}: ${await answer.text()}`);
      return await answer.json();
    };
    const nodeOf = async (name: string) => node.parse(await done("GET", `/nodes/${name}`));
    const pings = async () => pairs.parse(await done("POST", "/pingall", {})).pairs.map(({ roundTrip }) => roundTrip);

    test("a lab is up on it, its nodes reach each other, and others' rows are as they were", async () => {
      expect(await done("GET", "/session")).toMatchObject({ yard: "system", name: "unix" });
      expect(await pings()).toHaveLength(2);
      const { pid, rows } = await host.look();
      expect([pid, rows]).toEqual([found.pid, expect.arrayContaining(found.rows)]);
    });

    test("of its bridges those are told that are the yard's; others' are none of its business", async () => {
      expect(await done("GET", "/bridges")).toEqual([expect.objectContaining({ purpose: "network lan" })]);
      const refused = await ask("GET", "/bridges/tsys-br/flows");
      expect([refused.status, await refused.json()]).toEqual([
        404,
        expect.objectContaining({ code: "switch.bridge-unknown" }),
      ]);
      const port = (await nodeOf("b")).nics[0]?.port;
      expect(await done("POST", "/nodes/a/nics/eth0/trace", { to: { node: "b", nic: "eth0" } })).toMatchObject({
        outputs: [port],
      });
    });

    test("nics are spied on and impaired, nodes stopped and started, and all of it undone", async () => {
      await done("PUT", "/nodes/a/nics/eth0/spy", { on: true });
      await done("PATCH", "/nodes/a/nics/eth0/impair", { forward: { delay: "30ms" } });
      // The switch forgets the ways of packets that it has passed a moment later.
      using limit = deadline(patience(10_000), "test.timeout", "no ping was delayed");
      while (!(await pings()).every((roundTrip) => roundTrip > 25)) limit.throwIfAborted();
      await done("POST", "/nodes/b/stop");
      expect((await nodeOf("b")).state).toBe("stopped");
      for (const what of ["stop b", "impair a:eth0", "spy on a:eth0"])
        expect(await done("POST", "/undo")).toMatchObject({ step: { what }, failures: [] });
      expect((await nodeOf("a")).nics).toMatchObject([{ spy: null, impair: null }]);
      expect((await nodeOf("b")).state).toBe("running");
    });
  },
);
