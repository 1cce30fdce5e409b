/**
 * A container's first process is started by conmon(8), which outlives us: it holds the container's output, writes its
 * log and notes its exit code.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { childEnvironment, run, tryRun, YardError } from "@switchyard/base";
import { endProcess, identify, type ProcessId } from "@switchyard/linux";
import { endCgroup } from "./cgroups.ts";
import { cgroupOf } from "./config.ts";
import type { Bundle, OciPaths } from "./paths.ts";
import { readOptional } from "./record.ts";

/** Bytes after which conmon begins a container's log anew. */
const LOG_MAX = 16 * 1024 * 1024;
/** Milliseconds in which the runtime must have made a container. */
const CREATE_TIMEOUT = 30_000;

/** The arguments of runc for one of its commands. */
export function runc(program: string, paths: OciPaths, ...args: string[]): readonly [string, ...string[]] {
  return [program, "--root", paths.runc, ...args];
}

/**
 * Makes a container. Its root must be mounted and nothing of an earlier life be left.
 *
 * @returns its first process, which waits for {@link release}
 * @throws YardError `runtime.start-failed`
 */
export async function launch(
  program: string,
  paths: OciPaths,
  bundle: Bundle,
  name: string,
  signal?: AbortSignal,
): Promise<ProcessId> {
  for (const folder of [paths.runc, paths.exits]) mkdirSync(folder, { recursive: true, mode: 0o700 });
  const pid = await create(program, paths, bundle, name, signal);
  // It was ours while runc waited for it; that it has ended by now is told by its exit code.
  return identify(pid) ?? { pid, startTime: 0n };
}

/** Lets the first process run that was made by {@link launch}. @throws YardError `runtime.start-failed` */
export async function release(program: string, paths: OciPaths, name: string, signal?: AbortSignal): Promise<void> {
  try {
    await run(runc(program, paths, "start", name), signal === undefined ? {} : { signal });
  } catch (cause) {
    throw failure(name, cause instanceof Error ? cause.message : String(cause), cause);
  }
}

function create(program: string, paths: OciPaths, bundle: Bundle, name: string, signal?: AbortSignal): Promise<number> {
  // runc writes its pid file under a name with a dot first, and refuses one that an earlier runc, killed, has left.
  for (const name of [
    "runc.log",
    "container.pid",
    ".container.pid",
    "conmon.pid",
    ".conmon.pid",
    "attach",
    "ctl",
    "winsz",
  ])
    rmSync(`${bundle.path}/${name}`, { force: true });
  const child = spawn(
    "conmon",
    [
      ...["--cid", name, "--cuuid", name, "--name", name, "--runtime", program, "--bundle", bundle.path],
      ...["--container-pidfile", bundle.containerPid, "--conmon-pidfile", bundle.conmonPid],
      ...["--exit-dir", paths.exits, "--log-path", `k8s-file:${bundle.log}`, "--log-size-max", String(LOG_MAX)],
      // The log's sync at exit would wait for the disk; its attach socket belongs into the bundle.
      ...["--no-sync-log", "--full-attach"],
      ...["--root", paths.runc, "--log", bundle.runcLog, "--log-format", "json"].flatMap((arg) => [
        "--runtime-arg",
        arg,
      ]),
    ],
    { stdio: ["ignore", "ignore", "ignore", "pipe"], env: { ...childEnvironment(), _OCI_SYNCPIPE: "3" } },
  );
  const sync = child.stdio[3];
  return new Promise((resolve, reject) => {
    let said = "";
    const timer = setTimeout(
      () => done(failure(name, `the runtime made nothing in ${CREATE_TIMEOUT} ms`)),
      CREATE_TIMEOUT,
    );
    const aborted = () => done(signal?.reason);
    const done = (result: unknown) => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", aborted);
      if (sync !== null && sync !== undefined && "destroy" in sync) sync.destroy();
      if (typeof result === "number") resolve(result);
      else reject(result);
    };
    signal?.addEventListener("abort", aborted, { once: true });
    if (signal?.aborted) aborted();
    child.on("error", (cause) => done(failure(name, `conmon cannot be started: ${cause.message}`, cause)));
    sync?.on("data", (chunk: Buffer) => {
      said += chunk.toString("utf8");
      if (!said.includes("\n")) return;
      const pid = parsePid(said);
      done(pid ?? failure(name, runcSays(bundle) ?? said.trim()));
    });
    // conmon goes to the background at once; only the end of the pipe says that it has given up.
    sync?.on("end", () => done(failure(name, runcSays(bundle) ?? "conmon gave up")));
  });
}

/** conmon's word on the sync pipe: `{"pid": N}`, negative with a `message` when the runtime failed. */
function parsePid(text: string): number | undefined {
  const pid = Number(/"(?:pid|data)":\s*(-?\d+)/.exec(text)?.[1]);
  return pid > 0 ? pid : undefined;
}

/** The last failure in runc's log. */
function runcSays(bundle: Bundle): string | undefined {
  const lines = (readOptional(bundle.runcLog) ?? "").split("\n").filter((line) => line.includes('"level":"error"'));
  return /"msg":"((?:[^"\\]|\\.)*)"/.exec(lines.at(-1) ?? "")?.[1]?.replaceAll('\\"', '"');
}

function failure(name: string, reason: string, cause?: unknown): YardError {
  return new YardError("runtime.start-failed", `the container ${name} cannot be started: ${reason}`, {
    hint: "check the command and the mounts of the node",
    ...(cause === undefined ? {} : { cause }),
  });
}

/**
 * Ends the processes at work on a bundle. Looked for until none is found twice in a row: one that goes to the
 * background while we look ends before its turn, and its child was not there yet when the list was made.
 */
async function endWorkers(bundle: Bundle): Promise<void> {
  for (let none = 0; none < 2; ) {
    const workers = workersOn(bundle);
    none = workers.length === 0 ? none + 1 : 0;
    await Promise.all(workers.map((id) => endProcess(id, 0)));
  }
}

/**
 * Ends whatever there still is of a container's processes, from any half-made state: conmon and runc at work on its
 * bundle, its own processes, runc's record of it, its cgroups.
 *
 * @param thorough whether somebody may have been killed while making it; all processes of the host are looked at then
 */
export async function clear(
  program: string,
  paths: OciPaths,
  bundle: Bundle,
  name: string,
  thorough: boolean,
): Promise<void> {
  // First those that could still make something, so that what is found after them is all there is.
  if (thorough) await endWorkers(bundle);
  else {
    const conmon = conmonOf(bundle);
    if (conmon !== undefined) await endProcess(conmon, 0);
  }
  const cgroup = cgroupOf(name);
  await endCgroup(cgroup);
  // It may know only half of what it was making, and then fails; what it would have removed is removed here anyway.
  if (existsSync(`${paths.runc}/${name}`)) await tryRun(runc(program, paths, "delete", "--force", name));
  rmSync(`${paths.runc}/${name}`, { recursive: true, force: true });
}

/** conmon and runc processes that have a bundle among their arguments, whoever's children they are. */
function workersOn(bundle: Bundle): ProcessId[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => (readOptional(`/proc/${pid}/cmdline`) ?? "").split("\0").includes(bundle.path))
    .flatMap((pid) => identify(Number(pid)) ?? []);
}

/** A container's conmon, when it runs. */
export function conmonOf(bundle: Bundle): ProcessId | undefined {
  const pid = readOptional(bundle.conmonPid)?.trim();
  if (pid === undefined) return undefined;
  try {
    const ours = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").includes(bundle.path);
    return ours ? identify(Number(pid)) : undefined;
  } catch {
    return undefined;
  }
}
