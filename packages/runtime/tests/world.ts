/** What the tests of the engines share: an engine of each kind that touches nothing of the host's, and its streams. */
import { PassThrough } from "node:stream";
import { createLogger } from "@switchyard/base/log";
import { createNamespaces, deleteNamespaces } from "@switchyard/linux";
import { podmanConfiguration, startDockerEngine, temporaryFolder } from "@switchyard/testing";
import {
  type ContainerConfig,
  type ContainerEngine,
  type EngineKind,
  type ExecStreams,
  openEngine,
} from "../src/mod.ts";

export const LABELS = { "switchyard.owner": `truntime${process.pid}` };

/** An engine to test, with a namespace for its containers. */
export interface World extends AsyncDisposable {
  readonly engine: ContainerEngine;
  readonly namespace: string;
  /** A folder of the test's own. */
  readonly folder: string;
  readonly kind: EngineKind;
  /** Of the Docker engine. */
  readonly address: string | undefined;
  /** A second handle on the same containers, as another process would have it. */
  open(): Promise<ContainerEngine>;
  config(changes?: Partial<ContainerConfig>): ContainerConfig;
}

export async function openWorld(kind: EngineKind): Promise<World> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryFolder("syruntime-")).path;
  const namespace = `truntime_${kind}_${process.pid}`;
  createNamespaces([namespace]);
  stack.defer(() => {
    deleteNamespaces([namespace]);
  });
  const address = kind === "docker" ? stack.use(await startDockerEngine()).address : undefined;
  const options = {
    stateDir: `${folder}/state`,
    runDir: `${folder}/run`,
    imageDir: `${folder}/images`,
    log: createLogger("test", "silent"),
    ...(address === undefined ? {} : { address }),
    ...(kind === "podman" ? { env: stack.use(await podmanConfiguration()).env } : {}),
  };
  const open = () => openEngine(kind, options);
  const engine = stack.use(await open());
  stack.defer(async () => {
    for (const { name } of await engine.list(LABELS)) await engine.remove(name, 0);
  });
  const owned = stack.move();
  return {
    engine,
    namespace,
    folder,
    kind,
    address,
    open,
    config: (changes = {}) => ({
      name: `truntime${process.pid}_web`,
      image: "busybox",
      rootfs: undefined,
      pull: "missing",
      command: ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 1000 & wait $!; done"],
      entrypoint: undefined,
      env: {},
      user: undefined,
      hostname: "web",
      privileged: false,
      capAdd: [],
      devices: [],
      binds: [],
      cpus: undefined,
      memory: undefined,
      sysctls: {},
      namespace,
      labels: LABELS,
      ...changes,
    }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Streams whose output is collected. */
export class Captured implements ExecStreams {
  readonly stdin: PassThrough | undefined;
  readonly stdout = new PassThrough();
  readonly stderr = new PassThrough();
  readonly size: ExecStreams["size"];
  out = "";
  err = "";
  #resize: ((columns: number, rows: number) => void) | undefined;
  readonly #waiting = new Set<() => void>();

  /** @param input what is typed; undefined: there is no standard input */
  constructor(input?: string | PassThrough) {
    if (typeof input === "string") {
      this.stdin = new PassThrough();
      this.stdin.end(input);
    } else this.stdin = input;
    this.stdout.on("data", (chunk: Buffer) => {
      this.out += chunk.toString("utf8");
      for (const look of this.#waiting) look();
    });
    this.stderr.on("data", (chunk: Buffer) => {
      this.err += chunk.toString("utf8");
    });
    this.size = {
      columns: 100,
      rows: 40,
      onChange: (listener) => {
        this.#resize = listener;
      },
    };
  }

  resize(columns: number, rows: number): void {
    this.#resize?.(columns, rows);
  }

  /** Resolves when the output contains a text. */
  until(text: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(look);
        reject(new Error(`no ${JSON.stringify(text)} in ${JSON.stringify(this.out)}`));
      }, 30_000);
      const look = () => {
        if (!this.out.includes(text)) return;
        clearTimeout(timer);
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
  }
}

/** A value that turns up later. */
export function eventually<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const timer = setTimeout(() => reject(new Error("it did not happen within 30 s")), 30_000);
  return {
    promise: promise.finally(() => clearTimeout(timer)),
    resolve,
  };
}
