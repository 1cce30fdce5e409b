/** A yard that is served over HTTP, and a client that holds every answer to the description that is served. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { childEnvironment, run } from "@switchyard/base";
import { temporaryFolder } from "@switchyard/testing";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import { z } from "zod";

const command = [process.execPath, fileURLToPath(new URL("../../cli/src/main.ts", import.meta.url))] as const;

/** No name is used twice, so that what is left behind can be told from what others make. */
let count = 0;

/** An answer as a client has it. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** Its JSON, of a shape that the description has been asked about. */
  readonly body: Json;
}

/** JSON that was validated: fields are read by name. */
export type Json = ReturnType<typeof parseJson>;

interface Options {
  /** Beyond `serve --http ADDRESS`. */
  readonly argv?: readonly string[];
  readonly address?: string;
  /** What serves: `serve`, or the agent. */
  readonly verb?: "serve" | "agent";
  /** Beside the folders of the site: where engines are. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A host's worth of yards for one test, with one of them served. */
export class HttpSite implements AsyncDisposable {
  /** Operations that have answered, each as it is described. */
  readonly asked = new Set<string>();
  #server: ChildProcess | undefined;
  #link = "";
  #said = "";
  #checks: { readonly ajv: Ajv2020; readonly paths: readonly string[] } | undefined;

  readonly yard = `thttp${process.pid}-${count++}`;
  private constructor(
    readonly folder: string,
    readonly env: Readonly<Record<string, string>>,
    private readonly stack: AsyncDisposableStack,
  ) {}

  static async create(options: Options = {}): Promise<HttpSite> {
    await using stack = new AsyncDisposableStack();
    const { path } = stack.use(await temporaryFolder("thttp-"));
    const env = {
      ...childEnvironment(),
      SWITCHYARD_RUN_DIR: join(path, "run"),
      SWITCHYARD_STATE_DIR: join(path, "state"),
      ...options.env,
    };
    const site = new HttpSite(path, env, stack.move());
    site.stack.defer(async () => void (await site.run("down", "--all")));
    await site.serve(options);
    return site;
  }

  /** Runs `yard …`. */
  run(...argv: readonly string[]): Promise<string> {
    return run([...command, "-y", this.yard, ...argv], { env: this.env, timeout: 60_000 });
  }

  /** Serves, in place of what has served until now. */
  async serve({ argv = [], address = "127.0.0.1:0", verb = "serve" }: Options = {}): Promise<void> {
    await this.stop();
    const [program, ...args] = [...command, "-y", this.yard, verb, "--http", address, ...argv];
    const server = spawn(program, args, { env: this.env, cwd: this.folder, stdio: ["ignore", "pipe", "pipe"] });
    this.#server = server;
    this.#said = "";
    server.stderr.on("data", (chunk: Buffer) => {
      this.#said += chunk.toString("utf8");
    });
    let served = false;
    server.once("close", (code) => {
      if (served && this.#server === server)
        process.stderr.write(`the server ended by itself with ${code}: ${this.#said}\n`);
    });
    this.#link = await new Promise<string>((resolve, reject) => {
      const lines = createInterface({ input: server.stdout });
      lines.on("line", (line) => {
        const bound = /^serving .* and (\S+)$/.exec(line)?.[1];
        if (/^https?:/.test(line)) resolve(line);
        else if (bound !== undefined && argv.includes("--tls-cert") && !bound.startsWith("127."))
          resolve(`https://${bound}/?token=`);
      });
      server.once("close", (code) => reject(new Error(`the server ended with ${code}: ${this.#said}`)));
    });
    served = true;
  }

