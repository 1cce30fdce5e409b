/**
 * Captures: who looks at which port. They are in the agent's memory alone, tied to the connection of whoever asked. So a
 * spy that is there for a capture goes with its last reader, however that ends; and with the agent, as the next one
 * finds a spy that nobody asks for.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { chownSync, closeSync, constants, mkdirSync, openSync, rmSync } from "node:fs";
import { join } from "node:path";
import { childEnvironment, run, YardError } from "@switchyard/base";
import { checkPorts, spyName } from "@switchyard/vswitch";
import { z } from "zod";
import type { Rows } from "../store/rows.ts";
import { nicPort } from "./names.ts";
import type { Site } from "./site.ts";
import type { Method } from "./socket.ts";
import { type CaptureStatistics, captureArgv, checkFilter, isListening, parseStatistics, saidOf } from "./tcpdump.ts";

/** Milliseconds until the spy must be there. */
const PATIENCE = 10_000;

const captureSchema = z.strictObject({
  port: z.string(),
  filter: z.string().max(10_000),
  snaplen: z.number().int().min(1).max(262_144),
  count: z.number().int().min(1).optional(),
  buffer: z
    .number()
    .int()
    .min(65_536)
    .max(1 << 30),
});
const filterSchema = captureSchema.pick({ filter: true });
const stopSchema = z.strictObject({ id: z.number().int() });

/** What is asked for, as {@link CaptureOptions}, and where. */
export type CaptureRequest = z.infer<typeof captureSchema>;

/** How a capture goes on: first where its frames come from, then that they come. */
export interface CaptureProgress {
  readonly id: number;
  /** A FIFO with a pcap stream (`LINKTYPE_ETHERNET`, times in nanoseconds), which ends with the capture. */
  readonly stream: string;
  readonly device: string;
  readonly listening: boolean;
}

/** How a capture has ended. */
export interface CaptureReply {
  /** Undefined where it ended without a word. */
  readonly statistics: CaptureStatistics | undefined;
  /** Why it ended before it was told to; undefined: it was told to, or has its count. */
  readonly problem: string | undefined;
}

export class Captures {
  /** How many look at a port. */
  readonly #readers = new Map<string, number>();
  readonly #running = new Map<number, ChildProcess>();
  #last = 0;

  /**
   * @param rows what the yard's database says
   * @param group who may read the streams, beside root
   * @param onChange called when other ports are to be spied on than before
   */
  constructor(
    private readonly site: Pick<Site, "paths" | "namespace" | "vswitch" | "signal">,
    private readonly rows: () => Rows,
    private readonly group: number | undefined,
    private readonly onChange: () => void,
  ) {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** The ports that somebody looks at. */
  get ports(): ReadonlySet<string> {
    return new Set(this.#readers.keys());
  }

  /** What clients ask for: `capture` lasts as long as the capture, `capture-stop` ends one in good order. */
  methods(): Record<"capture" | "capture-stop" | "capture-filter" | "captured", Method> {
    return {
      capture: (params, tell, gone) => this.#capture(captureSchema.parse(params), tell, gone),
      "capture-stop": (params) => {
        this.#running.get(stopSchema.parse(params).id)?.kill("SIGINT");
      },
      "capture-filter": (params, _tell, gone) => checkFilter(filterSchema.parse(params).filter, gone),
      captured: () => [...this.#readers.keys()],
    };
  }

  /** @throws YardError `capture.bad-filter`, `capture.no-port`, `capture.no-spy`, `capture.not-installed` */
  async #capture(request: CaptureRequest, tell: (progress: object) => void, gone: AbortSignal): Promise<CaptureReply> {
    const signal = AbortSignal.any([gone, this.site.signal]);
    await checkFilter(request.filter, signal);
    this.#checkPort(request.port);
    using _reader = this.#read(request.port);
    const device = spyName(request.port);
    await this.#spied(device, signal);
    const id = ++this.#last;
    const stream = await this.#makeStream(id);
    try {
      // Open for both, it waits for nobody, and holds the stream until its reader has opened it.
      const held = openSync(stream, constants.O_RDWR);
      try {
        return await this.#dump(id, stream, device, request, tell, signal);
      } finally {
        closeSync(held);
      }
    } finally {
      rmSync(stream, { force: true });
    }
  }

  #checkPort(port: string): void {
    for (const node of this.rows().nodes) {
      const { name, nics } = node;
      const nic = nics.find(({ index }) => nicPort(node, index) === port);
      if (nic === undefined) continue;
      if (nic.network !== undefined || nic.link !== undefined) return;
      throw new YardError("capture.no-port", `${name}:${nic.name} is plugged into nothing: no frame passes there`);
    }
    throw new YardError("capture.no-port", `the yard has no port ${port}`);
  }

  #read(port: string): Disposable {
    const before = this.#readers.get(port) ?? 0;
    this.#readers.set(port, before + 1);
    if (before === 0) this.onChange();
    return {
      [Symbol.dispose]: () => {
        const left = (this.#readers.get(port) ?? 1) - 1;
        if (left > 0) this.#readers.set(port, left);
        else this.#readers.delete(port);
        if (left === 0) this.onChange();
      },
    };
  }

  async #spied(device: string, signal: AbortSignal): Promise<void> {
    const { failures } = await checkPorts(this.site.vswitch, [device], { signal, timeout: PATIENCE });
    for (const { message } of failures)
      throw new YardError("capture.no-spy", `the spy ${device} could not be made: ${message}`, {
        hint: "`yard inspect NODE` shows what is wrong with the nic",
      });
  }

  get #folder(): string {
    return join(this.site.paths.run, "captures");
  }

  async #makeStream(id: number): Promise<string> {
    mkdirSync(this.#folder, { recursive: true, mode: 0o755 });
    const path = join(this.#folder, `${id}.pcap`);
    await run(["mkfifo", "-m", "0640", path]);
    if (this.group !== undefined) chownSync(path, 0, this.group);
    return path;
  }

  async #dump(
    id: number,
    stream: string,
    device: string,
    { filter, snaplen, count, buffer }: CaptureRequest,
    tell: (progress: object) => void,
    signal: AbortSignal,
  ): Promise<CaptureReply> {
    const [program, ...args] = captureArgv(this.site.namespace, device, { filter, snaplen, count, buffer });
    const output = openSync(stream, constants.O_WRONLY);
    let child: ChildProcess;
    try {
      child = spawn(program, args, { stdio: ["ignore", output, "pipe"], env: { ...childEnvironment(), LC_ALL: "C" } });
    } finally {
      closeSync(output);
    }
    this.#running.set(id, child);
    // Nobody is left to hear what it would say.
    const kill = () => void child.kill("SIGKILL");
    signal.addEventListener("abort", kill, { once: true });
    if (signal.aborted) kill();
    const progress = { id, stream, device };
    tell({ ...progress, listening: false } satisfies CaptureProgress);
    try {
      let said = "";
      child.stderr?.setEncoding("utf8").on("data", (text: string) => {
        const before = isListening(said);
        said += text;
        if (!before && isListening(said)) tell({ ...progress, listening: true } satisfies CaptureProgress);
      });
      const code = await new Promise<number | null>((resolve, reject) => {
        child.once("error", reject);
        child.once("close", resolve);
      });
      return { statistics: parseStatistics(said), problem: code === 0 ? undefined : saidOf(said) };
    } finally {
      signal.removeEventListener("abort", kill);
      this.#running.delete(id);
    }
  }
}
