/** The server that a Redis client connects to: who may, how much and how long. */
import { createHash, timingSafeEqual } from "node:crypto";
import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { asYardError, type Logger, YardError } from "@switchyard/base";
import type { Lists } from "../lists.ts";
import { answer } from "./commands.ts";
import { encode, OK, type Reply } from "./reply.ts";
import { RequestReader, TRUSTED } from "./request.ts";

/** What clients may at most. */
export interface ServerLimits {
  /** How many may be connected. */
  readonly clients: number;
  /** Milliseconds that one may be silent before it is let in. */
  readonly strangerSilence: number;
  /** Milliseconds that one may be silent afterwards, while it waits for nothing. */
  readonly silence: number;
  /** Bytes of answers that are kept for one that does not read them. */
  readonly unread: number;
  /** Milliseconds until such a one must have read them. */
  readonly slowness: number;
}

const LIMITS: ServerLimits = {
  clients: 256,
  strangerSilence: 10_000,
  silence: 600_000,
  unread: 32 << 20,
  slowness: 60_000,
};
/** Wrong passwords until a client is shown the door. */
const TRIES = 3;

export interface ServerOptions {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  /** Undefined: everybody whom `admit` lets in may do all. */
  readonly password: string | undefined;
  /** PEM. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  /** Whether the program at the other end of a connection may use this one without a password. */
  readonly admit: (socket: Socket) => boolean;
  readonly lists: Lists;
  readonly submit: (text: string) => void;
  readonly log: Logger;
  readonly limits?: Partial<ServerLimits>;
}

export interface RespServer extends AsyncDisposable {
  readonly address: string;
  readonly port: number;
}

/** @throws YardError `zeroos.not-listening` */
export async function serveResp(options: ServerOptions): Promise<RespServer> {
  const open = new Set<Client>();
  const limits = { ...LIMITS, ...options.limits };
  const accept = (socket: Socket) => {
    if (open.size >= limits.clients) {
      socket.end(encode({ error: "ERR max number of clients reached" }));
      return;
    }
    const client = new Client(socket, options, limits, () => open.delete(client));
    open.add(client);
  };
  const server: Server =
    options.tls === undefined
      ? createServer(accept)
      : createTlsServer({ ...options.tls, minVersion: "TLSv1.2", handshakeTimeout: limits.strangerSilence }, accept);
  // A handshake that fails is the other side's trouble.
  server.on("tlsClientError", () => {});
  const { host, port } = options;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) =>
      reject(
        new YardError("zeroos.not-listening", `${host}:${port} cannot be listened on: ${cause.message}`, { cause }),
      ),
    );
    server.listen(port, host, resolve);
  });
  const bound = server.address();
  return {
    address: host,
    port: typeof bound === "object" && bound !== null ? bound.port : port,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const client of open) client.close();
      await closed;
    },
  };
}

class Client {
  readonly #reader = new RequestReader();
  readonly #gone = new AbortController();
  #trusted: boolean;
  #failures = 0;
  #answering = false;
  /** The next answer is the last. */
  #leaving = false;
  #silence: Timer | undefined;
  #unread: Timer | undefined;

  constructor(
    private readonly socket: Socket,
    private readonly options: ServerOptions,
    private readonly limits: ServerLimits,
    onClosed: () => void,
  ) {
    this.#trusted = options.password === undefined && options.admit(socket);
    if (this.#trusted) this.#reader.limits = TRUSTED;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 30_000);
    socket.on("data", (chunk: Buffer) => {
      this.#reader.push(chunk);
      // What is sent while one waits for an answer stays in the kernel once it is much: its end would not be heard then.
      if (this.#reader.buffered > this.#reader.limits.request) socket.pause();
      void this.#answerAll();
    });
    socket.on("error", () => socket.destroy());
    socket.on("drain", () => clearTimeout(this.#unread));
    socket.on("close", () => {
      clearTimeout(this.#silence);
      clearTimeout(this.#unread);
      this.#gone.abort();
      onClosed();
    });
    this.#listen();
  }

  close(): void {
    this.socket.destroy();
  }

  /** One request after the other, in their order. */
  async #answerAll(): Promise<void> {
    if (this.#answering) return;
    this.#answering = true;
    clearTimeout(this.#silence);
    try {
      for (let request = this.#reader.next(); request !== undefined; request = this.#reader.next()) {
        if (this.#gone.signal.aborted) return;
        const [name, ...args] = request;
        this.#send(await this.#answer(name?.toString("latin1").toUpperCase() ?? "", args));
        if (!this.#leaving) continue;
        this.socket.end();
        return;
      }
    } catch (error) {
      const { code, message } = asYardError(error);
      if (code === "internal.unexpected") this.options.log.error({ err: error }, "a request failed");
      this.#send({ error: `ERR Protocol error: ${message}` });
      this.socket.end();
      return;
    } finally {
      this.#answering = false;
    }
    this.#listen();
    this.socket.resume();
  }

  #listen(): void {
    clearTimeout(this.#silence);
    const { silence, strangerSilence } = this.limits;
    this.#silence = setTimeout(() => this.socket.destroy(), this.#trusted ? silence : strangerSilence);
  }

  async #answer(name: string, args: readonly Buffer[]): Promise<Reply> {
    if (name === "QUIT") {
      this.#leaving = true;
      return OK;
    }
    if (name === "AUTH") return this.#authenticate(args);
    if (!this.#trusted) {
      if (this.options.password !== undefined) return { error: "NOAUTH Authentication required." };
      return {
        error: "NOPERM only root and members of the group yard may use this without a password",
      };
    }
    const { lists, submit } = this.options;
    return await answer({ lists, submit, signal: this.#gone.signal }, name, args);
  }

  /** `AUTH password`, or with a user before it, who is not looked at. */
  #authenticate(args: readonly Buffer[]): Reply {
    const { password } = this.options;
    if (password === undefined) return { error: "ERR Client sent AUTH, but no password is set" };
    const given = args.at(-1);
    if (given === undefined || args.length > 2) return { error: "ERR wrong number of arguments for 'auth' command" };
    if (timingSafeEqual(digest(given), digest(password))) {
      this.#trusted = true;
      this.#reader.limits = TRUSTED;
      return OK;
    }
    this.options.log.warn({ from: this.socket.remoteAddress }, "a client gave a wrong password");
    this.#leaving = ++this.#failures >= TRIES;
    return { error: "WRONGPASS invalid username-password pair or user is disabled." };
  }

  #send(reply: Reply): void {
    if (this.socket.destroyed || this.socket.writableEnded) return;
    if (this.socket.write(encode(reply))) return;
    clearTimeout(this.#unread);
    if (this.socket.writableLength > this.limits.unread) this.close();
    else this.#unread = setTimeout(() => this.close(), this.limits.slowness);
  }
}

/** Of equal length whatever was given, so that comparing takes the same time. */
function digest(secret: string | Buffer): Buffer {
  return createHash("sha256").update(secret).digest();
}
