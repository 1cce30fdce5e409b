import { basename } from "node:path";
import { YardError } from "@switchyard/base";
import type { CloonixName } from "@switchyard/doors/cloonix";
import { isUsageError, runProgram } from "./program.ts";
import { jsonErrors, renderErrors } from "./render/error.ts";
import { createSession, Interrupted, type Session } from "./session.ts";

/** A command that this executable is when called by that name (a symbolic link to it). */
type Personality = (session: Session, argv: readonly string[]) => Promise<void>;

const cloonix =
  (name: CloonixName): Personality =>
  async (...call) =>
    (await import("./cloonix/run.ts")).runCloonix(name, ...call);

/** By the base name of `argv[0]`; any other name is `yard`. */
const personalities: Readonly<Record<string, Personality>> = {
  yard: runProgram,
  "yard-extcap": async (...call) => (await import("./capture/extcap.ts")).runExtcap(...call),
  ec: async (...call) => (await import("./ec/run.ts")).ec(...call),
  cloonix_net: cloonix("cloonix_net"),
  cloonix_cli: cloonix("cloonix_cli"),
  cloonix_ovs: cloonix("cloonix_ovs"),
  cloonix_ssh: cloonix("cloonix_ssh"),
  cloonix_scp: cloonix("cloonix_scp"),
  cloonix_wsk: cloonix("cloonix_wsk"),
  cloonix_shk: cloonix("cloonix_shk"),
  "usrsp-app": async (session, argv) => runProgram(session, ["cni-agent", ...argv]),
  "ovs-plugin": async (...call) => (await import("./ovs/plugin.ts")).runOvsPlugin(...call),
};

// A reader that has seen enough (`yard ps | head -1`) is no failure.
for (const stream of [process.stdout, process.stderr])
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    throw new YardError("output.unwritable", `the output cannot be written: ${error.message}`, { cause: error });
  });

const argv = process.argv.slice(2);
const interruption = new AbortController();
const session = createSession(process, process.env, process.cwd(), interruption.signal);

let signals = 0;
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
  process.on(name, () => {
    const reason = new Interrupted(name);
    interruption.abort(reason);
    // The second one is for whoever does not want to wait for an orderly end.
    if (++signals > 1) process.exit(reason.exitCode);
  });

process.on("uncaughtException", (error) => process.exit(report(error)));
process.on("unhandledRejection", (error) => process.exit(report(error)));

void main();

/** No top-level await: the bytecode of the executable could not hold it. */
async function main(): Promise<void> {
  const personality = personalities[basename(process.argv0)] ?? runProgram;
  try {
    await personality(session, argv);
    process.exitCode = session.exitCode;
  } catch (error) {
    process.exitCode = report(error);
  }
  // Sockets that are still closing must not hold the process; what was written is flushed first.
  await flushed(process.stdout);
  // Last: what keeps the other from being written is told there.
  await flushed(process.stderr);
  process.exit();
}

/** Tells what went wrong. @returns the exit code that it means */
function report(error: unknown): number {
  if (error instanceof Interrupted) return error.exitCode;
  const json = argv.slice(0, argv.includes("--") ? argv.indexOf("--") : undefined).includes("--json");
  const debug = process.env.SWITCHYARD_LOG === "debug" || process.env.SWITCHYARD_LOG === "trace";
  process.stderr.write(
    json ? `${jsonErrors(error)}\n` : `${renderErrors(error, session.errorStyle, { debug }).join("\n")}\n`,
  );
  return isUsageError(error) ? 2 : 1;
}

/** Ends a stream: of all ways to wait, the only one that also waits for a pipe whose reader is slow. */
function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => stream.end(() => resolve()));
}
