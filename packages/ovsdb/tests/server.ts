import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, watch, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineSchema, type Integer, openDatabase, type Schema, type Uuid } from "../src/mod.ts";

/** What a test of this folder needs; without it the test is skipped, or fails where CI must have everything. */
export const available = ["ovsdb-server", "ovsdb-tool"].every((program) =>
  (process.env.PATH ?? "").split(":").some((folder) => existsSync(join(folder, program))),
);
if (!available) {
  if (process.env.CI === "true") throw new Error("these tests need ovsdb-server and ovsdb-tool (openvswitch-switch)");
  process.stderr.write("skipped: ovsdb-server is not installed\n");
}
export const live = { skip: available ? false : "ovsdb-server is not installed", timeout: 60_000 } as const;

export interface ItemRow {
  readonly _uuid: Uuid;
  readonly name: string;
  readonly count: Integer;
  readonly small: number | undefined;
  readonly ratio: number;
  readonly on: boolean;
  readonly color: "red" | "green" | "blue";
  readonly tags: ReadonlySet<string>;
  readonly ids: ReadonlySet<Integer>;
  readonly options: ReadonlyMap<string, string>;
  readonly weights: ReadonlyMap<Integer, number>;
  readonly one: ReadonlyMap<string, string>;
  readonly parts: ReadonlySet<Uuid>;
  readonly friend: Uuid | undefined;
  readonly serial: string;
}
export interface PartRow {
  readonly _uuid: Uuid;
  readonly label: string;
}
export interface RootRow {
  readonly _uuid: Uuid;
  readonly next_cfg: Integer;
}
export interface TestTables {
  Root: RootRow;
  Item: ItemRow;
  Part: PartRow;
}

const strings = { key: "string", min: 0, max: "unlimited" };
const itemColumns = {
  name: { type: "string" },
  count: { type: "integer" },
  small: { type: { key: { type: "integer", minInteger: 0, maxInteger: 100 }, min: 0, max: 1 } },
  ratio: { type: "real" },
  on: { type: "boolean" },
  color: { type: { key: { type: "string", enum: ["set", ["", "red", "green", "blue"]] } } },
  tags: { type: strings },
  ids: { type: { key: "integer", min: 0, max: "unlimited" } },
  options: { type: { key: "string", value: "string", min: 0, max: "unlimited" } },
  weights: { type: { key: "integer", value: "real", min: 0, max: "unlimited" } },
  one: { type: { key: "string", value: "string", min: 0, max: 1 } },
  parts: { type: { key: { type: "uuid", refTable: "Part" }, min: 0, max: "unlimited" } },
  friend: { type: { key: { type: "uuid", refTable: "Item", refType: "weak" }, min: 0, max: 1 } },
  serial: { type: "string", mutable: false },
};
/** One column of every kind. */
export const document = {
  name: "Test",
  version: "1.0.0",
  tables: {
    Root: { columns: { next_cfg: { type: "integer" } }, isRoot: true, maxRows: 1 },
    Item: { columns: itemColumns, isRoot: true, indexes: [["name"]] },
    Part: { columns: { label: { type: "string" } } },
  },
};
export const schema: Schema<TestTables> = defineSchema(document);

/** An AsyncDisposableStack, which Node 20 lacks. */
export class Resources implements AsyncDisposable {
  readonly #undo: (() => unknown)[] = [];
  use<R extends AsyncDisposable | Disposable>(resource: R): R {
    this.#undo.push(() =>
      Symbol.asyncDispose in resource ? resource[Symbol.asyncDispose]() : resource[Symbol.dispose](),
    );
    return resource;
  }
  defer(undo: () => unknown): void {
    this.#undo.push(undo);
  }
  disposeAsync(): Promise<void> {
    return this[Symbol.asyncDispose]();
  }
  async [Symbol.asyncDispose](): Promise<void> {
    for (const undo of this.#undo.splice(0).reverse()) await undo();
  }
}

/** A folder of a test's own, gone when disposed. */
export function folder(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), "tovsdb-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** An ovsdb-server that a test may treat badly. */
export class TestServer implements AsyncDisposable {
  readonly socket: string;
  #child: ChildProcess | undefined;
  readonly #extra: readonly string[];
  constructor(
    readonly directory: string,
    readonly database: string,
    extra: readonly string[] = [],
    name = "server",
  ) {
    this.socket = join(directory, `${name}.sock`);
    this.control = join(directory, `${name}.ctl`);
    this.#extra = extra;
  }
  readonly control: string;

  get remote(): string {
    return `unix:${this.socket}`;
  }

  get child(): ChildProcess {
    if (this.#child === undefined) throw new Error("the server does not run");
    return this.#child;
  }

  async start(): Promise<void> {
    rmSync(this.socket, { force: true });
    const files = this.database === "" ? [] : [this.database];
    const appeared = fileAppears(this.directory, this.socket);
    this.#child = spawn(
      "ovsdb-server",
      [
        ...files,
        `--remote=punix:${this.socket}`,
        `--unixctl=${this.control}`,
        "-vconsole:off",
        "-vsyslog:off",
        ...this.#extra,
      ],
      { stdio: "ignore" },
    );
    const failed = once(this.#child, "exit").then(() => {
      throw new Error("ovsdb-server ended at once");
    });
    failed.catch(() => {});
    await Promise.race([appeared, failed]);
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    child.kill("SIGKILL");
    await gone;
  }

  appctl(...words: string[]): string {
    return execFileSync("ovs-appctl", ["-t", this.control, ...words], { encoding: "utf8" });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}

/** Writes a database file with a schema. */
export function createDatabase(directory: string, schemaDocument: unknown = document, name = "db"): string {
  const file = join(directory, `${name}.ovsschema`);
  const database = join(directory, name);
  writeFileSync(file, JSON.stringify(schemaDocument));
  execFileSync("ovsdb-tool", ["create", database, file], { stdio: "ignore" });
  return database;
}

/** A server with an empty database of `document`, running. */
export async function startServer(
  directory: string,
  schemaDocument: unknown = document,
  extra: readonly string[] = [],
): Promise<TestServer> {
  const server = new TestServer(directory, createDatabase(directory, schemaDocument), extra);
  await server.start();
  return server;
}

/** Resolves when `path` is there. */
export function fileAppears(directory: string, path: string): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (!existsSync(path)) return;
      watcher.close();
      resolve();
    };
    const watcher = watch(directory, look);
    look();
  });
}

/** The next detail of an event of `on`. */
export function next<D>(on: (listener: (detail: D) => void) => Disposable): Promise<D> {
  return new Promise((resolve) => {
    const subscription = on((detail) => {
      subscription[Symbol.dispose]();
      resolve(detail);
    });
  });
}

/** A port of the loopback that nobody uses now. */
export async function freePort(): Promise<number> {
  const { createServer } = await import("node:net");
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

/** A server of its own for a test, and a client of it. */
export async function fixture() {
  const stack = new Resources();
  const { path } = stack.use(folder());
  const server = stack.use(await startServer(path));
  const open = async () => stack.use(await openDatabase({ remote: server.remote, schema, timeout: 5_000 }));
  const db = await open();
  return { server, db, open, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}
