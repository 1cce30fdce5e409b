/** ecDock's command on the host's own switch, as somebody calls it who has no yard. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { childEnvironment, run, tryRun } from "@switchyard/base";
import {
  type DockerEngine,
  expectSameMachine,
  type Machine,
  requires,
  snapshotMachine,
  startDockerEngine,
  temporaryFolder,
  YARD_COMMAND,
} from "@switchyard/testing";
import { HostSwitch, hostSwitchFree, hostSwitchTurn, TURN_LIMIT } from "./host-switch.ts";

const ready = requires("root", "openvswitch", "docker-engine", "busybox") && hostSwitchFree();
const LIMIT = 60_000;

describe.skipIf(!ready)("ec on the host's switch", () => {
  const stack = new AsyncDisposableStack();
  let before: Machine;
  let host: HostSwitch;
  let engine: DockerEngine;
  let env: Record<string, string>;
  beforeAll(async () => {
    stack.use(await hostSwitchTurn());
    before = await snapshotMachine();
    // Without userspace TSO, as the host's switch is by default.
    host = stack.use(await HostSwitch.start(false));
    engine = stack.use(await startDockerEngine());
    const { path } = stack.use(await temporaryFolder("tslots-"));
    const folders = { SWITCHYARD_RUN_DIR: join(path, "run"), SWITCHYARD_STATE_DIR: join(path, "state") };
    env = { ...childEnvironment(), ...folders, DOCKER_HOST: engine.address };
  }, TURN_LIMIT + LIMIT);
  afterAll(async () => {
    const left = (await docker("ps", "-aq")).split("\n").filter((id) => id !== "");
    if (left.length > 0) await docker("rm", "-f", ...left);
    await run([...YARD_COMMAND, "--system", "down", "--all"], { env, timeout: LIMIT });
    await stack.disposeAsync();
    await expectSameMachine(before, { ours: /tslots|tse0|-y system/, timeout: 10_000 });
  }, LIMIT);

  const docker = (...argv: readonly string[]) =>
    run(["docker", "-H", engine.address, ...argv]).then((text) => text.trim());
  const ec = (...argv: readonly string[]) =>
    tryRun(["bash", "-c", 'exec -a ec "$@"', "ec", ...YARD_COMMAND, ...argv], { env, timeout: LIMIT });

  test(
    "containers reach each other by TCP and the host by its address, also once restarted; others' rows stay",
    async () => {
      const { rows } = await host.look();
      expect(await ec("create-vswitch", "tse0", "10.66.0.254/24")).toMatchObject({ code: 0 });
      const start = (...more: readonly string[]) => ec("--vswitch=tse0", ...more);
      expect(await start("--slot=1", "start", "busybox", "httpd", "-f", "-h", "/etc")).toMatchObject({ code: 0 });
      expect(await start("--slot=2", "start", "busybox", "sleep", "600")).toMatchObject({ code: 0 });
      await docker("restart", "-t", "0", "tse0-s02");
      const fetch = "until ip route | grep -q default; do sleep 0.1; done; wget -qO- http://10.66.0.1/group";
      expect(await docker("exec", "tse0-s02", "timeout", "10", "sh", "-c", fetch)).toContain("root:");
      await docker("exec", "tse0-s02", "ping", "-c1", "-W2", "10.66.0.254");
      expect(await (await globalThis.fetch("http://10.66.0.1/group")).text()).toContain("root:");
      const listed = await run([...YARD_COMMAND, "--system", "ps"], { env });
      expect(listed).toMatch(/^tse0-s01 +guest\/docker +running +tse0 +10\.66\.0\.1\/24$/m);
      for (const slot of ["1", "2"]) expect(await start("stop", slot)).toMatchObject({ code: 0, stderr: "" });
      expect(await ec("delete-vswitch", "tse0")).toMatchObject({ code: 0 });
      expect((await host.look()).rows).toEqual(rows);
    },
    LIMIT,
  );
});
