/** How tcpdump(8) is called to look at a spy, and what it says. */
import { existsSync, readFileSync } from "node:fs";
import { tryRun, YardError } from "@switchyard/base";
import { type NamespaceRef, namespacePath } from "@switchyard/linux";

export interface CaptureOptions {
  /** A filter of pcap-filter(7); empty: all frames. */
  readonly filter: string;
  /** Bytes of each frame that are kept. */
  readonly snaplen: number;
  /** Frames after which it ends; undefined: none. */
  readonly count: number | undefined;
  /** Bytes that the kernel holds for us while we are slow. */
  readonly buffer: number;
}

/** What a capture has come to. */
export interface CaptureStatistics {
  /** Frames that were handed over. */
  readonly captured: number;
  /** Frames that the filter let through. */
  readonly received: number;
  /** Frames that the kernel had no room for, as we were slow. */
  readonly dropped: number;
}

/**
 * Compiles a filter, with nothing to look at and nobody's privileges.
 *
 * @throws YardError `capture.bad-filter`, `capture.not-installed`
 */
export async function checkFilter(filter: string, signal: AbortSignal): Promise<void> {
  const { code, stderr } = await tryRun([...unprivileged([]), "tcpdump", "-y", "EN10MB", "-d", "--", filter], {
    signal,
  }).catch(notInstalled);
  if (code === 0) return;
  const said = saidOf(stderr);
  if (/No such file|not found/.test(said)) throw notFound();
  throw new YardError("capture.bad-filter", `"${filter}" is no filter: ${said.replace(/^.*expression: /, "")}`, {
    hint: "pcap-filter(7) tells how one is written, such as: tcp port 80 and host 10.1.0.2",
  });
}

/**
 * The argument vector that writes a pcap stream with times in nanoseconds to standard output. It ends with its parent,
 * and may do nothing but read frames: it is nobody, with CAP_NET_RAW alone.
 */
export function captureArgv(
  namespace: NamespaceRef,
  device: string,
  { filter, snaplen, count, buffer }: CaptureOptions,
): readonly [string, ...string[]] {
  const enter = namespace === "self" ? [] : ["nsenter", `--net=${namespacePath(namespace)}`, "--"];
  const [program = "setpriv", ...rest] = [...enter, ...unprivileged(["net_raw"])];
  return [
    program,
    ...rest,
    "tcpdump",
    ...["-i", device, "--no-promiscuous-mode", "-w", "-", "--packet-buffered", "--immediate-mode"],
    ...["--time-stamp-precision=nano", "-s", String(snaplen), "-B", String(Math.ceil(buffer / 1024))],
    ...(count === undefined ? [] : ["-c", String(count)]),
    ...(filter === "" ? [] : ["--", filter]),
  ];
}

/** setpriv(1) as nobody, with these capabilities and no way to more; the program ends when we do. */
function unprivileged(capabilities: readonly string[]): [string, ...string[]] {
  const { uid, gid } = nobody();
  const only = ["-all", ...capabilities.map((name) => `+${name}`)].join(",");
  return [
    "setpriv",
    ...[`--reuid=${uid}`, `--regid=${gid}`, "--clear-groups", "--no-new-privs", "--pdeathsig=TERM"],
    ...[`--inh-caps=${only}`, `--ambient-caps=${only}`, `--bounding-set=${only}`, "--"],
  ];
}

/** The user that tcpdump has for itself where it is packaged so; else nobody. */
function nobody(): { readonly uid: number; readonly gid: number } {
  const users = existsSync("/etc/passwd") ? readFileSync("/etc/passwd", "utf8").split("\n") : [];
  const own = users.map((line) => line.split(":")).find(([name]) => name === "tcpdump");
  return own === undefined ? { uid: 65_534, gid: 65_534 } : { uid: Number(own[2]), gid: Number(own[3]) };
}

/** What tcpdump says as it ends, on standard error; undefined where it was not heard to the end. */
export function parseStatistics(stderr: string): CaptureStatistics | undefined {
  const number = (pattern: RegExp) => Number(pattern.exec(stderr)?.[1] ?? Number.NaN);
  const captured = number(/^(\d+) packets? captured$/m);
  const received = number(/^(\d+) packets? received by filter$/m);
  const dropped = number(/^(\d+) packets? dropped by kernel$/m);
  return Number.isNaN(captured + received + dropped) ? undefined : { captured, received, dropped };
}

/** Whether it has begun to look. */
export function isListening(stderr: string): boolean {
  return /^tcpdump: listening on /m.test(stderr);
}

/** Why it ended, of all that it said. */
export function saidOf(stderr: string): string {
  const lines = stderr.split("\n").filter((line) => line !== "" && !/listening on|^\d+ packets? /.test(line));
  return (lines.at(-1) ?? "it said nothing").replace(/^(tcpdump|setpriv|nsenter): /, "");
}

function notInstalled(cause: unknown): never {
  throw cause instanceof YardError && cause.code === "command.not-found" ? notFound(cause) : cause;
}

function notFound(cause?: unknown): YardError {
  return new YardError("capture.not-installed", "a capture needs tcpdump and setpriv, which are not installed", {
    hint: "install them: apt-get install tcpdump util-linux",
    cause,
  });
}
