/**
 * The relay of impairments: a process of the yard that does netem's work where the kernel has no netem. Each pipe is two
 * tap devices on the switch; what comes out of one goes into the other, when and if its lane says so. The process
 * outlives the agent, so that links do, and follows its configuration file.
 */
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { backoff } from "@switchyard/base";
import { FrameLoop, FrameMemory } from "@switchyard/linux";
import { z } from "zod";
import { reporter, type ServiceFailure } from "../agent/service-report.ts";
import { HOST } from "../agent/state.ts";
import { Lane } from "./lane.ts";

const directionSchema = z.strictObject({
  delay: z.number(),
  jitter: z.number(),
  correlation: z.number(),
  loss: z.number(),
  duplicate: z.number(),
  reorder: z.number(),
  corrupt: z.number(),
  rate: z.number().optional(),
  queue: z.strictObject({ unit: z.enum(["frames", "bytes"]), amount: z.number() }).optional(),
});

const pipeSchema = z.strictObject({
  /** Whom it is for, a text of subject.ts. */
  purpose: z.string(),
  /** Where both ends are, {@link HOST} or by name. */
  namespace: z.string(),
  near: z.string(),
  far: z.string(),
  mtu: z.number().int(),
  forward: directionSchema,
  backward: directionSchema,
});
export type Pipe = z.infer<typeof pipeSchema>;

const configSchema = z.strictObject({ pipes: z.array(pipeSchema) });
export type PipesConfig = z.infer<typeof configSchema>;

/** Microseconds until a pipe that could not be opened is tried again: at first, and at most. */
const RETRY = [20_000, 2_000_000] as const;

/** Frames that are read from one device before the others have their turn. */
const BURST = 64;

/** Microseconds since the process began. */
const clock = () => Bun.nanoseconds() / 1e3;

/** Runs until the process is ended: there is nothing to put in order, as the devices stay. */
export async function runPipes(file: string): Promise<never> {
  // This thread is asleep in the kernel, where no handler would run.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.removeAllListeners(signal);
  using loop = new FrameLoop();
  const relay = new Relay(loop, file);
  loop.watchFolder(dirname(file));
  relay.configure();
  for (;;) relay.turn();
}

/** One direction of a pipe that is open. */
interface Way {
  readonly lane: Lane;
  readonly memory: FrameMemory;
  /** The descriptor of the device that the frames are for. */
  readonly target: number;
}

interface OpenPipe {
  spec: Pipe;
  readonly near: number;
  readonly far: number;
  readonly forward: Way;
  readonly backward: Way;
}

class Relay {
  readonly #report: ReturnType<typeof reporter>;
  #text = "";
  #wanted = new Map<string, Pipe>();
  readonly #open = new Map<string, OpenPipe>();
  /** By the descriptor of the device that the frames come from. */
  readonly #ways = new Map<number, Way>();
  #retryAt = Infinity;
  #waits = backoff(...RETRY);

  constructor(
    private readonly loop: FrameLoop,
    private readonly file: string,
  ) {
    this.#report = reporter(file);
  }

