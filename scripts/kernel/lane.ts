import { type Ending, EndingReader } from "../run/ending.ts";
import { KERNEL_FILES } from "./files.ts";
import { runInGuest } from "./guest.ts";

/** How much longer than elsewhere a test may take: processors that are emulated are ten times slower. */
const PATIENCE = 4;
/** Seconds for the machine and those of `files.ts`, of which a quiet machine takes a quarter; and for others. */
const LIMIT = { own: 900, other: 1800 };

export interface Lane {
  readonly root: string;
  /** All files of system tests. */
  readonly system: readonly string[];
  /** Parts of paths: what matches runs. Without any, the files of `files.ts`. */
  readonly parts: readonly string[];
  /** Run a file that fails once more. */
  readonly recheck: boolean;
  readonly print: (line: string) => void;
}

/**
 * Runs system tests under the kernel of Debian, in a virtual machine that sees this host's root file system, unwritable:
 * what tests write stays in its memory, but for what they say.
 *
 * @throws Error when they cannot run, or did not all end
 */
export async function runUnderKernel({ root, system, parts, recheck, print }: Lane): Promise<Ending> {
  const files = system.filter((file) =>
    parts.length === 0 ? KERNEL_FILES.has(file) : parts.some((part) => file.includes(part)),
  );
  if (parts.length === 0 && files.length < KERNEL_FILES.size)
    throw new Error("scripts/kernel/files.ts names what is not there");
  if (files.length === 0) throw new Error("no test matches");
  const words = [
    ...["/usr/bin/env", `--chdir=${root}`, "CI=true", `SWITCHYARD_TEST_EXECUTABLE=${root}/dist/yard`],
    `SWITCHYARD_TEST_PATIENCE=${PATIENCE}`,
    ...[process.execPath, "scripts/test.ts", "files", ...(recheck ? ["--recheck"] : []), ...files],
  ];
  const reader = new EndingReader();
  return await runInGuest(words, {
    root,
    limit: parts.length === 0 ? LIMIT.own : LIMIT.other,
    read: (line) => reader.read(line),
    print,
  });
}
