/**
 * Runs the tests: `bun scripts/test.ts [all|unit|system|kernel|check|files] [--room NAME]… [--recheck] [PART OF A PATH]…`
 *
 * Unit tests run a room at a time, several rooms side by side; system tests run one file at a time, each in a process
 * of its own with a time limit, the machine compared before and after. `kernel` are those that also run under the kernel
 * of Debian, in a virtual machine (`scripts/kernel/files.ts`, or what matches); `files` are system tests with the
 * executable that was built before, which is what runs in that machine. With `--recheck` a file of system tests that
 * fails is run once more, as Open vSwitch's own tests are by RECHECK=yes: they hang on the timing of a real machine.
 * What passes only then is listed as unsteady. The last line is `N passed, N failed`.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { requires } from "@switchyard/testing";
import { runUnderKernel } from "./kernel/lane.ts";
import { endingLines } from "./run/ending.ts";
import { findRooms } from "./run/files.ts";
import { type Job, type JobResult, runJob } from "./run/job.ts";
import { runLimited } from "./run/process.ts";
import { endRemains } from "./run/remains.ts";

const root = new URL("..", import.meta.url).pathname.replace(/\/$/, "");
const { values, positionals } = parseArgs({
  options: { room: { type: "string", multiple: true }, recheck: { type: "boolean", default: false } },
  allowPositionals: true,
});
const [what = "all", ...parts] = positionals;
const kinds = ["all", "unit", "system", "kernel", "check", "files"];
if (!kinds.includes(what)) {
  process.stderr.write(`usage: bun scripts/test.ts [${kinds.join("|")}] [--room NAME]… [--recheck] [PART…]\n`);
  process.exit(2);
}
/** Rooms whose system tests call the built executable. */
const usesExecutable = new Set(["yard", "cli", "doors", "web", "house"]);
const whole = values.room === undefined && parts.length === 0;
const began = performance.now();
let passed = 0;
let failed = 0;
const slowest: { file: string; seconds: number }[] = [];
const skipReasons = new Set<string>();
const failures: string[] = [];
const unsteady: string[] = [];
let skipped = 0;

// Ctrl-C ends the running files too: they are in process groups of their own.
process.once("SIGINT", () => process.exit(130));
process.once("SIGTERM", () => process.exit(143));
mkdirSync(`${root}/dist/tests`, { recursive: true });
rmSync(`${root}/dist/tests/result`, { force: true });

const rooms = findRooms(root).filter(({ name }) => values.room === undefined || values.room.includes(name));
const chosen = (files: readonly string[]) =>
  files.filter((file) => parts.length === 0 || parts.some((part) => file.includes(part)));

if (what === "check" || (what === "all" && whole)) {
  await check("types", ["node_modules/.bin/tsc", "-p", "."], 300);
  await check("types of the page", ["node_modules/.bin/tsc", "-p", "packages/web"], 300);
  await check("lint and format", ["node_modules/.bin/biome", "check", "--max-diagnostics=50", "."], 120);
}
if (["all", "system", "kernel"].includes(what) && rooms.some(({ name }) => usesExecutable.has(name)))
  await check("build dist/yard", ["make", "--no-print-directory", "dist/yard"], 300);
if (what === "all" || what === "system") process.env.SWITCHYARD_TEST_EXECUTABLE = `${root}/dist/yard`;
if (what === "all" || what === "unit") {
  const jobs = rooms.map(({ name, unit }) => ({
    title: `${name} (unit)`,
    room: name,
    files: chosen(unit),
    alone: false,
    limit: 300,
  }));
  await sideBySide(jobs, Math.max(2, availableParallelism()));
}
if (what === "all" || what === "system" || what === "files") {
  // A user's yard may well be named like a test's; in CI the machine is the tests' own.
  if (process.env.CI === "true") for (const line of await endRemains()) print(`left by a killed run, ended: ${line}`);
  const jobs = rooms.flatMap(({ name, system }) =>
    chosen(system).map((file) => ({ title: file, room: name, files: [file], alone: true, limit: 420 })),
  );
  await sideBySide(jobs, 1);
}
if (what === "kernel") await underKernel();
finish();

