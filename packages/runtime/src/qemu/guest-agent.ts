/** Commands run by the guest's own agent (qemu-ga(8); docs/interop/qemu-ga-ref of QEMU), over a virtio-serial port. */
import { connect, type Socket } from "node:net";
import { StringDecoder } from "node:string_decoder";
import { backoff, delay, YardError } from "@switchyard/base";
import { checkCommand } from "../streams/spawn.ts";
import type { ExecOptions, ExecStreams } from "../types.ts";
import { isRecord } from "./qmp.ts";

/** Milliseconds in which an agent that is there answers. */
const PATIENCE = 5_000;
/** A byte that is in no UTF-8: it has the agent forget what it had half read, and comes before its answer to a sync. */
const SENTINEL = "\xff";

/** How the guest tells of a command that was run. */
interface GuestExecStatus {
  readonly exited: boolean;
  readonly code: number;
  readonly out: Buffer;
  readonly err: Buffer;
}

/**
 * Runs a command in the guest. Its output comes when it has ended, all at once, and cut after the 16 MiB that the
 * agent keeps; there is no terminal.
 *
 * @returns its exit code; 128 + n when signal n ended it
 * @throws YardError `vm.agent-absent`, `vm.agent-refused`, `vm.exec-unsupported`, `runtime.bad-command`, the signal's reason
 */
export async function execByAgent(socket: string, options: ExecOptions, streams: ExecStreams): Promise<number> {
  if (options.tty)
    throw new YardError("vm.exec-unsupported", "the guest agent has no terminals", { hint: "use the node's console" });
  if (options.user !== undefined)
    throw new YardError("vm.exec-unsupported", "the guest agent runs commands as root only", {
      hint: "name the user in the command: runuser -u USER -- COMMAND",
    });
  const [path, ...arg] = inFolder(checkCommand(options.command), options.workdir);
  const env = Object.entries(options.env ?? {}).map(([name, value]) => `${name}=${value}`);
  const input = streams.stdin === undefined ? undefined : await readAll(streams.stdin);
  const { signal } = options;
  signal?.throwIfAborted();
  const started = await call(socket, "guest-exec", {
    path,
    arg,
    "capture-output": true,
    ...(env.length === 0 ? {} : { env }),
    ...(input === undefined ? {} : { "input-data": input.toString("base64") }),
  });
  const pid = isRecord(started) ? started.pid : undefined;
  if (typeof pid !== "number") throw refused("guest-exec", "it told no pid");
  try {
    // The agent tells of nothing by itself: this is asked again and again, ever less often.
    for (const wait of backoff(10, 500)) {
      const status = readStatus(await call(socket, "guest-exec-status", { pid }));
      if (status.exited) {
        streams.stdout.write(status.out);
        streams.stderr.write(status.err);
        return status.code;
      }
      await delay(wait, signal);
    }
    return 0;
  } catch (error) {
    if (signal?.aborted === true)
      await call(socket, "guest-exec", { path: "/bin/kill", arg: ["-KILL", String(pid)] }).catch(() => undefined);
    throw error;
  }
}

/** The agent runs all in the root folder; a shell changes it, the words of the command stay what they are. */
function inFolder(command: readonly [string, ...string[]], folder: string | undefined): readonly [string, ...string[]] {
  if (folder === undefined) return command;
  return ["/bin/sh", "-c", 'cd "$0" && exec "$@"', folder, ...command];
}

async function readAll(stream: NodeJS.ReadableStream): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

function readStatus(value: unknown): GuestExecStatus {
  if (!isRecord(value)) throw refused("guest-exec-status", "it told no status");
  const bytes = (text: unknown) => Buffer.from(typeof text === "string" ? text : "", "base64");
  const { exited, exitcode, signal } = value;
  return {
    exited: exited === true,
    code: typeof signal === "number" ? 128 + signal : Number(exitcode ?? 0),
    out: bytes(value["out-data"]),
    err: bytes(value["err-data"]),
  };
}

function refused(command: string, reason: string): YardError {
  return new YardError("vm.agent-refused", `the guest agent refused ${command}: ${reason}`);
}

let syncs = 0;

/**
 * Has the agent do one thing, on a connection for it alone: others may want to talk to it too.
 *
 * @throws YardError `vm.agent-absent`, `vm.agent-refused`
 */
export async function call(
  path: string,
  command: string,
  args: Readonly<Record<string, unknown>>,
  patience = PATIENCE,
): Promise<unknown> {
  // What an earlier client gave up waiting for may still come; this number comes after it.
  const number = (Date.now() % 1_000_000) * 1000 + (syncs++ % 1000);
  using conversation = new Conversation(path, patience);
  conversation.send(`${SENTINEL}${JSON.stringify({ execute: "guest-sync-delimited", arguments: { id: number } })}\n`);
  for (let synced = false; !synced; ) {
    const answer = parse(await conversation.line());
    synced = isRecord(answer) && answer.return === number;
  }
  conversation.send(`${JSON.stringify({ execute: command, arguments: args })}\n`);
  const answer = parse(await conversation.line());
  if (isRecord(answer) && "return" in answer) return answer.return;
  const error = isRecord(answer) && isRecord(answer.error) ? answer.error : {};
  throw refused(command, String(error.desc ?? "it said nothing that is understood"));
}

/** What an interrupted answer left, with the sentinel, comes before the one that is meant. */
function parse(line: string): unknown {
  try {
    return JSON.parse(line.slice(line.lastIndexOf(SENTINEL) + 1));
  } catch {
    return undefined;
  }
}

/** Lines to and from the agent; each byte a character, as the sentinel is none of UTF-8's. */
class Conversation implements Disposable {
  readonly #socket: Socket;
  readonly #timer: ReturnType<typeof setTimeout>;
  readonly #decoder = new StringDecoder("latin1");
  readonly #lines: string[] = [];
  #rest = "";
  #failure: YardError | undefined;
  #waiting: { resolve(line: string): void; reject(error: YardError): void } | undefined;

  constructor(path: string, patience: number) {
    this.#socket = connect(path);
    this.#timer = setTimeout(() => this.#fail(`no answer within ${patience} ms`), patience);
    this.#socket.on("data", (chunk: Buffer) => this.#read(chunk));
    this.#socket.on("error", (error) => this.#fail(error.message));
    this.#socket.on("close", () => this.#fail("the virtual machine has ended"));
  }

  send(text: string): void {
    const sentinel = text.startsWith(SENTINEL) ? Buffer.of(0xff) : Buffer.alloc(0);
    this.#socket.write(Buffer.concat([sentinel, Buffer.from(text.slice(sentinel.length), "utf8")]));
  }

  line(): Promise<string> {
    const line = this.#lines.shift();
    if (line !== undefined) return Promise.resolve(line);
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  #read(chunk: Buffer): void {
    const lines = (this.#rest + this.#decoder.write(chunk)).split("\n");
    this.#rest = lines.pop() ?? "";
    this.#lines.push(...lines);
    const waiting = this.#waiting;
    const line = waiting === undefined ? undefined : this.#lines.shift();
    if (waiting === undefined || line === undefined) return;
    this.#waiting = undefined;
    waiting.resolve(line);
  }

  #fail(reason: string): void {
    this.#failure ??= new YardError("vm.agent-absent", `no guest agent answers: ${reason}`, {
      hint: "install qemu-guest-agent in the guest and let it finish booting, or use the console",
    });
    this.#waiting?.reject(this.#failure);
    this.#waiting = undefined;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#socket.destroy();
  }
}
