import { createConnection, type Socket } from "node:net";
import { deadline, YardError } from "@switchyard/base";

export interface CallOptions {
  readonly signal?: AbortSignal;
  /** Milliseconds to wait for the answer; 5,000 by default. */
  readonly timeout?: number;
}

/**
 * One command to a daemon's control socket, as `ovs-appctl -t SOCKET COMMAND ARGS…` gives it.
 *
 * @returns what it printed
 * @throws YardError `switch.command-refused` with the daemon's words, and those of {@link call}
 */
export async function unixctl(
  socket: string,
  command: string,
  args: readonly string[] = [],
  options: CallOptions = {},
): Promise<string> {
  const result = await call(socket, command, args, options);
  return typeof result === "string" ? result : JSON.stringify(result);
}

/**
 * One request of JSON-RPC 1.0 on a connection of its own: the control sockets (unixctl.c) and the database server
 * (RFC 7047) speak it alike.
 *
 * @throws YardError `switch.not-running` when nobody listens, `switch.not-answering` after the timeout,
 * `switch.command-refused` when the answer is an error, the signal's reason when it aborts
 */
export async function call(
  socket: string,
  method: string,
  params: readonly unknown[],
  options: CallOptions = {},
): Promise<unknown> {
  const limit = options.timeout ?? 5_000;
  using until = deadline(
    limit,
    "switch.not-answering",
    `${socket} did not answer ${method} within ${limit} ms`,
    options.signal,
  );
  const reply = await exchange(socket, JSON.stringify({ id: 0, method, params }), until);
  if (reply.error !== undefined && reply.error !== null)
    throw new YardError("switch.command-refused", `${method} was refused: ${errorText(reply.error)}`, {
      where: socket,
    });
  return reply.result;
}

interface Reply {
  readonly result?: unknown;
  readonly error?: unknown;
}

function exchange(path: string, request: string, until: AbortSignal): Promise<Reply> {
  return new Promise((resolve, reject) => {
    if (until.aborted) return reject(until.reason);
    const connection: Socket = createConnection({ path });
    const settle = (outcome: () => void) => {
      until.removeEventListener("abort", aborted);
      connection.destroy();
      outcome();
    };
    const aborted = () => settle(() => reject(until.reason));
    until.addEventListener("abort", aborted, { once: true });
    const chunks: Buffer[] = [];
    connection.on("connect", () => connection.write(request));
    connection.on("data", (chunk: Buffer) => {
      chunks.push(chunk);
      // One object comes and no more, so it is whole once its last byte closes it.
      if (chunk.at(-1) !== 0x7d && !chunk.subarray(-2).includes(0x7d)) return;
      const reply = parse(Buffer.concat(chunks));
      if (reply !== undefined) settle(() => resolve(reply));
    });
    connection.on("error", (cause) => settle(() => reject(gone(path, cause))));
    connection.on("close", () => settle(() => reject(gone(path, undefined))));
  });
}

function gone(path: string, cause: Error | undefined): YardError {
  return new YardError("switch.not-running", `nothing answers at ${path}`, {
    hint: "start the switch, or look into its log file beside the socket",
    cause,
  });
}

function parse(bytes: Buffer): Reply | undefined {
  try {
    const reply: unknown = JSON.parse(bytes.toString("utf8"));
    return typeof reply === "object" && reply !== null ? reply : undefined;
  } catch {
    return undefined;
  }
}

function errorText(error: unknown): string {
  if (typeof error === "string") return error.trim();
  if (typeof error === "object" && error !== null && "error" in error) {
    const details = "details" in error ? error.details : "syntax" in error ? error.syntax : undefined;
    return details === undefined ? String(error.error) : `${error.error}: ${details}`;
  }
  return JSON.stringify(error);
}
