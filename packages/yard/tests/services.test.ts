import { expect, test } from "bun:test";
import { existsSync, rmSync } from "node:fs";
import { createLogger } from "@switchyard/base/log";
import { isAlive } from "@switchyard/linux";
import { temporaryFolder } from "@switchyard/testing";
import { runningServices, Services } from "../src/agent/services.ts";

const log = createLogger("test", "silent");

test("a process whose agent was killed before it wrote the pid file is found by its environment, and ended", async () => {
  await using folder = await temporaryFolder("tservices-");
  const argv = ["sleep", "1000"];
  using first = new Services(folder.path, log, () => {});
  await first.start("sleeper", argv);
  const pidFile = `${folder.path}/services/sleeper.pid`;
  expect(existsSync(pidFile)).toBe(true);
  const { pid, startTime } = { pid: 0, startTime: 0n, ...first.running().get("sleeper") };
  rmSync(pidFile);

  using next = new Services(folder.path, log, () => {});
  expect(next.running().get("sleeper")).toMatchObject({ pid, startTime, argv });
  expect(runningServices(`${folder.path}/other`).size).toBe(0);
  await next.stop("sleeper");
  expect(isAlive({ pid, startTime })).toBe(false);
  expect(runningServices(folder.path).size).toBe(0);
});
