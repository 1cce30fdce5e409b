import { describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { run } from "@switchyard/base";
import {
  endProcess,
  identify,
  isAlive,
  isEnding,
  lockFile,
  lockHolder,
  type ProcessId,
  startTime,
  watchExit,
} from "../src/mod.ts";

function started(...argv: [string, ...string[]]): { id: ProcessId; ended: Promise<NodeJS.Signals | null> } {
  const [program, ...args] = argv;
  const child = spawn(program, args, { stdio: "ignore" });
  const ended = new Promise<NodeJS.Signals | null>((resolve) => child.once("exit", (_code, signal) => resolve(signal)));
  const id = identify(child.pid ?? 0);
  if (id === undefined) throw new Error(`${program} did not start`);
  return { id, ended };
}

/** A shell that will not hear of SIGTERM, and has said so. */
async function stubborn(): Promise<{ id: ProcessId; ended: Promise<unknown> }> {
  const script = "trap '' TERM; echo ready; read line";
  const child = spawn("/bin/sh", ["-c", script], { stdio: ["pipe", "pipe", "ignore"] });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  await new Promise((resolve) => child.stdout.once("data", resolve));
  const id = identify(child.pid ?? 0);
  if (id === undefined) throw new Error("sh did not start");
  return { id, ended };
}

describe("processes", () => {
  test("are told apart by their start time, whatever their name holds", async () => {
    const { id, ended } = started("sleep", "60");
    expect(isAlive(id)).toBe(true);
    expect(isAlive({ pid: id.pid, startTime: id.startTime - 1n })).toBe(false);
    expect(startTime(process.pid)).toBeDefined();
    // ps tells the same in another way: seconds since it started.
    const seconds = Number(await run(["ps", "-o", "etimes=", "-p", String(id.pid)]));
    expect(seconds).toBeLessThan(5);
    await endProcess(id, 1_000);
    await ended;
    expect(isAlive(id)).toBe(false);
    expect(startTime(id.pid)).toBeUndefined();
    for (const pid of [0, -1, 1.5, 2 ** 22 + 1]) expect(startTime(pid)).toBeUndefined();
  });

  test("end when asked, in time by their own will, else by force", async () => {
    const gentle = started("sleep", "60");
    await endProcess(gentle.id, 5_000);
    expect(await gentle.ended).toBe("SIGTERM");
    const hard = await stubborn();
    const begun = performance.now();
    await endProcess(hard.id, 100);
    expect(performance.now() - begun).toBeGreaterThan(95);
    await hard.ended;
    const at_once = started("sleep", "60");
    await endProcess(at_once.id, 0);
    expect(await at_once.ended).toBe("SIGKILL");
  });

  test("are ending from the moment that they are killed, and not before", async () => {
    const child = spawn("sleep", ["60"]);
    const { pid } = child;
    if (pid === undefined) throw new Error("sleep did not start");
    expect(isEnding(process.pid)).toBe(false);
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
    expect(isEnding(pid)).toBe(true);
  });

  test("that have ended, or whose pid is another's now, are left alone", async () => {
    const { id, ended } = started("sleep", "60");
    await endProcess({ pid: id.pid, startTime: id.startTime - 1n }, 0);
    expect(isAlive(id)).toBe(true);
    await endProcess(id, 0);
    await ended;
    await endProcess(id, 0);
  });

  test("are missed once each, at once, and not after the watch was given up", async () => {
    const watched = started("sleep", "60");
    const other = started("sleep", "60");
    let ends = 0;
    const told = new Promise<void>((resolve) => {
      watchExit(watched.id, () => {
        ends++;
        resolve();
      });
    });
    let late = 0;
    const given_up = watchExit(other.id, () => late++);
    given_up[Symbol.dispose]();
    given_up[Symbol.dispose]();
    await endProcess(other.id, 0);
    await endProcess(watched.id, 0);
    await told;
    await Promise.all([watched.ended, other.ended]);
    expect([ends, late]).toEqual([1, 0]);
    const already = await new Promise<string>((resolve) => watchExit(watched.id, () => resolve("told later")));
    expect(already).toBe("told later");
  });

  test("two hundred are watched by one thread, and again leave no thread or descriptor behind", async () => {
    const count = (what: string) => readdirSync(`/proc/self/${what}`).length;
    const watchAll = async (number: number) => {
      const all = Array.from({ length: number }, () => started("sleep", "60"));
      const done = Promise.all(all.map(({ id }) => new Promise<void>((resolve) => watchExit(id, resolve))));
      const threads = count("task");
      for (const { id } of all) process.kill(id.pid, "SIGKILL");
      await done;
      await Promise.all(all.map(({ ended }) => ended));
      return threads;
    };
    await watchAll(1);
    const before = { threads: count("task"), descriptors: count("fd") };
    expect(await watchAll(200)).toBeLessThan(before.threads + 8);
    for (let i = 0; i < 20; i++) await watchAll(1);
    // What is being ended at this moment may still be there; twenty are not.
    expect(count("task")).toBeLessThan(before.threads + 10);
    expect(count("fd")).toBeLessThan(before.descriptors + 10);
  });
});

describe("a lock file", () => {
  test("has one holder at a time, of whatever process, and is free when that is gone", async () => {
    const folder = mkdtempSync("/tmp/tlinux-lock-");
    try {
      const path = `${folder}/lock`;
      const lock = lockFile(path);
      expect(lock).toBeDefined();
      expect(lockFile(path)).toBeUndefined();
      expect(lockHolder(path)).toBe(process.pid);
      const taker = spawn("flock", ["--nonblock", path, "true"]);
      expect(await new Promise((resolve) => taker.once("exit", resolve))).toBe(1);
      lock?.[Symbol.dispose]();
      const holder = spawn("flock", [path, "sh", "-c", "echo held; read line"], { stdio: ["pipe", "pipe", "inherit"] });
      await new Promise((resolve) => holder.stdout.once("data", resolve));
      expect(lockFile(path)).toBeUndefined();
      expect(lockHolder(path)).toBe(holder.pid);
      const ended = new Promise((resolve) => holder.once("exit", resolve));
      holder.stdin.end();
      await ended;
      expect(lockHolder(path)).toBeUndefined();
      using again = lockFile(path);
      expect(again).toBeDefined();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("is not inherited by the processes that its holder starts", async () => {
    const folder = mkdtempSync("/tmp/tlinux-lock-");
    const lock = lockFile(`${folder}/lock`);
    const child = started("sleep", "60");
    lock?.[Symbol.dispose]();
    const again = lockFile(`${folder}/lock`);
    expect(again).toBeDefined();
    again?.[Symbol.dispose]();
    await endProcess(child.id, 0);
    rmSync(folder, { recursive: true });
  });
});