  /** Reads the configuration, if there is another one. */
  configure(): void {
    let text: string;
    try {
      text = readFileSync(this.file, "utf8");
      if (text === this.#text) return;
      const { pipes } = configSchema.parse(JSON.parse(text));
      this.#wanted = new Map(pipes.map((pipe) => [pipe.near, pipe]));
    } catch (error) {
      // It is going away, or is none: what was before goes on.
      console.error(String(error));
      return;
    }
    this.#text = text;
    this.#waits = backoff(...RETRY);
    this.#converge();
  }

  /** Passes on what is due, then sleeps until there is something to do. */
  turn(): void {
    const due = Math.min(this.#pass(), this.#retryAt);
    const woken = this.loop.wait(due === Infinity ? Infinity : due - clock());
    for (const fd of woken.devices) this.#receive(fd);
    if (woken.changed) this.configure();
    for (const fd of woken.lost) this.#lose(fd);
    if (woken.lost.length > 0 || clock() >= this.#retryAt) this.#converge();
  }

  /** @returns when the next frame is due */
  #pass(): number {
    let next = Infinity;
    const now = clock();
    for (const { lane, memory, target } of this.#ways.values()) {
      for (let frame = lane.release(now); frame !== undefined; frame = lane.release(now)) {
        memory.write(target, frame);
        memory.give(frame);
      }
      next = Math.min(next, lane.due);
    }
    return next;
  }

  #receive(fd: number): void {
    const way = this.#ways.get(fd);
    if (way === undefined) return;
    const { lane, memory } = way;
    const now = clock();
    for (let n = 0; n < BURST; n++) {
      const frame = memory.take();
      if (!memory.read(fd, frame)) {
        memory.give(frame);
        return;
      }
      const copies = lane.copies();
      if (copies === 2) hold(way, now, memory.copy(frame));
      if (copies === 0) memory.give(frame);
      else {
        const bit = lane.corruptBit(memory.length(frame));
        if (bit !== undefined) memory.flip(frame, bit);
        hold(way, now, frame);
      }
    }
  }

  /** Opens, changes and closes pipes, and tells how that went. */
  #converge(): void {
    for (const [name, open] of this.#open) {
      const wanted = this.#wanted.get(name);
      if (wanted && samePlace(wanted, open.spec)) this.#change(open, wanted);
      else this.#close(name, open);
    }
    const failures: ServiceFailure[] = [];
    for (const [name, spec] of this.#wanted) {
      if (this.#open.has(name)) continue;
      try {
        this.#open.set(name, this.#openPipe(spec));
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        failures.push({ purpose: spec.purpose, message: `frames cannot be relayed: ${why}` });
      }
    }
    if (failures.length === 0) this.#waits = backoff(...RETRY);
    this.#retryAt = failures.length === 0 ? Infinity : clock() + this.#waits.next().value;
    this.#report({ config: this.#text, failures });
  }

  #openPipe(spec: Pipe): OpenPipe {
    const namespace = spec.namespace === HOST ? "self" : { name: spec.namespace };
    const near = this.loop.open(namespace, spec.near);
    let far: number;
    try {
      far = this.loop.open(namespace, spec.far);
    } catch (error) {
      this.loop.close(near);
      throw error;
    }
    const memory = new FrameMemory(spec.mtu);
    const way = (direction: Pipe["forward"], target: number): Way => ({
      lane: new Lane(impairment(direction), Math.random),
      memory,
      target,
    });
    const open = { spec, near, far, forward: way(spec.forward, far), backward: way(spec.backward, near) };
    this.#ways.set(near, open.forward);
    this.#ways.set(far, open.backward);
    return open;
  }

  #change(open: OpenPipe, wanted: Pipe): void {
    const now = clock();
    for (const way of ["forward", "backward"] as const)
      if (JSON.stringify(wanted[way]) !== JSON.stringify(open.spec[way]))
        open[way].lane.change(now, impairment(wanted[way]));
    open.spec = wanted;
  }

  #lose(fd: number): void {
    for (const [name, open] of this.#open) if (open.near === fd || open.far === fd) this.#close(name, open);
  }

  #close(name: string, { near, far }: OpenPipe): void {
    for (const fd of [near, far]) {
      this.#ways.delete(fd);
      this.loop.close(fd);
    }
    this.#open.delete(name);
  }
}

function hold({ lane, memory }: Way, now: number, frame: number): void {
  if (!lane.hold(now, frame, memory.length(frame))) memory.give(frame);
}

/** Whether one can go on as the other without losing what is under way. */
function samePlace(a: Pipe, b: Pipe): boolean {
  return a.namespace === b.namespace && a.near === b.near && a.far === b.far && a.mtu === b.mtu;
}

function impairment(direction: Pipe["forward"]) {
  return { ...direction, rate: direction.rate, queue: direction.queue };
}
