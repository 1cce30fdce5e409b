/** QEMU's Machine Protocol: a JSON object a line over a unix socket (docs/interop/qmp-spec.txt of QEMU). */
import { deadline, YardError } from "@switchyard/base";
import { DescriptorSocket } from "@switchyard/linux";

/** Something that happened, `SHUTDOWN` or `DEVICE_DELETED`. */
export interface QmpEvent {
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** QEMU refused a command; the message is its own. */
export class QmpError extends YardError {
  /** `GenericError`, `DeviceNotFound`, `CommandNotFound`, … */
  readonly errorClass: string;

  constructor(command: string, errorClass: string, description: string) {
    super("vm.qemu-refused", `QEMU refused ${command}: ${description}`);
    this.errorClass = errorClass;
  }
}

/** How long to wait, and for whom. */
export interface QmpPatience {
  /** Milliseconds; 10,000 without it. */
  readonly timeout?: number;
  readonly signal?: AbortSignal;
}

const TIMEOUT = 10_000;

interface Pending {
  readonly command: string;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/**
 * A connection to a monitor. QEMU serves one at a time, so that whoever comes second waits for its greeting: stay no
 * longer than for what is to be done.
 */
export class QmpClient implements Disposable {
  readonly #socket: DescriptorSocket;
  readonly #pending = new Map<number, Pending>();
  readonly #listeners = new Set<(event: QmpEvent) => void>();
  readonly #greeting = Promise.withResolvers<void>();
  readonly #closed = Promise.withResolvers<void>();
  #open = true;
  #rest = "";
  #nextId = 1;

  private constructor(path: string) {
    this.#socket = connect(path);
    this.#greeting.promise.catch(() => undefined);
    this.#socket.receive((text) => (text === undefined ? this.#end() : this.#read(text)));
  }

  /**
   * Connects, and waits until QEMU listens to commands.
   *
   * @throws YardError `vm.ended` when nobody is there, `vm.not-answering`, the signal's reason
   */
  static async open(path: string, patience: QmpPatience = {}): Promise<QmpClient> {
    const client = new QmpClient(path);
    try {
      await within(client.#greeting.promise, "its greeting", patience);
      await client.execute("qmp_capabilities", {}, patience);
      return client;
    } catch (error) {
      client[Symbol.dispose]();
      throw error;
    }
  }

  /** Resolves when QEMU, or we, have closed the connection. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /**
   * Has a command executed.
   *
   * @param descriptor an open file that goes with the command (`getfd`, `add-fd`)
   * @returns what the command returns, not parsed
   * @throws QmpError `vm.qemu-refused`; YardError `vm.ended`, `vm.not-answering`, the signal's reason
   */
  execute(
    command: string,
    args: Readonly<Record<string, unknown>> = {},
    patience: QmpPatience & { readonly descriptor?: number } = {},
  ): Promise<unknown> {
    if (!this.#open) return Promise.reject(ended());
    const id = this.#nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#pending.set(id, { command, resolve, reject });
    try {
      this.#socket.send(`${JSON.stringify({ execute: command, arguments: args, id })}\n`, patience.descriptor);
    } catch (cause) {
      reject(ended(cause));
    }
    return within(promise, `the answer to ${command}`, patience).finally(() => this.#pending.delete(id));
  }

  /** Tells all that happens from now on. */
  onEvent(listener: (event: QmpEvent) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /**
   * Waits for an event, which must not have happened before: ask for it, then do what makes it happen.
   *
   * @throws YardError `vm.ended`, `vm.not-answering`, the signal's reason
   */
  async event(matches: (event: QmpEvent) => boolean, what: string, patience: QmpPatience = {}): Promise<QmpEvent> {
    const { promise, resolve, reject } = Promise.withResolvers<QmpEvent>();
    using _listener = this.onEvent((event) => matches(event) && resolve(event));
    void this.closed.then(() => reject(ended()));
    return await within(promise, what, patience);
  }

  #read(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) if (line.trim() !== "") this.#take(line);
  }

  #take(line: string): void {
    const message = parseMessage(line);
    switch (message?.kind) {
      case "greeting":
        this.#greeting.resolve();
        return;
      case "event":
        for (const listener of [...this.#listeners]) listener(message.event);
        return;
      case "return":
        this.#pending.get(message.id)?.resolve(message.value);
        return;
      case "error": {
        const pending = this.#pending.get(message.id);
        pending?.reject(new QmpError(pending.command, message.errorClass, message.description));
        return;
      }
      case undefined:
        // No QEMU speaks so: what else it would say is not to be relied upon.
        this.#end();
        return;
    }
  }

  #end(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#socket[Symbol.dispose]();
    this.#greeting.reject(ended());
    for (const { reject } of this.#pending.values()) reject(ended());
    this.#pending.clear();
    this.#closed.resolve();
  }

  [Symbol.dispose](): void {
    this.#end();
  }
}

function connect(path: string): DescriptorSocket {
  try {
    return new DescriptorSocket(path);
  } catch (cause) {
    if (cause instanceof YardError && cause.code === "linux.socket-path") throw cause;
    throw ended(cause);
  }
}

function ended(cause?: unknown): YardError {
  return new YardError("vm.ended", "the virtual machine has ended", {
    hint: "see why in its log, and start it again",
    ...(cause === undefined ? {} : { cause }),
  });
}

async function within<T>(promise: Promise<T>, what: string, patience: QmpPatience): Promise<T> {
  const limit = patience.timeout ?? TIMEOUT;
  using signal = deadline(limit, "vm.not-answering", `QEMU did not send ${what} within ${limit} ms`, patience.signal);
  const { promise: late, reject } = Promise.withResolvers<never>();
  const aborted = () => reject(signal.reason);
  if (signal.aborted) aborted();
  else signal.addEventListener("abort", aborted, { once: true });
  return await Promise.race([promise, late]);
}

/** A line of QEMU's. */
export type QmpMessage =
  | { readonly kind: "greeting" }
  | { readonly kind: "event"; readonly event: QmpEvent }
  | { readonly kind: "return"; readonly id: number; readonly value: unknown }
  | { readonly kind: "error"; readonly id: number; readonly errorClass: string; readonly description: string };

/** @returns undefined for what is none of these */
export function parseMessage(line: string): QmpMessage | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (!isRecord(value)) return undefined;
  if ("QMP" in value) return { kind: "greeting" };
  if (typeof value.event === "string")
    return { kind: "event", event: { event: value.event, data: isRecord(value.data) ? value.data : {} } };
  // An error in what QEMU cannot even read has no id.
  const id = typeof value.id === "number" ? value.id : -1;
  if ("return" in value) return { kind: "return", id, value: value.return };
  if (!isRecord(value.error)) return undefined;
  return { kind: "error", id, errorClass: String(value.error.class), description: String(value.error.desc) };
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
