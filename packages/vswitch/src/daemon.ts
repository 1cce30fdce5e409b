import { accessSync, constants, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { backoff, type CommandResult, childEnvironment, delay, tryRun, YardError } from "@switchyard/base";
import { identify, isAlive, lockFile, type ProcessId, watchExit } from "@switchyard/linux";

/** The two programs that a switch is made of. */
export type Program = "ovsdb-server" | "ovs-vswitchd";

/** How long to try, in milliseconds, and until who says no. */
export interface Limits {
  readonly signal?: AbortSignal;
  readonly timeout?: number;
}

/** Starting either may take this long in milliseconds before it is given up. */
const START_TIMEOUT = 20_000;

/**
 * Where a program is. Daemons live in `sbin`, which an ordinary user's PATH leaves out.
 *
 * @throws YardError `switch.not-installed`
 */
export function findProgram(program: Program | "ovsdb-tool" | "nsenter", path = process.env.PATH ?? ""): string {
  for (const folder of [...path.split(":"), "/usr/local/sbin", "/usr/sbin", "/sbin"]) {
    if (!folder.startsWith("/")) continue;
    try {
      accessSync(join(folder, program), constants.X_OK);
      return join(folder, program);
    } catch {}
  }
  throw new YardError("switch.not-installed", `the program ${program} is not installed`, {
    hint: `install Open vSwitch: apt-get install openvswitch-switch`,
  });
}

/** The control socket of a process, where ovs-appctl(8) looks for it. */
export function controlSocket(runDir: string, program: Program, pid: number): string {
  return join(runDir, `${program}.${pid}.ctl`);
}

/** The process that the pid file in `runDir` names, if it runs and is that program. */
export function runningDaemon(runDir: string, program: Program): ProcessId | undefined {
  const pid = pidInFile(runDir, program);
  if (pid === undefined) return undefined;
  const found = identify(pid);
  // The file may be older than the last boot, and its number another program's by now.
  return found !== undefined && runs(found) && nameOf(pid) === program ? found : undefined;
}

/**
 * Whether a process can still do anything. One that was killed may show for a while as living, with its memory gone
 * and with it its command line (proc(5)), while the kernel closes its files.
 */
function runs(id: ProcessId): boolean {
  return isAlive(id) && commandLine(id.pid).length > 0;
}

function commandLine(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").filter(Boolean);
  } catch {
    return [];
  }
}

/** Those that were started for `runDir`: also one whose pid file is not there yet, and its parent that waits for it. */
export function daemonsOf(runDir: string, program: Program): ProcessId[] {
  return daemons(program).filter(({ pid }) => commandLine(pid).includes(pidFileOption(runDir, program)));
}

function pidFileOption(runDir: string, program: Program): string {
  return `--pidfile=${join(runDir, `${program}.pid`)}`;
}

/** All processes of that program that run. */
function daemons(program: Program): ProcessId[] {
  return entries("/proc").flatMap((name) => {
    const pid = Number(name);
    if (!Number.isInteger(pid) || nameOf(pid) !== program) return [];
    const id = identify(pid);
    return id !== undefined && runs(id) ? [id] : [];
  });
}

/**
 * As {@link runningDaemon}, but of one that is on its way (begun by a process that was killed, say) it awaits that it
 * is up, or gone.
 *
 * @throws YardError `switch.not-answering` after the timeout; the signal's reason
 */
export async function begunDaemon(runDir: string, program: Program, options: Limits): Promise<ProcessId | undefined> {
  const until = performance.now() + (options.timeout ?? START_TIMEOUT);
  // The pid file may come and its process go without an event for others than the parent.
  for (const wait of backoff(2, 50)) {
    const running = runningDaemon(runDir, program);
    // The control socket comes after the pid file.
    if (running !== undefined && existsSync(controlSocket(runDir, program, running.pid))) return running;
    if (daemonsOf(runDir, program).length === 0) return undefined;
    if (performance.now() > until)
      throw new YardError("switch.not-answering", `${program} has been coming up in ${runDir} for too long`);
    await delay(wait, options.signal);
  }
  throw new Error("unreachable");
}

/** What the pid file says, whether that process runs or not. */
function pidInFile(runDir: string, program: Program): number | undefined {
  try {
    const pid = Number(readFileSync(join(runDir, `${program}.pid`), "utf8").trim());
    return Number.isInteger(pid) && pid > 1 ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** The kernel cuts a program's name to 15 characters (TASK_COMM_LEN); both of ours fit. */
function nameOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim();
  } catch {
    return "";
  }
}

/**
 * Starts a program as a daemon: `--detach` makes it a session of its own that outlives us, and returns only when it
 * serves (or says on standard error why it cannot).
 *
 * @param args its arguments beside those of daemon(8)
 * @param before what precedes the program: entering a namespace
 * @returns the process, or how the attempt ended
 * @throws YardError `switch.not-installed`, `switch.start-failed` when it hangs; the signal's reason
 */
