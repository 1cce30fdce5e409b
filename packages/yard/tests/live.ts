/** A yard of a test's own, made and used as the commands do, with everything real. */
import { existsSync, mkdtempSync, readFileSync, rmSync, watch } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { deadline, type run, tryRun } from "@switchyard/base";
import {
  type Action,
  type AgentConnection,
  ensureAgent,
  nodeNamespace,
  previewPlan,
  stopYard,
  type YardPaths,
  yardPaths,
} from "../src/agent/mod.ts";
import { parseLab } from "../src/model/mod.ts";
import type { Lab } from "../src/model/types.ts";
import { declareLab, type Outcome, openStore, type Rows, rowsOf, type Store, waitApplied } from "../src/store/mod.ts";

const executable = [process.execPath, fileURLToPath(new URL("../../cli/src/main.ts", import.meta.url))];

/** How long anything of a test's lab may take, in milliseconds. */
const LIMIT = 60_000;

export class LiveYard implements AsyncDisposable {
  readonly paths: YardPaths;
  readonly folder = mkdtempSync(join(tmpdir(), "tyard-"));

  private constructor(readonly name: string) {
    // Children inherit them: the agent works in folders of its own too.
    process.env.SWITCHYARD_RUN_DIR = join(this.folder, "run");
    process.env.SWITCHYARD_STATE_DIR = join(this.folder, "state");
    process.env.SWITCHYARD_LOG = "debug";
    this.paths = yardPaths(name);
  }

  static async create(name: string): Promise<LiveYard> {
    const yard = new LiveYard(name);
    await stopYard(name);
    return yard;
  }

  agent(): Promise<AgentConnection> {
    return ensureAgent(this.name, { executable });
  }

  /** What an agent says of itself. */
  async agentPid(): Promise<number> {
    await using agent = await this.agent();
    const hello = await agent.request("hello");
    if (typeof hello === "object" && hello !== null && "pid" in hello && typeof hello.pid === "number")
      return hello.pid;
    throw new Error("the agent does not tell its pid");
  }

  store(): Promise<Store> {
    return openStore({ remote: `unix:${this.paths.databaseSocket}` });
  }

  lab(text: string): Lab {
    return parseLab(text, { file: join(this.folder, "test.yard.yaml"), environment: {} }).lab;
  }

  /** Declares a lab, without waiting. @returns the configuration to wait for */
  async declare(text: string): Promise<number> {
    await using _agent = await this.agent();
    await using store = await this.store();
    const { cfg } = await declareLab(store, this.lab(text), { yard: this.name, host: hostname() });
    return cfg;
  }

  /** As `yard up` does. */
  async up(text: string): Promise<Outcome> {
    return await this.settled(await this.declare(text));
  }

  /** Waits for a configuration under an agent that is started where none runs. */
  async settled(cfg: number): Promise<Outcome> {
    await using _agent = await this.agent();
    await using store = await this.store();
    return await waitApplied(store, cfg, { timeout: LIMIT });
  }

  /** The plan of `up` now. */
  plan(text: string): Promise<Action[]> {
    return previewPlan(this.name, this.lab(text), { executable });
  }

  /** Waits until the rows are so. */
  async until<R>(test: (rows: Rows) => R | undefined | false): Promise<R> {
    await using store = await this.store();
    return await store.db.waitFor((db) => test(rowsOf(db)), { timeout: LIMIT });
  }

  /** Runs a command in a node's namespace. */
  in(node: string, ...argv: Parameters<typeof run>[0]) {
    return tryRun(["ip", "netns", "exec", nodeNamespace(this.name, node), ...argv], { timeout: LIMIT });
  }

  async reaches(from: string, to: string): Promise<boolean> {
    return (await this.in(from, "ping", "-c", "1", "-W", "2", to)).code === 0;
  }

  /** Resolves when the agent's log has a line with `text`, from `offset` on. */
  async logged(text: string, offset = 0): Promise<void> {
    using limit = deadline(LIMIT, "test.timeout", `the agent did not log ${text}`);
    const log = () => (existsSync(this.paths.agentLog) ? readFileSync(this.paths.agentLog, "utf8").slice(offset) : "");
    while (!log().includes(text)) {
      limit.throwIfAborted();
      await new Promise<void>((resolve) => {
        const watcher = watch(this.paths.run, () => {
          watcher.close();
          resolve();
        });
        // It may have been written between the look and the watch.
        if (log().includes(text)) {
          watcher.close();
          resolve();
        }
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await stopYard(this.name);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
