/**
 * Runs the tests: `bun scripts/test.ts [all|unit|system|kernel|check|files] [--room NAME]… [--recheck] [PART OF A PATH]…`
 *
 * Unit tests run a room at a time, several rooms side by side; system tests run one file at a time, each in a process
 * of its own with a time limit, the machine compared before and after. `kernel` are those that run once more under the
 * kernel of Debian, each file in a virtual machine (`scripts/kernel/files.ts`, or what matches); `files` are system tests
 * with the executable that was built before, which is what runs in such a machine. With `--recheck` a file of system
 * tests that fails is run once more, as Open vSwitch's own tests are by RECHECK=yes: they hang on the timing of a real
 * machine. So is, in any case, a file whose virtual machine was lost. What passes only then is listed as unsteady. The
 * last line is `N passed, N failed`.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { requires } from "@switchyard/testing";
import { KernelLane, kernelFiles, MACHINES } from "./kernel/lane.ts";
import { endingLines } from "./run/ending.ts";
import { findRooms } from "./run/files.ts";
import { type Job, type JobResult, runJob } from "./run/job.ts";
import { runLimited } from "./run/process.ts";
import { endRemains } from "./run/remains.ts";

/** Runs a job, here or in a machine. */
type Attempt = () => Promise<JobResult>;

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
  const attempts = rooms
    .map((room) => ({ ...room, unit: chosen(room.unit) }))
    .filter(({ unit }) => unit.length > 0)
    .map(({ name, unit }) => here({ title: `${name} (unit)`, room: name, files: unit, alone: false, limit: 300 }));
  await sideBySide(attempts, Math.max(2, availableParallelism()), () => false);
}
if (what === "all" || what === "system" || what === "files") {
  // A user's yard may well be named like a test's; in CI the machine is the tests' own.
  if (process.env.CI === "true") for (const line of await endRemains()) print(`left by a killed run, ended: ${line}`);
  const attempts = rooms.flatMap(({ name, system }) =>
    chosen(system).map((file) => here({ title: file, room: name, files: [file], alone: true, limit: 420 })),
  );
  // What a file leaves behind would not be seen a second time.
  await sideBySide(attempts, 1, (result) => values.recheck && count(result, "failed") > 0);
}
if (what === "kernel" || (what === "all" && whole)) await underKernel();
finish();

function here(job: Job): Attempt {
  return () => runJob(job, root, process.execPath);
}

/** Another machine takes the place of one that was lost. */
async function underKernel(): Promise<void> {
  if (!requires("root", "qemu", "busybox")) return void skipped++;
  try {
    const system = rooms.flatMap((room) => room.system);
    const files = kernelFiles(system, parts);
    const lane = await KernelLane.open(root);
    const attempts = files.map((file) => () => lane.run(file));
    const isLost = ({ problems }: JobResult) => problems.length > 0;
    await sideBySide(attempts, MACHINES, (result) => isLost(result) || (values.recheck && count(result, "failed") > 0));
  } catch (error) {
    failed++;
    failures.push("the tests under Debian's kernel");
    print(`     ${error instanceof Error ? error.message : String(error)}`);
  }
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

/** @param again whether what has come of an attempt is worth another one */
async function sideBySide(
  attempts: readonly Attempt[],
  width: number,
  again: (result: JobResult) => boolean,
): Promise<void> {
  const waiting = [...attempts];
  const worker = async () => {
    for (let attempt = waiting.shift(); attempt; attempt = waiting.shift()) {
      const result = await attempt();
      tell(again(result) ? await secondOf(attempt, result) : result);
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
}

/** Tells how the first attempt has failed, and makes another. */
async function secondOf(attempt: Attempt, first: JobResult): Promise<JobResult> {
  tellProblems(first);
  print(`once more: ${first.title}`);
  const second = await attempt();
  if (isGood(second)) unsteady.push(second.title);
  return second;
}

function tellProblems({ title, output, problems }: JobResult): void {
  print(output.trimEnd());
  for (const problem of problems) print(`     ${title} ${problem}`);
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
    tellProblems(result);
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
