import { readCounts } from "../run/ending.ts";
import type { JobResult } from "../run/job.ts";
import { KERNEL_FILES } from "./files.ts";
import { type GuestHost, openGuestHost, runInGuest } from "./guest.ts";

/** How much longer than elsewhere a test may take: processors that are emulated are ten times slower. */
const PATIENCE = 6;
/** How many machines run at a time: each has one processor. */
export const MACHINES = 2;
/** Of one file in its machine, in seconds: its own time, and what the machine takes to start. */
const LIMIT = 480;

/**
 * The files of `files.ts`, or what matches.
 *
 * @param system all files of system tests
 * @throws Error when there are none
 */
export function kernelFiles(system: readonly string[], parts: readonly string[]): readonly string[] {
  const files = parts.length === 0 ? KERNEL_FILES : system.filter((file) => parts.some((part) => file.includes(part)));
  const missing = files.filter((file) => !system.includes(file));
  if (missing.length > 0) throw new Error(`scripts/kernel/files.ts names what is not there: ${missing.join(", ")}`);
  return files;
}

/**
 * Runs files of system tests under the kernel of Debian, each in a virtual machine of its own that sees this host's root
 * file system, unwritable: what a test writes stays in the machine's memory.
 */
export class KernelLane {
  private constructor(
    private readonly root: string,
    private readonly host: GuestHost,
  ) {}

  /** @throws Error when there is no kernel, or nothing that starts one */
  static async open(root: string): Promise<KernelLane> {
    return new KernelLane(root, await openGuestHost());
  }

  /**
   * Runs one file.
   *
   * @returns also when the machine was lost: `problems` then says how, and `files` is empty
   */
  async run(file: string): Promise<JobResult> {
    const words = [
      ...["/usr/bin/env", `--chdir=${this.root}`, "CI=true", `SWITCHYARD_TEST_EXECUTABLE=${this.root}/dist/yard`],
      ...[`SWITCHYARD_TEST_PATIENCE=${PATIENCE}`, process.execPath, "scripts/test.ts", "files", file],
    ];
    const began = performance.now();
    const title = `${file} under Debian's kernel`;
    const lines: string[] = [];
    const print = (line: string) => lines.push(`     ${line}`);
    const counted = await runInGuest(words, this.host, {
      root: this.root,
      limit: LIMIT,
      read: readCounts,
      print,
    }).catch((error: Error) => error);
    const seconds = (performance.now() - began) / 1000;
    const common = { title, skipReasons: [], seconds, output: lines.join("\n") };
    if (counted instanceof Error) return { ...common, files: [], problems: [counted.message] };
    return { ...common, files: [{ file: title, skipped: 0, seconds, ...counted }], problems: [] };
  }
}
