import { spawn } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { asYardError, backoff, childEnvironment, type Logger, YardError } from "@switchyard/base";
import { endProcess, isAlive, markedSessions, type ProcessId, startTime, watchExit } from "@switchyard/linux";
import { z } from "zod";

/** Names a service's pid file without its ending, in the environment of its process. */
const MARK = "SWITCHYARD_SERVICE";

const recordSchema = z.strictObject({ pid: z.number().int(), startTime: z.string(), argv: z.array(z.string()) });

/** A supervised process as it runs. */
export interface Service extends ProcessId {
  readonly argv: readonly string[];
}

/**
 * The supervised processes of a yard that run, by id, as their pid files tell, and those that bear our mark alone: whose
 * agent was killed before it could write one.
 */
export function runningServices(runDirectory: string): Map<string, Service> {
  const running = new Map<string, Service>();
  const folder = join(runDirectory, "services");
  for (const [mark, service] of markedSessions(MARK))
    if (dirname(mark) === folder) running.set(basename(mark), service);
  for (const file of existsSync(folder) ? readdirSync(folder) : []) {
    if (!file.endsWith(".pid")) continue;
    const record = recordSchema.safeParse(JSON.parse(readFileSync(join(folder, file), "utf8")));
    if (!record.success) continue;
    const service = { pid: record.data.pid, startTime: BigInt(record.data.startTime), argv: record.data.argv };
    if (isAlive(service)) running.set(file.slice(0, -4), service);
  }
  return running;
}

/**
 * The processes of a yard that outlive its agent. Each is known by a pid file with its start time, so that the next
 * agent adopts it and never mistakes a stranger for it; one that ends is reported, and started again by the next
 * convergence.
 */
export class Services implements Disposable {
  readonly #folder: string;
  readonly #log: Logger;
  readonly #onExit: (id: string) => void;
  readonly #running = new Map<string, Service & { readonly watch: Disposable }>();
  /** Delays before the next start of a process that keeps ending. */
  readonly #delays = new Map<string, { waits: Generator<number, never>; wait: number }>();

  constructor(runDirectory: string, log: Logger, onExit: (id: string) => void) {
    this.#folder = join(runDirectory, "services");
    this.#log = log;
    this.#onExit = onExit;
    mkdirSync(this.#folder, { recursive: true, mode: 0o750 });
    for (const [id, { pid, startTime, argv }] of runningServices(runDirectory)) this.#follow(id, pid, startTime, argv);
  }

  /** What runs now, by id. */
  running(): ReadonlyMap<string, Service> {
    return this.#running;
  }

  /**
   * Starts `argv` in a session of its own with its output in `<id>.log`; one that runs otherwise is ended first.
   *
   * @param behind the program that `argv` comes to by way of others
   */
  async start(id: string, argv: readonly string[], behind?: string): Promise<void> {
    await this.stop(id);
    if (behind !== undefined && !isInstalled(behind)) throw notInstalled(behind);
    const [program = "", ...args] = argv;
    const log = openSync(join(this.#folder, `${id}.log`), "a", 0o640);
    try {
      const child = spawn(program, args, {
        detached: true,
        stdio: ["ignore", log, log],
        env: { ...childEnvironment(), [MARK]: join(this.#folder, id) },
        cwd: "/",
      });
      await new Promise<void>((resolve, reject) => {
        child.once("spawn", resolve);
        child.once("error", (error: NodeJS.ErrnoException) =>
          reject(error.code === "ENOENT" ? notInstalled(program, error) : error),
        );
      });
      child.unref();
      const { pid } = child;
      const started = pid === undefined ? undefined : startTime(pid);
      if (pid === undefined || started === undefined)
        throw new YardError("service.ended", `${program} ended as it started`, {
          hint: `see ${this.#folder}/${id}.log`,
        });
      this.#record(id, { pid, startTime: started.toString(), argv: [...argv] });
      this.#follow(id, pid, started, argv);
    } catch (error) {
      throw asYardError(error, "service.not-started");
    } finally {
      closeSync(log);
    }
  }

  async stop(id: string): Promise<void> {
    const running = this.#running.get(id);
    if (!running) return;
    this.#running.delete(id);
    running.watch[Symbol.dispose]();
    await endProcess(running, 2_000);
    rmSync(join(this.#folder, `${id}.pid`), { force: true });
    rmSync(join(this.#folder, `${id}.log`), { force: true });
  }

  /** Forgets them; they go on running. */
  [Symbol.dispose](): void {
    for (const { watch } of this.#running.values()) watch[Symbol.dispose]();
    this.#running.clear();
  }

  #record(id: string, record: z.infer<typeof recordSchema>): void {
    const file = join(this.#folder, `${id}.pid`);
    writeFileSync(`${file}.new`, JSON.stringify(record), { mode: 0o640 });
    renameSync(`${file}.new`, file);
  }

  #follow(id: string, pid: number, started: bigint, argv: readonly string[]): void {
    const since = performance.now();
    const watch = watchExit({ pid, startTime: started }, () => {
      this.#running.delete(id);
      rmSync(join(this.#folder, `${id}.pid`), { force: true });
      const delays = this.#delays.get(id) ?? { waits: backoff(100, 10_000), wait: 0 };
      // One that ran for a while ended for a reason of its own: it starts again at once.
      delays.wait = performance.now() - since > 10_000 ? 0 : delays.waits.next().value;
      this.#delays.set(id, delays);
      this.#log.warn({ service: id, pid, restartIn: delays.wait }, "a service ended");
      setTimeout(() => this.#onExit(id), delays.wait).unref();
    });
    this.#running.set(id, { pid, startTime: started, argv, watch });
  }
}

const HINTS: Readonly<Record<string, string>> = {
  dnsmasq: "install it: apt-get install dnsmasq-base",
  busybox: "install it: apt-get install busybox-static",
  "wireguard-go": "install it: apt-get install wireguard-go wireguard-tools",
  wg: "install it: apt-get install wireguard-tools",
  "zerotier-one": "Debian has no package of it: see https://www.zerotier.com/download",
};

function notInstalled(program: string, cause?: Error): YardError {
  const hint = HINTS[program];
  return new YardError("service.not-installed", `${program} is not installed`, {
    ...(cause === undefined ? {} : { cause }),
    ...(hint === undefined ? {} : { hint }),
  });
}

function isInstalled(program: string): boolean {
  return (childEnvironment().PATH ?? "")
    .split(":")
    .some((folder) => folder !== "" && existsSync(join(folder, program)));
}
