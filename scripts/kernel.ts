/**
 * Runs system tests under the kernel of Debian, in a virtual machine: `bun scripts/kernel.ts [PART OF A PATH]…`
 *
 * Without parts of paths those of `scripts/kernel/files.ts`, else all system tests that match. The machine sees this
 * host's root file system, unwritable; what tests write stays in its memory. The last line is `N passed, N failed`.
 */
import { KERNEL_FILES } from "./kernel/files.ts";
import { runInGuest } from "./kernel/guest.ts";
import { findRooms } from "./run/files.ts";

/** Seconds that everything may take. */
const LIMIT = 20 * 60;
const RESULT = /^(\d+) passed, (\d+) failed$/;

const root = new URL("..", import.meta.url).pathname.replace(/\/$/, "");
const parts = process.argv.slice(2);
const all = findRooms(root).flatMap(({ system }) => system);
const stopped = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
  process.once(signal, () => stopped.abort(new Error(`stopped by ${signal}`)));
const files = all.filter((file) =>
  parts.length === 0 ? KERNEL_FILES.has(file) : parts.some((part) => file.includes(part)),
);

if (process.getuid?.() !== 0) fail("a machine that shares this host's root file system is needed: run it as root");
else if (parts.length === 0 && files.length < KERNEL_FILES.size)
  fail("scripts/kernel/files.ts names what is not there");
else if (files.length === 0) fail("no test matches");
else {
  const words = [
    "/usr/bin/env",
    `--chdir=${root}`,
    "CI=true",
    `SWITCHYARD_TEST_EXECUTABLE=${root}/dist/yard`,
    process.execPath,
    "scripts/test.ts",
    "files",
    ...files,
  ];
  const last = await runInGuest(words, {
    limit: LIMIT,
    isLast: (line) => RESULT.test(line),
    print,
    signal: stopped.signal,
  });
  if (last === undefined) fail("the machine ended without a result");
  else process.exitCode = RESULT.exec(last)?.[2] === "0" ? 0 : 1;
}

function fail(reason: string): void {
  print(reason);
  print("0 passed, 1 failed");
  process.exitCode = 1;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