  /** Waits until it ends by itself. @returns its exit code */
  async ended(): Promise<number | null> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined || server.exitCode !== null) return server?.exitCode ?? null;
    const [code] = await once(server, "close");
    return typeof code === "number" ? code : null;
  }

  /** Ends the server as a service manager would. @returns its exit code */
  async stop(how: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined || server.exitCode !== null) return server?.exitCode ?? null;
    server.kill(how);
    const [code] = await once(server, "close");
    return typeof code === "number" ? code : null;
  }

  /** `http://127.0.0.1:PORT` */
  get base(): string {
    return new URL(this.#link).origin;
  }

  get token(): string {
    return new URL(this.#link).searchParams.get("token") ?? "";
  }

  get socket(): string {
    return join(this.folder, "run", `${this.yard}.http.sock`);
  }

  /** The lines of the audit log. */
  audit(): z.infer<typeof auditLine>[] {
    const text = readFileSync(join(this.folder, "state/audit", `${this.yard}.jsonl`), "utf8");
    return text
      .trim()
      .split("\n")
      .map((line) => auditLine.parse(JSON.parse(line)));
  }

  write(name: string, text: string): string {
    const file = join(this.folder, name);
    writeFileSync(file, text);
    return file;
  }

  /** Asks as it comes, with the headers of a client that has the token. */
  fetch(path: string, init: RequestInit & { readonly headers?: Record<string, string> } = {}): Promise<Response> {
    return fetch(`${this.base}${path}`, {
      ...init,
      headers: { authorization: `Bearer ${this.token}`, ...init.headers },
    });
  }

  /** Asks the API, and holds what it answers to what the served description says of it. */
  async ask(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    const type: Record<string, string> = body === undefined ? {} : { "content-type": "application/json" };
    const answer = await this.fetch(`/api/v1${path}`, { method, ...sent, headers: { ...type, ...headers } });
    const text = await answer.text();
    const told = (answer.headers.get("content-type") ?? "").includes("json") ? parseJson(text) : parseJson("null");
    await this.#check(method, path, answer, told);
    return { status: answer.status, headers: answer.headers, text, body: told };
  }

  /** The same, which must be well. */
  async done(method: string, path: string, body?: unknown): Promise<Json> {
    const answer = await this.ask(method, path, body);
    if (answer.status !== 200) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
    return answer.body;
  }

  /** Opens a WebSocket of the API. */
  open(path: string, headers: Record<string, string> = {}): Talk {
    const all = { authorization: `Bearer ${this.token}`, ...headers };
    return new Talk(new WebSocket(`${this.base.replace("http", "ws")}/api/v1${path}`, { headers: all }));
  }

  /** Declares a lab, and waits until it is up. */
  async up(text: string): Promise<Json> {
    const name = /^name: (\S+)$/m.exec(text)?.[1] ?? "";
    const reply = await this.done("PUT", `/labs/${name}`, { text });
    if (reply.failures.length > 0) throw new Error(JSON.stringify(reply.failures));
    return reply;
  }

  async #check(method: string, path: string, { status, headers }: Response, body: Json): Promise<void> {
    const { ajv, paths } = await this.#description();
    const isProblem = headers.get("content-type") === "application/problem+json";
    const [plain = ""] = `/api/v1${path}`.split("?");
    const template = paths.find((it) => new RegExp(`^${it.replaceAll(/\{\w+\}/g, "[^/]+")}$`).test(plain));
    if (template === undefined) return;
    const content = `/responses/200/content/application~1json/schema`;
    const pointer = `/paths/${template.replaceAll("/", "~1").replaceAll("{", "%7B").replaceAll("}", "%7D")}/${method.toLowerCase()}${content}`;
    const validate: ValidateFunction | undefined = isProblem
      ? ajv.getSchema("api#/components/schemas/Problem")
      : status === 200 && (headers.get("content-type") ?? "").startsWith("application/json")
        ? ajv.getSchema(`api#${pointer}`)
        : undefined;
    if (status === 200 && headers.get("content-type") === "application/json;charset=utf-8" && validate === undefined)
      throw new Error(`${method} ${path} is not described`);
    this.asked.add(`${method} ${template}`);
    if (validate !== undefined && !validate(body))
      throw new Error(`${method} ${path} is not as it is described: ${ajv.errorsText(validate.errors)}`);
  }

  /** All operations that answer JSON by a schema, as {@link asked} has them. */
  async described(): Promise<string[]> {
    const answer = await this.fetch("/api/v1/openapi.json");
    const { paths } = z
      .object({ paths: z.record(z.string(), z.record(z.string(), operation)) })
      .parse(await answer.json());
    return Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).flatMap(([method, { responses }]) =>
        responses["200"]?.content["application/json"]?.schema === undefined ? [] : [`${method.toUpperCase()} ${path}`],
      ),
    );
  }

  async #description() {
    if (this.#checks !== undefined) return this.#checks;
    const answer = await this.fetch("/api/v1/openapi.json");
    const description = z.looseObject({ paths: z.record(z.string(), z.unknown()) }).parse(await answer.json());
    const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
    ajv.addSchema(description, "api");
    this.#checks = { ajv, paths: Object.keys(description.paths) };
    return this.#checks;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.stack.disposeAsync();
  }
}

