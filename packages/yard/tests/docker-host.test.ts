/** Docker networks on the host's own switch, by a driver that somebody starts who has no yard. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { childEnvironment, run } from "@switchyard/base";
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

const ready = requires("root", "openvswitch", "docker-engine", "busybox", "nftables") && hostSwitchFree();
const LIMIT = 60_000;
const DRIVER = `tdhost${process.pid}`;

describe.skipIf(!ready)("Docker networks on the host's switch", () => {
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
    const { path } = stack.use(await temporaryFolder("tdhost-"));
    const folders = { SWITCHYARD_RUN_DIR: join(path, "run"), SWITCHYARD_STATE_DIR: join(path, "state") };
    env = { ...childEnvironment(), ...folders };
    stack.defer(async () => void (await yard("--system", "down", "--all")));
    const [program, ...first] = YARD_COMMAND;
    const argv = [...first, "docker-driver", "--name", DRIVER, "--engine", engine.address, "--announce"];
    const driver = spawn(program, argv, { env, stdio: ["ignore", "pipe", "ignore"] });
    const ended = once(driver, "exit");
    stack.defer(async () => {
      driver.kill();
      await ended;
    });
    await once(createInterface({ input: driver.stdout }), "line");
  }, TURN_LIMIT + LIMIT);
  afterAll(async () => {
    await stack.disposeAsync();
    await expectSameMachine(before, { ours: /tdhost|-y system|--yard system/, timeout: 10_000 });
  }, LIMIT);

  const yard = (...argv: readonly string[]) => run([...YARD_COMMAND, ...argv], { env, timeout: LIMIT });
  const docker = (...argv: readonly string[]) =>
    run(["docker", "-H", engine.address, ...argv], { timeout: LIMIT }).then((text) => text.trim());

  test(
    "connect containers by TCP, publish ports, and leave others' rows as they were",
    async () => {
      const { rows } = await host.look();
      await docker("network", "create", "-d", DRIVER, "--subnet", "10.67.0.0/24", "office");
      const server = ["busybox", "sh", "-c", "hostname >/www/index.html; exec httpd -f -h /www"];
      await docker(..."run -d --network office --name web -h web -p 127.0.0.1:18967:80".split(" "), ...server);
      const fetched = "until wget -qO- http://web/; do sleep 0.1; done";
      const client = ["run", "--rm", "--network", "office", "busybox", "timeout", "20", "sh", "-c", fetched];
      expect(await docker(...client)).toBe("web");
      expect(await (await fetch("http://127.0.0.1:18967/")).text()).toBe("web\n");
      expect(await yard("--system", "ps")).toMatch(/^web +guest\/docker +running +office +10\.67\.0\.2\/24/m);
      await docker("rm", "-f", "web");
      await docker("network", "rm", "office");
      expect((await host.look()).rows).toEqual(rows);
    },
    LIMIT,
  );
});
