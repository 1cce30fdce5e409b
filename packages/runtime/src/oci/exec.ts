import { randomUUID } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { backoff, childEnvironment, delay, YardError } from "@switchyard/base";
import { endProcess, identify, type ProcessId } from "@switchyard/linux";
import { checkCommand, NOT_EXECUTABLE, NOT_FOUND, spawnInteractive } from "../streams/spawn.ts";
import type { ExecOptions, ExecStreams } from "../types.ts";
import type { OciProcess } from "./config.ts";
import { runc } from "./conmon.ts";
import type { Bundle, OciPaths } from "./paths.ts";
import { readOptional } from "./record.ts";
import { resolveUser } from "./user.ts";

/**
 * Runs a command in a running container, as its user and with its environment unless told otherwise.
 *
 * @returns the exit code; 127 no such command, 126 not executable, 128 + n ended by signal n
 * @throws YardError `runtime.exec-failed`, `runtime.user-unknown`, `runtime.bad-command`
 */
export async function execInContainer(
  program: string,
  paths: OciPaths,
  bundle: Bundle,
  container: { readonly name: string; readonly pid: number },
  options: ExecOptions,
  streams: ExecStreams,
): Promise<number> {
  const args = checkCommand(options.command);
  const own = containerProcess(bundle);
  const process = {
    ...own,
    ...asAsked(own, args, container.pid, options),
    ...(options.tty ? { consoleSize: { height: streams.size?.rows ?? 24, width: streams.size?.columns ?? 80 } } : {}),
  };
  mkdirSync(paths.exec, { recursive: true, mode: 0o700 });
  const stem = `${paths.exec}/${container.name}.${randomUUID()}`;
  const [spec, log, pidFile] = [`${stem}.json`, `${stem}.log`, `${stem}.pid`];
  writeFileSync(spec, JSON.stringify(process), { mode: 0o600 });
  try {
    const code = await spawnInteractive(
      {
        argv: runc(
          program,
          paths,
          ...["--log", log, "--log-format", "json"],
          "exec",
          ...["--process", spec],
          ...["--pid-file", pidFile],
          container.name,
        ),
        env: childEnvironment(),
        ...(options.signal === undefined ? {} : { signal: options.signal }),
        // Killing runc alone would leave the command running in the container.
        abort: (runcPid) => void end(runcPid, pidFile).catch(() => undefined),
      },
      options.tty,
      streams,
    );
    return code === 0 ? 0 : conventional(code, log, args[0]);
  } finally {
    for (const file of [spec, log, pidFile]) rmSync(file, { force: true });
  }
}

/** Milliseconds that runc may take to tell which process the command is. */
const TELLING = 2_000;

/**
 * Ends a command. runc writes its process id once it has begun, and it may have said something and be wanted no more before
 * that; a moment's polling costs less than a watch for each command.
 */
async function end(runcPid: number, pidFile: string): Promise<void> {
  const over = performance.now() + TELLING;
  for (const wait of backoff(1, 50)) {
    const command = identify(Number(readOptional(pidFile) ?? Number.NaN));
    if (command !== undefined) {
      endGroup(command);
      return await endProcess(command, 0);
    }
    const runc = identify(runcPid);
    if (runc === undefined) return;
    if (performance.now() > over) return await endProcess(runc, 0);
    await delay(wait);
  }
}

/** Kills what a command has started with it, as the parts of a pipeline: runc makes it the leader of a group. */
function endGroup({ pid }: ProcessId): void {
  try {
    globalThis.process.kill(-pid, "SIGKILL");
  } catch {
    // It leads none.
  }
}

/** The process of config.json; we wrote it, so its form is known. */
function containerProcess(bundle: Bundle): OciProcess {
  const { process }: { process: OciProcess } = JSON.parse(readFileSync(bundle.config, "utf8"));
  return process;
}

function asAsked(own: OciProcess, args: readonly string[], pid: number, options: ExecOptions): Partial<OciProcess> {
  const env = [
    ...own.env,
    ...(options.tty ? [`TERM=${globalThis.process.env.TERM ?? "xterm"}`] : []),
    ...Object.entries(options.env ?? {}).map(([name, value]) => `${name}=${value}`),
  ];
  const given = { args, terminal: options.tty, env, cwd: options.workdir ?? own.cwd };
  if (options.user === undefined) return given;
  const { uid, gid, additionalGids, home } = resolveUser(`/proc/${pid}/root`, options.user);
  const { bounding } = own.capabilities;
  const held = uid === 0 ? bounding : [];
  return {
    ...given,
    env: [...env.filter((entry) => !entry.startsWith("HOME=")), `HOME=${home}`],
    user: { uid, gid, additionalGids },
    capabilities: { bounding, permitted: held, effective: held },
  };
}

/** runc's own failures are in its log; all else is the command's exit code. */
function conventional(code: number, log: string, program: string): number {
  const said = readOptional(log) ?? "";
  if (!said.includes('"level":"error"')) return code;
  // runc has said so on standard error, too.
  if (/executable file not found|no such file or directory/i.test(said)) return NOT_FOUND;
  if (/permission denied|is a directory|exec format error/i.test(said)) return NOT_EXECUTABLE;
  const reason = /"msg":"((?:[^"\\]|\\.)*)"/.exec(said)?.[1] ?? said;
  throw new YardError("runtime.exec-failed", `${program} could not be run in the container: ${reason}`);
}
