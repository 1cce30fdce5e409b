import { readFileSync, rmSync } from "node:fs";
import {
  type Difference,
  markedProcesses,
  RUN_MARK,
  SKIP_LINE,
  snapshotMachine,
  waitForSame,
} from "@switchyard/testing";
import { type FileCounts, readJunit } from "./junit.ts";
import { runLimited } from "./process.ts";

/** One `bun test` process to run. */
export interface Job {
  readonly title: string;
  readonly room: string;
  readonly files: readonly string[];
  /** Compare the machine before and after: only where nothing else runs meanwhile. */
  readonly alone: boolean;
  /** Seconds. */
  readonly limit: number;
}

/** What came of it. */
export interface JobResult {
  readonly title: string;
  readonly files: readonly FileCounts[];
  /** What failed beside tests: a crash, the time limit, things left behind, skips where none are allowed. */
  readonly problems: readonly string[];
  readonly skipReasons: readonly string[];
  readonly seconds: number;
  /** Shown when anything failed. */
  readonly output: string;
}

/**
 * On a developer's machine others work too, so only names that the room's tests give their things count there: `t<room>…`.
 * In CI the machine is ours alone, and everything counts.
 */
function namesOf(room: string): RegExp {
  return new RegExp(`(^|[/_ ])(t|sy)${room}`);
}

/** Runs one job. Everything it starts carries a mark in its environment, and is ended here if it did not end itself. */
export async function runJob(job: Job, root: string, bun: string): Promise<JobResult> {
  const ci = process.env.CI === "true";
  const run = `${process.pid}-${job.title.replaceAll(/[^\w.]+/g, "-")}`;
  const report = `${root}/dist/tests/${run}.xml`;
  const before = job.alone ? await snapshotMachine() : undefined;
  const ended = await runLimited(
    [
      bun,
      "test",
      "--reporter=junit",
      `--reporter-outfile=${report}`,
      "--timeout=60000",
      ...job.files.map((file) => `./${file}`),
    ],
    { cwd: root, limit: job.limit, env: { [RUN_MARK]: run } },
  );
  const files = readReport(report);
  const problems: string[] = [];
  const failed = files.reduce((sum, file) => sum + file.failed, 0);
  if (ended.code === 124) problems.push(`did not end within ${job.limit} s`);
  else if (ended.code !== 0 && failed === 0) problems.push(`ended with exit code ${ended.code}`);
  else if (files.length === 0) problems.push("reported no tests");
  problems.push(...(await leftProcesses(run)));
  if (before) problems.push(...summary(await waitForSame(before, ci ? {} : { ours: namesOf(job.room) })));
  const skipped = files.reduce((sum, file) => sum + file.skipped, 0);
  if (ci && skipped > 0) problems.push(`${skipped} tests were skipped, and in CI none may be`);
  const skipReasons = ended.output.split("\n").filter((line) => line.startsWith(SKIP_LINE));
  return { title: job.title, files, problems, skipReasons, seconds: ended.seconds, output: ended.output };
}

/** What still runs of this job, and kills it: by the number of a process that bears our mark, never by name. */
async function leftProcesses(run: string): Promise<string[]> {
  // A child that has been told to end may need a moment to do so.
  for (let left = 20; left > 0 && markedProcesses(run).length > 0; left--) await Bun.sleep(50);
  return markedProcesses(run).map(({ pid, command }) => {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended meanwhile.
    }
    return `left behind the process ${pid}: ${command.slice(0, 160)}`;
  });
}

/** One problem, however many things differ. */
function summary(differences: readonly Difference[]): string[] {
  if (differences.length === 0) return [];
  const lines = differences.slice(0, 20).map(({ kind, what, entry }) => `\n       ${what}: ${entry} (${kind})`);
  const more = differences.length > 20 ? `\n       and ${differences.length - 20} more` : "";
  return [`did not leave the machine as it was:${lines.join("")}${more}`];
}

function readReport(path: string): FileCounts[] {
  try {
    return readJunit(readFileSync(path, "utf8"));
  } catch {
    return [];
  } finally {
    rmSync(path, { force: true });
  }
}
