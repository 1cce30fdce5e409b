/** What happens in a yard, as a stream of events that a client may take up again where it left it. */
import { randomBytes } from "node:crypto";
import type { Work } from "@switchyard/yard/client";
import { rowsOf, type Store } from "@switchyard/yard/store";
import type { YardView } from "@switchyard/yard/view";
import { LabTexts } from "./lab-texts.ts";
import type { Present } from "./present.ts";
import type { Rates } from "./traffic.ts";

/** Milliseconds that changes are collected: a lab that comes up changes a thousand rows. */
const SETTLE = 20;
/** Events that are kept for who comes back. */
const KEPT = 8_192;
/** Characters that wait for a client who is slow: then it is left to come back. */
const MOST_WAITING = 8 << 20;
/** Milliseconds between signs of life. */
const BEAT = 15_000;
/** Milliseconds for which events are kept when nobody listens. */
const LINGER = 60_000;

interface Kept {
  readonly id: number;
  readonly text: string;
}

type Listener = (text: string) => void;
const encoder = new TextEncoder();

export class Feed implements Disposable {
  /** Tells one server's numbers from another's. */
  readonly #epoch = randomBytes(4).toString("hex");
  readonly #listeners = new Set<Listener>();
  #kept: Kept[] = [];
  #last = 0;
  /** What was told of each thing, by its kind and name. */
  #told = new Map<string, string>();
  #subscription: Disposable | undefined;
  readonly #texts = new LabTexts((lab, etag) => this.tellText(lab, etag));
  #settling: Timer | undefined;
  #leaving: Timer | undefined;

  /**
   * @param traffic told of rates while the returned thing lives
   */
  constructor(
    private readonly present: Present,
    private readonly store: Store,
    private readonly traffic: (listener: (rates: Rates) => void) => Disposable,
  ) {}

  /** The clients that listen. */
  get size(): number {
    return this.#listeners.size;
  }

  /** An answer with all events behind `after`, until the client goes. */
  serve(after: string | undefined, traffic: boolean, gone: AbortSignal): Response {
    this.#start();
    let end = () => {};
    const body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          let over = false;
          const send = (text: string) => {
            if (over) return;
            controller.enqueue(encoder.encode(text));
            if ((controller.desiredSize ?? 0) <= 0) end();
          };
          const rates = traffic ? this.traffic((told) => send(event("traffic", told))) : undefined;
          const beat = setInterval(() => send(":\n\n"), BEAT);
          end = () => {
            if (over) return;
            over = true;
            clearInterval(beat);
            rates?.[Symbol.dispose]();
            this.#listeners.delete(send);
            this.#left();
            try {
              controller.close();
            } catch {
              // Its reader has cancelled it.
            }
          };
          gone.addEventListener("abort", end, { once: true });
          send(`retry: 1000\n\n`);
          for (const text of this.#since(after)) send(text);
          if (gone.aborted) end();
          else if (!over) this.#listeners.add(send);
        },
        cancel: () => end(),
      },
      new ByteLengthQueuingStrategy({ highWaterMark: MOST_WAITING }),
    );
    return new Response(body, {
      headers: {
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-store",
        "x-accel-buffering": "no",
      },
    });
  }

  /** The agent has begun or ended something. */
  tellWork({ what, ...work }: Work): void {
    // It looks far more often than there is something to do.
    if (work.steps > 0) this.#tell(what, work);
  }

  /** The yard's database has come or gone, and with it the yard, mostly. */
  tellConnection(connected: boolean): void {
    this.#tell("connection", { connected });
  }

  /** The agent has come or gone. */
  tellAgent(running: boolean): void {
    this.#tell("agent", { running });
  }

  /** A lab's text has changed, by this interface or in an editor. */
  tellText(lab: string, etag: string | null): void {
    this.#texts.know(lab, etag);
    this.#tell("text", { lab, etag });
  }

  /** Another step is the one to be undone, or done again. */
  tellHistory(next: object): void {
    this.#tell("history", next);
  }

  #tell(name: string, data: object): void {
    if (this.#subscription === undefined) return;
    const id = ++this.#last;
    const text = `id: ${this.#epoch}-${id}\n${event(name, data)}`;
    this.#kept.push({ id, text });
    // Seldom, and then many at once.
    if (this.#kept.length > 2 * KEPT) this.#kept = this.#kept.slice(-KEPT);
    for (const listener of this.#listeners) listener(text);
  }

  /** What a client has missed; `reset` when that is not known any more. */
  #since(after: string | undefined): string[] {
    const here = `id: ${this.#epoch}-${this.#last}\n`;
    if (after === undefined) return [`${here}${event("hello", { yard: this.present.view.yard })}`];
    const [epoch, number] = after.split("-");
    const id = Number(number);
    const first = this.#kept[0]?.id ?? this.#last + 1;
    if (epoch !== this.#epoch || !Number.isInteger(id) || id < first - 1 || id > this.#last)
      return [`${here}${event("reset", { yard: this.present.view.yard })}`];
    return this.#kept.filter((kept) => kept.id > id).map(({ text }) => text);
  }

  #start(): void {
    clearTimeout(this.#leaving);
    if (this.#subscription !== undefined) return;
    this.#told = new Map(thingsOf(this.present.view, this.store).map(({ key, text }) => [key, text]));
    this.#texts.follow(this.present.view.labs);
    this.#subscription = this.store.db.subscribe(() => {
      this.#settling ??= setTimeout(() => this.#compare(), SETTLE);
    });
  }

  #left(): void {
    if (this.#listeners.size > 0) return;
    clearTimeout(this.#leaving);
    this.#leaving = setTimeout(() => this[Symbol.dispose](), LINGER);
  }

  /** Tells what is other than it was told. */
  #compare(): void {
    this.#settling = undefined;
    const now = new Map<string, string>();
    for (const { key, name, text, data } of thingsOf(this.present.view, this.store)) {
      now.set(key, text);
      if (this.#told.get(key) !== text) this.#tell(name, data);
    }
    for (const key of this.#told.keys()) {
      if (now.has(key)) continue;
      const at = key.indexOf(" ");
      this.#tell(key.slice(0, at), { name: key.slice(at + 1), value: null });
    }
    this.#told = now;
    this.#texts.follow(this.present.view.labs);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#settling);
    clearTimeout(this.#leaving);
    this.#settling = undefined;
    this.#subscription?.[Symbol.dispose]();
    this.#subscription = undefined;
    this.#texts.follow([]);
    // Whoever comes back later has missed something.
    this.#kept = [];
    this.#last++;
  }
}

/** All that events are of, each as it would be told. */
function thingsOf(view: YardView, { db }: Store) {
  const rows = rowsOf(db);
  const thing = (name: string, key: string, data: object) => ({
    name,
    key: `${name} ${key}`,
    data,
    text: JSON.stringify(data),
  });
  const named = (name: string, list: readonly { readonly name: string }[]) =>
    list.map((value) => thing(name, value.name, { name: value.name, value }));
  const { agent, datapath, error } = view;
  const applied = Math.min(...rows.hosts.map(({ curCfg }) => curCfg), rows.yard?.nextCfg ?? 0);
  return [
    ...named("lab", view.labs),
    ...named("network", view.networks),
    ...named("node", view.nodes),
    ...named("link", view.links),
    ...named("bridge", view.bridges),
    thing("yard", "", { agent, datapath, error }),
    thing("config", "", { wanted: rows.yard?.nextCfg ?? 0, applied }),
  ];
}

function event(name: string, data: object): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}