const operation = z.looseObject({
  responses: z.record(
    z.string(),
    z.looseObject({ content: z.record(z.string(), z.looseObject({ schema: z.unknown().optional() })).default({}) }),
  ),
});

const auditLine = z.looseObject({
  time: z.iso.datetime(),
  who: z.string(),
  role: z.string(),
  what: z.string(),
  target: z.string(),
  status: z.number(),
  code: z.string().optional(),
  note: z.string().optional(),
});

// What a test reads of an answer was held to its description; a field that is not there fails the expectation.
function parseJson(text: string) {
  return JSON.parse(text);
}

/** The code of the problem that an answer is. */
export async function codeOf(answer: Response): Promise<string> {
  return z.looseObject({ code: z.string() }).parse(await answer.json()).code;
}

/** A WebSocket as a test has it: what has come, and waiting for what is to come. */
export class Talk {
  readonly texts: Json[] = [];
  readonly binary: Buffer[] = [];
  closed: { readonly code: number } | undefined;
  #wake = Promise.withResolvers<void>();

  constructor(private readonly socket: WebSocket) {
    socket.binaryType = "arraybuffer";
    socket.addEventListener("message", ({ data }) => {
      if (typeof data === "string") this.texts.push(parseJson(data));
      else this.binary.push(Buffer.from(data));
      this.#stir();
    });
    socket.addEventListener("open", () => this.#stir());
    socket.addEventListener("close", ({ code }) => {
      this.closed = { code };
      this.#stir();
    });
  }

  /** What the command has printed: what follows the first byte of each message. */
  get printed(): string {
    return Buffer.concat(this.binary.map((message) => message.subarray(1))).toString("utf8");
  }

  get isOpen(): boolean {
    return this.socket.readyState === WebSocket.OPEN;
  }

  send(data: string | Uint8Array): void {
    this.socket.send(data);
  }

  type(text: string): void {
    this.socket.send(Buffer.from(text));
  }

  leave(): void {
    this.socket.close();
  }

  /** @throws when it has not come about in time */
  async until(test: (talk: Talk) => boolean, limit = 10_000): Promise<void> {
    const over = Date.now() + limit;
    while (!test(this)) {
      const left = over - Date.now();
      if (left <= 0)
        throw new Error(`in vain: ${JSON.stringify(this.texts)} ${this.printed} ${JSON.stringify(this.closed)}`);
      const timer = Promise.withResolvers<void>();
      const handle = setTimeout(timer.resolve, left);
      await Promise.race([this.#wake.promise, timer.promise]);
      clearTimeout(handle);
    }
  }

  #stir(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }
}

/** Server-sent events as they come. */
export class Events implements Disposable {
  readonly got: { readonly id: string | undefined; readonly event: string; readonly data: Json }[] = [];
  readonly #stop = new AbortController();
  #wake = Promise.withResolvers<void>();
  status = 0;

  constructor(site: HttpSite, query = "", headers: Record<string, string> = {}) {
    void this.#read(site, query, headers).catch(() => {});
  }

  async #read(site: HttpSite, query: string, headers: Record<string, string>): Promise<void> {
    const answer = await site.fetch(`/api/v1/events${query}`, { headers, signal: this.#stop.signal });
    this.status = answer.status;
    const decoder = new TextDecoder();
    let rest = "";
    for await (const chunk of answer.body ?? []) {
      rest += decoder.decode(chunk, { stream: true });
      const blocks = rest.split("\n\n");
      rest = blocks.pop() ?? "";
      for (const block of blocks) this.#take(block);
    }
  }

  #take(block: string): void {
    const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(block)?.[1];
    const event = field("event");
    if (event === undefined) return;
    this.got.push({ id: field("id"), event, data: parseJson(field("data") ?? "null") });
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }

  /** The first event that passes. @throws when none has come in time */
  async find(test: (event: Events["got"][number]) => boolean, limit = 10_000): Promise<Events["got"][number]> {
    const over = Date.now() + limit;
    for (;;) {
      const found = this.got.find(test);
      if (found !== undefined) return found;
      const left = over - Date.now();
      if (left <= 0) throw new Error(`no such event among ${JSON.stringify(this.got).slice(0, 2_000)}`);
      const timer = Promise.withResolvers<void>();
      const handle = setTimeout(timer.resolve, left);
      await Promise.race([this.#wake.promise, timer.promise]);
      clearTimeout(handle);
    }
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
  }
}
