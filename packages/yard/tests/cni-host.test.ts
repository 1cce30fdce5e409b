/** The CNI plugin on the host's own switch, which a configuration means that names no other. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { childEnvironment, run, tryRun } from "@switchyard/base";
import { createNamespaces, deleteNamespaces } from "@switchyard/linux";
import { expectSameMachine, type Machine, requires, snapshotMachine, temporaryFolder } from "@switchyard/testing";
import { openSwitch } from "@switchyard/vswitch";
import { HostSwitch, hostSwitchFree, hostSwitchTurn, TURN_LIMIT } from "./host-switch.ts";

const ready = requires("root", "openvswitch", "iproute2", "cni-plugins") && hostSwitchFree();
const executable = new URL("../../../dist/yard", import.meta.url).pathname;
const LIMIT = 60_000;
const SPACES = ["tcnihost_a", "tcnihost_b"];

describe.skipIf(!ready)("the CNI plugin on the host's switch", () => {
  const stack = new AsyncDisposableStack();
  let before: Machine;
  let folder: string;
  let env: Record<string, string>;
  let agent: ChildProcess;
  beforeAll(async () => {
    stack.use(await hostSwitchTurn());
    before = await snapshotMachine();
    stack.use(await HostSwitch.start(true));
    folder = stack.use(await temporaryFolder("tcnihost-")).path;
    stack.defer(() => void deleteNamespaces(SPACES));
    createNamespaces(SPACES);
    symlinkSync(executable, join(folder, "ovs"));
    const folders = { SWITCHYARD_RUN_DIR: join(folder, "run"), SWITCHYARD_STATE_DIR: join(folder, "state") };
    env = { ...childEnvironment(), ...folders };
    await startAgent();
  }, TURN_LIMIT + LIMIT);
  afterAll(async () => {
    await run([executable, "--system", "down", "--all"], { env, timeout: LIMIT });
    await stack.disposeAsync();
    await expectSameMachine(before, { ours: /tcnihost|tsys-|-y system|yard system/, timeout: 10_000 });
  }, LIMIT);

  async function startAgent(): Promise<void> {
    agent = spawn(executable, ["--system", "agent", "--announce"], { env, stdio: ["ignore", "pipe", "ignore"] });
    const output = agent.stdout;
    if (output === null) throw new Error("the agent has no output");
    const [line] = await once(createInterface({ input: output }), "line");
    expect(String(line)).toContain("serving");
  }

  const conf = { cniVersion: "1.0.0", name: "net1", type: "ovs", bridge: "tsys-br", vlan: 12 };
  const call = (command: string, space: string) =>
    tryRun([join(folder, "ovs")], {
      input: JSON.stringify(conf),
      env: {
        ...env,
        CNI_COMMAND: command,
        CNI_CONTAINERID: space,
        CNI_NETNS: `/run/netns/${space}`,
        CNI_IFNAME: "eth0",
        CNI_PATH: folder,
      },
    });
  const [a = "", b = ""] = SPACES;
  const ports = async () => (await run(["ovs-vsctl", "list-ports", "tsys-br"])).trim().split("\n").sort();

  test(
    "takes away what an earlier boot has left when the agent starts, and nothing else",
    async () => {
      const names: string[] = [];
      for (const space of SPACES) {
        const { code, stdout } = await call("ADD", space);
        expect(code).toBe(0);
        names.push(JSON.parse(stdout).interfaces[0].name);
      }
      const [old = "", young = ""] = names;
      expect(await ports()).toEqual([...names, "tsys-port"].sort());
      await run(["ovs-vsctl", "set", "Port", old, "external_ids:cni-boot=before"]);
      const ended = once(agent, "exit");
      agent.kill("SIGKILL");
      await ended;
      await startAgent();
      await using db = await openSwitch("unix:/var/run/openvswitch/db.sock");
      await db.waitFor((it) => it.table("Port").find({ name: old }) === undefined, { timeout: 10_000 });
      expect(await ports()).toEqual([young, "tsys-port"].sort());
      for (const space of [a, b]) expect(await call("DEL", space)).toMatchObject({ code: 0, stdout: "" });
      expect(await ports()).toEqual(["tsys-port"]);
      expect(await run(["ip", "-brief", "link"])).not.toContain(old);
    },
    LIMIT,
  );
});
