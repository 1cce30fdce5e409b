/** The yard behind the driver: its agent, started when none runs, and its database, opened again when it was away. */
import { existsSync } from "node:fs";
import { hostname } from "node:os";
import { YardError } from "@switchyard/base";

import { type AgentConnection, ensureAgent, yardPaths } from "@switchyard/yard/agent";
import { openStore, type Scope, type Store, waitApplied } from "@switchyard/yard/store";

export interface LiveOptions {
  readonly yard: string;
  /** How to call ourselves, to start the agent. */
  readonly executable: readonly string[];
  readonly signal: AbortSignal;
}

/** Milliseconds that the agent may take to apply a change; the engine itself gives up after 120 s. */
const LIMIT = 60_000;

/** How often an agent is started anew for one change. */
const ATTEMPTS = 5;

interface Open {
  readonly store: Store;
  readonly agent: AgentConnection;
}

export class LiveYard implements AsyncDisposable {
  /** Docker's ids of what this driver has been told to make, which the engine may not list yet. */
  readonly made = new Set<string>();
  readonly #options: LiveOptions;
  #open: Promise<Open> | undefined;

  constructor(options: LiveOptions) {
    this.#options = options;
  }

  get place() {
    return { yard: this.#options.yard, host: hostname() };
  }

  /** Whether the yard runs by now, without starting it. */
  get runs(): boolean {
    return existsSync(yardPaths(this.#options.yard).agentSocket);
  }

  /** The yard's database, with its agent running. @throws YardError what keeps the agent from starting */
  async store(): Promise<Store> {
    return (await this.#opened()).store;
  }

  async #opened(): Promise<Open> {
    this.#open ??= this.#begin();
    const opening = this.#open;
    try {
      return await opening;
    } catch (error) {
      if (this.#open === opening) this.#open = undefined;
      throw error;
    }
  }

  /**
   * Waits until the agent has applied all that is written by now. One that ends meanwhile has a successor, which does it.
   *
   * @throws YardError what failed of it, `dockernet.timeout`
   */
  async applied(cfg: number, scope: Scope): Promise<void> {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const { store, agent } = await this.#opened();
      const stuck = agent.stuck.then((error) => Promise.reject(error));
      const wait = waitApplied(store, cfg, { ...scope, signal: this.#options.signal, timeout: LIMIT });
      const outcome = await Promise.race([wait, stuck, agent.died.then(() => undefined)]);
      if (outcome === undefined) continue;
      const [first] = outcome.failures;
      if (first === undefined) return;
      throw new YardError(first.code, first.message, first.hint === undefined ? {} : { hint: first.hint });
    }
    throw new YardError("dockernet.timeout", "the yard's agent ended again and again before the change was applied");
  }

  async #begin(): Promise<Open> {
    const { yard, executable, signal } = this.#options;
    await using stack = new AsyncDisposableStack();
    const agent = stack.use(await ensureAgent(yard, { executable, signal }));
    const store = stack.use(await openStore({ remote: `unix:${yardPaths(yard).databaseSocket}`, signal }));
    const open = { store, agent };
    const owned = stack.move();
    // The yard may be taken down and come again: the next who asks begins anew.
    const opening = this.#open;
    void agent.died.then(async () => {
      if (this.#open === opening) this.#open = undefined;
      await owned.disposeAsync().catch(() => {});
    });
    return open;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const open = await this.#open?.catch(() => undefined);
    await open?.agent[Symbol.asyncDispose]();
    await open?.store[Symbol.asyncDispose]();
  }
}
