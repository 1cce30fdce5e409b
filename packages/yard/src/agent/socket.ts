import { chmodSync, chownSync, rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { asYardError, YardError, YardErrors } from "@switchyard/base";

/**
 * The agent's socket: one JSON object a line, a request `{id, method, params}` answered by any number of
 * `{id, progress}` and one `{id, result}` or `{id, error}`. An open connection is also how a client learns at once that
 * the agent has died.
 *
 * @param tell reports progress
 * @param gone aborts when the client's connection ends: it died, or does not want to know any more
 */
export type Method = (
  params: unknown,
  tell: (progress: object) => void,
  gone: AbortSignal,
) => unknown | Promise<unknown>;

/** A socket that is served. */
export interface ServedSocket extends AsyncDisposable {
  /** Tells every client what keeps the agent from doing, or telling, anything: `{error}` without an id. */
  tell(error: YardError): void;
}

/** Serves `methods` on a unix socket that root and the group `gid` may use. */
export async function serveSocket(
  path: string,
  gid: number | undefined,
  methods: Readonly<Record<string, Method>>,
): Promise<ServedSocket> {
  rmSync(path, { force: true });
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    const gone = new AbortController();
    socket.on("close", () => {
      open.delete(socket);
      gone.abort();
    });
    socket.on("error", () => socket.destroy());
    const send = (message: object) => {
      if (!socket.destroyed) socket.write(`${JSON.stringify(message)}\n`);
    };
    eachLine(socket, (line) => void answer(line, methods, send, gone.signal).then(send));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, resolve);
  });
  chmodSync(path, 0o660);
  if (gid !== undefined) chownSync(path, 0, gid);
  return {
    tell(error) {
      for (const socket of open) socket.write(`${JSON.stringify({ error: error.toJSON() })}\n`);
    },
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      rmSync(path, { force: true });
    },
  };
}

function eachLine(socket: Socket, listener: (line: string) => void): void {
  // The interface passes the socket's errors on; the socket's own listener has dealt with them.
  createInterface({ input: socket })
    .on("line", listener)
    .on("error", () => {});
}

async function answer(
  line: string,
  methods: Readonly<Record<string, Method>>,
  send: (message: object) => void,
  gone: AbortSignal,
): Promise<object> {
  let id: unknown = null;
  try {
    const request: unknown = JSON.parse(line);
    if (!isRecord(request) || typeof request.method !== "string")
      throw new YardError("agent.bad-request", "a request to the agent is an object with a method");
    id = request.id ?? null;
    const method = Object.hasOwn(methods, request.method) ? methods[request.method] : undefined;
    if (method === undefined)
      throw new YardError("agent.bad-request", `the agent does not know the method "${request.method}"`);
    return { id, result: (await method(request.params, (progress) => send({ id, progress }), gone)) ?? null };
  } catch (error) {
    return { id, error: errorRecord(asYardError(error)) };
  }
}

/** A connection to a running agent. */
export interface AgentConnection extends AsyncDisposable {
  /** @throws YardError the agent's own, or `agent.died` */
  request(method: string, params?: unknown, onProgress?: (progress: unknown) => void): Promise<unknown>;
  /** Resolves when the connection ends, which the agent never does before it ends itself. */
  readonly died: Promise<void>;
  /** Resolves when the agent cannot go on, and not even write so into the database: a full disk, say. */
  readonly stuck: Promise<YardError>;
}

/** Connects, or resolves to undefined when nobody serves that socket. */
export function connectSocket(path: string): Promise<AgentConnection | undefined> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once("error", (error: NodeJS.ErrnoException) => {
      // A reset is what the socket of one that is dying answers.
      if (error.code === "ENOENT" || error.code === "ECONNREFUSED" || error.code === "ECONNRESET") resolve(undefined);
      else if (error.code === "EACCES")
        reject(
          new YardError("yard.not-permitted", `you may not use ${path}`, {
            hint: "run the command with sudo, or join the group yard (its members are as good as root)",
            cause: error,
          }),
        );
      else reject(new YardError("agent.unreachable", `${path}: ${error.message}`, { cause: error }));
    });
    socket.once("connect", () => resolve(connection(socket)));
  });
}

interface Waiting {
  resolve(value: unknown): void;
  reject(error: unknown): void;
  progress?: ((progress: unknown) => void) | undefined;
}

function connection(socket: Socket): AgentConnection {
  const waiting = new Map<number, Waiting>();
  let last = 0;
  const { promise: died, resolve: ended } = Promise.withResolvers<void>();
  const { promise: stuck, resolve: stick } = Promise.withResolvers<YardError>();
  socket.on("error", () => socket.destroy());
  socket.on("close", () => {
    for (const { reject } of waiting.values())
      reject(new YardError("agent.died", "the yard's agent ended before it answered"));
    waiting.clear();
    ended();
  });
  eachLine(socket, (line) => {
    const reply: unknown = JSON.parse(line);
    if (!isRecord(reply)) return;
    if (reply.id === undefined && isRecord(reply.error)) return stick(errorFrom(reply.error));
    if (typeof reply.id !== "number") return;
    const request = waiting.get(reply.id);
    if ("progress" in reply) return request?.progress?.(reply.progress);
    waiting.delete(reply.id);
    if (isRecord(reply.error)) request?.reject(errorFrom(reply.error));
    else request?.resolve(reply.result);
  });
  return {
    died,
    stuck,
    request(method, params, progress) {
      const id = ++last;
      return new Promise((resolve, reject) => {
        if (socket.destroyed) return reject(new YardError("agent.died", "the yard's agent has ended"));
        waiting.set(id, { resolve, reject, progress });
        socket.write(`${JSON.stringify({ id, method, params })}\n`);
      });
    },
    async [Symbol.asyncDispose]() {
      socket.destroy();
    },
  };
}

/** An error as it crosses the socket, with all that it tells of. */
function errorRecord(error: YardError): object {
  return error instanceof YardErrors ? { ...error.toJSON(), errors: error.errors.map(errorRecord) } : error.toJSON();
}

/** The error that a record of it stands for: the inverse of {@link YardError.toJSON}. */
export function errorFrom(told: unknown): YardError {
  const fields = isRecord(told) ? told : {};
  if (Array.isArray(fields.errors)) {
    const [first, ...others] = fields.errors.map(errorFrom);
    if (first) return new YardErrors([first, ...others]);
  }
  const text = (value: unknown) => (typeof value === "string" ? value : undefined);
  const hint = text(fields.hint);
  const where = text(fields.where);
  const excerpt = text(fields.excerpt);
  return new YardError(text(fields.code) ?? "internal.unexpected", text(fields.message) ?? String(told), {
    ...(hint === undefined ? {} : { hint }),
    ...(where === undefined ? {} : { where }),
    ...(excerpt === undefined ? {} : { excerpt }),
  });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