/** Counts what runs in the machine under Debian's kernel as if it ran here. */
async function underKernel(): Promise<void> {
  const title = "under Debian's kernel";
  const started = performance.now();
  const system = rooms.flatMap((room) => room.system);
  let here = { passed: 0, failed: 1 };
  try {
    if (!requires("root", "qemu", "busybox")) return void skipped++;
    const ending = await runUnderKernel({
      root,
      system,
      parts,
      recheck: values.recheck,
      print: (line) => print(`     ${line}`),
    });
    here = ending;
    failures.push(...ending.failures.map((name) => `${name} ${title}`));
    unsteady.push(...ending.unsteady.map((name) => `${name} ${title}`));
  } catch (error) {
    failures.push(title);
    print(`     ${error instanceof Error ? error.message : String(error)}`);
  }
  passed += here.passed;
  failed += here.failed;
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  print(`${here.failed === 0 ? "ok  " : "FAIL"} ${title}  ${here.passed} passed, ${here.failed} failed  ${seconds} s`);
}

/** A command that counts as one test. */
async function check(title: string, argv: readonly [string, ...string[]], limit: number): Promise<void> {
  const ended = await runLimited(argv, { cwd: root, limit });
  if (ended.code === 0) passed++;
  else {
    failed++;
    failures.push(title);
    print(ended.output.trimEnd());
  }
  print(`${ended.code === 0 ? "ok  " : "FAIL"} ${title}  ${ended.seconds.toFixed(1)} s`);
}

async function sideBySide(jobs: readonly Job[], width: number): Promise<void> {
  const waiting = jobs.filter(({ files }) => files.length > 0);
  const worker = async () => {
    for (let job = waiting.shift(); job; job = waiting.shift()) {
      const result = await runJob(job, root, process.execPath);
      // What a file leaves behind would not be seen a second time.
      if (values.recheck && job.alone && count(result, "failed") > 0) tell(await again(job, result));
      else tell(result);
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
}

/** Tells how a file has failed, and runs it once more. */
async function again(job: Job, first: JobResult): Promise<JobResult> {
  print(first.output.trimEnd());
  for (const problem of first.problems) print(`     ${first.title} ${problem}`);
  print(`once more: ${first.title}`);
  const second = await runJob(job, root, process.execPath);
  if (isGood(second)) unsteady.push(second.title);
  return second;
}

function count(result: JobResult, of: "passed" | "failed" | "skipped"): number {
  return result.files.reduce((total, file) => total + file[of], 0);
}

function isGood(result: JobResult): boolean {
  return count(result, "failed") + result.problems.length === 0;
}

function tell(result: JobResult): void {
  const sum = (of: "passed" | "failed" | "skipped") => count(result, of);
  passed += sum("passed");
  failed += sum("failed") + result.problems.length;
  skipped += sum("skipped");
  for (const { file, seconds } of result.files) slowest.push({ file, seconds });
  for (const reason of result.skipReasons) skipReasons.add(reason);
  const good = isGood(result);
  if (!good) {
    failures.push(result.title);
    print(result.output.trimEnd());
    for (const problem of result.problems) print(`     ${result.title} ${problem}`);
  }
  const counts = [`${sum("passed")} passed`];
  if (sum("failed") > 0) counts.push(`${sum("failed")} failed`);
  if (sum("skipped") > 0) counts.push(`${sum("skipped")} skipped`);
  print(`${good ? "ok  " : "FAIL"} ${result.title}  ${counts.join(", ")}  ${result.seconds.toFixed(1)} s`);
}

function finish(): never {
  slowest.sort((a, b) => b.seconds - a.seconds);
  if (slowest.length > 1) {
    print("\nslowest:");
    for (const { file, seconds } of slowest.slice(0, 5)) print(`  ${seconds.toFixed(1).padStart(6)} s  ${file}`);
  }
  if (skipped > 0) print(`\n${skipped} skipped:`);
  for (const reason of skipReasons) print(`  ${reason}`);
  if (passed + failed === 0) {
    failed = 1;
    print("no test matches");
  }
  print(`\n${((performance.now() - began) / 1000).toFixed(0)} s`);
  const lines = endingLines({ passed, failed, failures, unsteady });
  writeFileSync(`${root}/dist/tests/result`, `${lines.at(-1)}\n`);
  for (const line of lines) print(line);
  process.exit(failed === 0 ? 0 : 1);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
