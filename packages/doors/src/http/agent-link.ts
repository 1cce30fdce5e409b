/** What the running agent tells of its work; found again when another one has come. */
import { backoff, delay } from "@switchyard/base";
import { type AgentClient, connectAgent, type Work } from "@switchyard/yard/client";
import type { Ground } from "./ground.ts";

export class AgentLink implements Disposable {
  #running = false;
  #connecting = false;
  #closed = false;
  #close = () => {};
  readonly #subscription: Disposable;

  /** @param onRunning told when the agent has come or gone */
  constructor(
    private readonly ground: Ground,
    private readonly onWork: (work: Work) => void,
    private readonly onRunning: (running: boolean) => void,
  ) {
    // An agent that has come writes its process id.
    this.#subscription = ground.store.db.subscribe((changes) => {
      if (!this.#running && changes.some(({ table }) => table === "Host")) void this.#connect();
    });
    void this.#connect();
  }

  get running(): boolean {
    return this.#running;
  }

  async #connect(): Promise<void> {
    if (this.#connecting || this.#running || this.#closed) return;
    this.#connecting = true;
    try {
      const agent = await this.#find();
      if (agent === undefined) return;
      this.#set(true);
      this.#close = () => void agent[Symbol.asyncDispose]();
      if (this.#closed) this.#close();
      agent.watch(this.onWork).catch(() => {});
      void agent.died.then(() => {
        this.#set(false);
        void this.#connect();
      });
    } catch (error) {
      if (!this.ground.signal.aborted) this.ground.log.warn({ error: String(error) }, "the agent cannot be watched");
    } finally {
      this.#connecting = false;
    }
  }

  /** One that starts writes its process id before it serves its socket, for which there is no event. */
  async #find(): Promise<AgentClient | undefined> {
    for (const wait of backoff(50, 2_000)) {
      const agent = await connectAgent(this.ground.paths);
      if (agent !== undefined || this.#closed || wait === 2_000) return agent;
      await delay(wait, this.ground.signal);
    }
    return undefined;
  }

  #set(running: boolean): void {
    if (this.#running === running) return;
    this.#running = running;
    if (!this.#closed) this.onRunning(running);
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#subscription[Symbol.dispose]();
    this.#close();
  }
}
