import { Writable } from "node:stream";
import { asYardError, backoff, delay, YardError } from "@switchyard/base";
import type { Inside } from "../inside/inside.ts";
import { SSH_FAILED } from "../inside/ssh.ts";
import type { CheckSpec } from "../model/types.ts";
import { ping } from "../probe/ping.ts";
import { Poller } from "../probe/poller.ts";
import { tcpConnect } from "../probe/tcp.ts";
import { mapLimited } from "./concurrency.ts";
import { resolveTarget } from "./reach.ts";

/** Checks of one lab. */
export interface LabChecks {
  readonly lab: string;
  readonly checks: readonly CheckSpec[];
}

/** A check that was run. */
export interface CheckResult {
  readonly lab: string;
  readonly name: string;
  readonly type: "ping" | "tcp" | "exec";
  readonly expect: "pass" | "fail";
  /** Whether it came out as expected. */
  readonly ok: boolean;
  /** What happened, for people. */
  readonly found: string;
  readonly milliseconds: number;
}

/** Checks at a time: most of them wait for an answer that does not come. */
const LIMIT = 64;

/** What a check came to. `passed` undefined: it could not even be tried. */
interface Verdict {
  readonly passed: boolean | undefined;
  readonly found: string;
  /** Whether there was no time for its end. */
  readonly cut?: boolean;
}

/**
 * Runs checks side by side. Each waits until its timeout for what it expects; one that cannot be tried (its node is
 * down) is not as expected, whatever it expects.
 */
export async function runChecks(
  inside: Inside,
  labs: readonly LabChecks[],
  options: { readonly signal: AbortSignal; readonly onDone?: (done: number, total: number) => void },
): Promise<CheckResult[]> {
  const all = labs.flatMap(({ lab, checks }) => checks.map((check) => ({ lab, check })));
  const poller = new Poller();
  let done = 0;
  return mapLimited(all, LIMIT, async ({ lab, check }) => {
    options.signal.throwIfAborted();
    const began = performance.now();
    const { passed, found } = await verdict(inside, poller, check, options.signal).catch(
      (error: unknown): Verdict => ({ passed: undefined, found: asYardError(error).message }),
    );
    options.signal.throwIfAborted();
    options.onDone?.(++done, all.length);
    return {
      lab,
      name: check.name,
      type: check.type,
      expect: check.expect,
      ok: passed === (check.expect === "pass"),
      found,
      milliseconds: performance.now() - began,
    };
  });
}

async function verdict(inside: Inside, poller: Poller, check: CheckSpec, signal: AbortSignal): Promise<Verdict> {
  switch (check.type) {
    case "ping": {
      const to = resolveTarget(inside.view, check.from, check.to);
      if (inside.isMachine(check.from)) {
        const command = ["ping", "-c", "1", "-W", "1", to];
        const persist = check.expect === "pass";
        const { passed, found } = await machineVerdict(inside, check.from, command, check.timeout, persist, signal);
        return { passed, found: passed ? `${to} answers` : `no reply from ${to}: ${found}` };
      }
      const from = { name: inside.namespace(check.from) };
      const [result] = await ping(poller, from, [to], { timeout: check.timeout, signal });
      if (result?.roundTrip !== undefined) return { passed: true, found: `${to} in ${result.roundTrip.toFixed(2)} ms` };
      return {
        passed: false,
        found: `no reply from ${to}${result?.error === undefined ? "" : `: ${reason(result.error)}`}`,
      };
    }
    case "tcp": {
      const to = resolveTarget(inside.view, check.from, check.to);
      const from = { name: inside.namespace(check.from) };
      const persist = check.expect === "pass";
      const result = await tcpConnect(poller, from, to, check.port, { timeout: check.timeout, persist, signal });
      if ("error" in result) return { passed: false, found: `${to} port ${check.port}: ${reason(result.error)}` };
      return { passed: true, found: `connected to ${to} in ${result.milliseconds.toFixed(2)} ms` };
    }
    case "exec":
      if (inside.isMachine(check.node))
        return machineVerdict(inside, check.node, check.command, check.timeout, check.expect === "pass", signal);
      return execVerdict(inside, check, signal);
  }
}

/** Milliseconds between attempts: a guest tells nobody when it has booted, and how far it is. */
const AGAIN = [200, 2_000] as const;

/** What is said of a machine that cannot be entered yet. */
const BOOTING = new Set(["vm.agent-absent", "vm.console-no-shell", "ssh.no-way", "ssh.failed"]);

/**
 * Runs a command in a machine, which may still be booting.
 *
 * @param persist whether one that fails is run again, until the time is over
 */
async function machineVerdict(
  inside: Inside,
  node: string,
  command: readonly string[],
  timeout: number,
  persist: boolean,
  signal: AbortSignal,
): Promise<Verdict> {
  const over = performance.now() + timeout;
  let before: Verdict | YardError | undefined;
  for (const wait of backoff(...AGAIN)) {
    const left = Math.max(over - performance.now(), 1);
    const last = await execVerdict(inside, { node, command, timeout: left }, signal).catch((error: unknown) => {
      if (error instanceof YardError && BOOTING.has(error.code)) return error;
      throw error;
    });
    // An attempt that began too late says less than the one before.
    const told = last instanceof YardError || last.cut !== true ? last : (before ?? last);
    const isOver = told !== last || performance.now() + wait >= over;
    if (told instanceof YardError) {
      if (isOver) throw told;
    } else if (isOver || told.passed === true || !persist) return told;
    before = last;
    await delay(wait, signal);
  }
  return { passed: undefined, found: "" };
}

async function execVerdict(
  inside: Inside,
  { node, command, timeout }: { readonly node: string; readonly command: readonly string[]; readonly timeout: number },
  signal: AbortSignal,
): Promise<Verdict> {
  const limit = AbortSignal.timeout(timeout);
  const cut: Verdict = { passed: false, found: `not done within ${Math.round(timeout)} ms`, cut: true };
  const tail = lastLine();
  const ended = inside.exec(
    node,
    { command, tty: false, signal: AbortSignal.any([signal, limit]) },
    { stdin: undefined, stdout: tail.stream, stderr: tail.stream },
  );
  try {
    const code = await ended;
    if (limit.aborted) return cut;
    // Then the command has not been run, which says nothing of what it would have come to.
    if (code === SSH_FAILED && (await inside.sshWay(node, {})) !== undefined)
      throw new YardError("ssh.failed", `ssh into ${node} failed: ${tail.text() || "it said nothing"}`);
    return { passed: code === 0, found: [`exit code ${code}`, tail.text()].filter((part) => part !== "").join(": ") };
  } catch (error) {
    if (limit.aborted) return cut;
    throw error;
  }
}

/** Keeps the last line of what is written, for a table's cell. */
function lastLine(): { readonly stream: Writable; text(): string } {
  let kept = "";
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      kept = (kept + chunk.toString("utf8")).slice(-400);
      done();
    },
  });
  return { stream, text: () => (kept.trim().split("\n").at(-1) ?? "").trim().slice(0, 80) };
}

/** The errors of a connection in words. */
function reason(errno: string): string {
  switch (errno) {
    case "ECONNREFUSED":
      return "refused";
    case "ETIMEDOUT":
      return "no answer";
    case "ENETUNREACH":
      return "no route";
    case "EHOSTUNREACH":
      return "host unreachable";
    case "EADDRNOTAVAIL":
      return "no usable source address";
    default:
      return errno;
  }
}