export async function launch(
  program: Program,
  runDir: string,
  args: readonly string[],
  options: Limits & { readonly before?: readonly string[] },
): Promise<ProcessId | CommandResult> {
  const path = findProgram(program);
  mkdirSync(runDir, { recursive: true, mode: 0o755 });
  removeStaleSockets(runDir, program);
  const [first = path, ...rest] = [...(options.before ?? []), path];
  const file = (extension: string) => join(runDir, `${program}.${extension}`);
  const argv = [...rest, ...args, "--no-chdir", "--detach", pidFileOption(runDir, program)] as const;
  const log = ["-vconsole:warn", "-vsyslog:off", `--log-file=${file("log")}`];
  let result: CommandResult;
  try {
    result = await tryRun([first, ...argv, ...log], {
      env: { ...childEnvironment(), OVS_RUNDIR: runDir, OVS_LOGDIR: runDir, OVS_DBDIR: runDir },
      timeout: options.timeout ?? START_TIMEOUT,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
  } catch (cause) {
    // What had detached already must not come up after we have said that it did not.
    for (const begun of daemonsOf(runDir, program)) await kill(begun);
    options.signal?.throwIfAborted();
    throw new YardError("switch.start-failed", `${program} did not come up`, { cause, where: file("log") });
  }
  const started = runningDaemon(runDir, program);
  return result.code === 0 && started !== undefined ? started : result;
}

/**
 * Runs `body` while no other process starts that program in `runDir`. Each has a lock of its own: a switch waits for its
 * database server, which may have to be started yet.
 *
 * @throws YardError `switch.not-answering` when another has been at it for all of the timeout; the signal's reason
 */
export async function alone<R>(runDir: string, program: Program, options: Limits, body: () => Promise<R>): Promise<R> {
  mkdirSync(runDir, { recursive: true, mode: 0o755 });
  const until = performance.now() + (options.timeout ?? START_TIMEOUT);
  // A file's lock tells nobody when it is free.
  for (const wait of backoff(2, 100)) {
    const held = lockFile(join(runDir, `${program}.lock`));
    if (held !== undefined) {
      using _held = held;
      return await body();
    }
    if (performance.now() > until)
      throw new YardError(
        "switch.not-answering",
        `another process has been starting ${program} in ${runDir} for too long`,
      );
    await delay(wait, options.signal);
  }
  throw new Error("unreachable");
}

/** The processes of that program that run in the network namespace with that inode. */
export function daemonsIn(namespace: number, program: Program): ProcessId[] {
  return daemons(program).filter(({ pid }) => {
    try {
      return statSync(`/proc/${pid}/ns/net`).ino === namespace;
    } catch {
      return false;
    }
  });
}

/**
 * Ends a process at once and resolves when none of its code runs any more. The kernel may go on closing what it had
 * open: each packet socket of a switch takes one RCU grace period, some 18 ms.
 */
export async function kill(id: ProcessId): Promise<void> {
  try {
    if (runs(id)) process.kill(id.pid, "SIGKILL");
  } catch {
    // It ended in between.
  }
  // A pidfd tells the end of the last thread only, after all its files are closed; of the end of its code there is no
  // event.
  for (let wait = 1; runs(id); wait = Math.min(wait * 2, 50)) await delay(wait);
}

/** Whether a process that was asked to end has done so within that many milliseconds. */
export async function ended(id: ProcessId, timeout: number): Promise<boolean> {
  const exit = Promise.withResolvers<boolean>();
  using _watch = watchExit(id, () => exit.resolve(true));
  const timer = setTimeout(() => exit.resolve(false), timeout);
  try {
    return await exit.promise;
  } finally {
    clearTimeout(timer);
  }
}

/** Removes what a daemon that was killed leaves behind. */
export function removeRuntimeFiles(runDir: string, program: Program): void {
  removeStaleSockets(runDir, program);
  rmSync(join(runDir, `${program}.pid`), { force: true });
  if (program !== "ovs-vswitchd") return;
  for (const name of entries(runDir))
    if (name.endsWith(".mgmt") || name.endsWith(".snoop")) rmSync(join(runDir, name), { force: true });
}

function removeStaleSockets(runDir: string, program: Program): void {
  const socket = new RegExp(`^${program}\\.(\\d+)\\.ctl$`);
  for (const name of entries(runDir)) {
    const pid = socket.exec(name)?.[1];
    if (pid === undefined) continue;
    const id = identify(Number(pid));
    if (id === undefined || !runs(id) || nameOf(id.pid) !== program) rmSync(join(runDir, name), { force: true });
  }
}

function entries(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** The last line that says what went wrong, without the program's name before it. */
export function complaint(result: CommandResult, program: string): string {
  const lines = result.stderr.trim().split("\n");
  const said = lines.findLast((line) => line.startsWith(`${program}: `)) ?? lines.at(-1) ?? "";
  return said.startsWith(`${program}: `) ? said.slice(program.length + 2) : said || `exit code ${result.code}`;
}
