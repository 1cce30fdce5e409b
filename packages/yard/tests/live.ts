/** A yard of a test's own, made and used as the commands do, with everything real. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, watch } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { deadline, delay, type run, tryRun } from "@switchyard/base";
import { patience, YARD_COMMAND } from "@switchyard/testing";
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
import {
  declareLab,
  type NodeStatus,
  type Outcome,
  openStore,
  type Rows,
  rowsOf,
  type Store,
  waitApplied,
} from "../src/store/mod.ts";

/** How long anything of a test's lab may take, in milliseconds. */
const LIMIT = patience(60_000);

/** How a test's yard is different. */
export interface LiveOptions {
  /** A yard whose folders it shares: the other is disposed of last. */
  readonly beside?: LiveYard;
  /** What precedes the agent's command. */
  readonly before?: readonly string[];
  /** The environment of the one who declares labs. */
  readonly environment?: Readonly<Record<string, string>>;
  /** The folder of what survives a reboot; by default in one of its own. */
  readonly state?: string;
}

export class LiveYard implements AsyncDisposable {
  readonly paths: YardPaths;
  private constructor(
    readonly name: string,
    readonly folder: string,
    readonly options: LiveOptions,
  ) {
    // Children inherit them: the agent works in folders of its own too.
    process.env.SWITCHYARD_RUN_DIR = join(folder, "run");
    process.env.SWITCHYARD_STATE_DIR = options.state ?? join(folder, "state");
    process.env.SWITCHYARD_LOG = "debug";
    this.paths = yardPaths(name);
  }

  static async create(name: string, options: LiveOptions = {}): Promise<LiveYard> {
    const folder = options.beside?.folder ?? mkdtempSync(join(tmpdir(), "tyard-"));
    const yard = new LiveYard(name, folder, options);
    await stopYard(name);
    return yard;
  }

  agent(): Promise<AgentConnection> {
    return ensureAgent(this.name, { executable: [...(this.options.before ?? []), ...YARD_COMMAND] });
  }

  /** Runs the command itself; the one who starts it ends it. */
  command(...argv: readonly string[]): ChildProcess {
    const [program, ...args] = YARD_COMMAND;
    return spawn(program, [...args, "-y", this.name, ...argv], { cwd: this.folder, stdio: "ignore" });
  }

  /** The process of a daemon of the yard. */
  pid(program: "ovs-vswitchd" | "ovsdb-server"): number {
    return Number(readFileSync(join(this.paths.run, `${program}.pid`), "utf8"));
  }

  /** Ends a daemon at once and waits until another one has taken its place. */
  async killed(program: "ovs-vswitchd" | "ovsdb-server"): Promise<void> {
    const before = this.pid(program);
    process.kill(before, "SIGKILL");
    const isNew = () => {
      try {
        return this.pid(program) !== before;
      } catch {
        return false;
      }
    };
    await this.#seen(isNew, `another ${program}`);
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
    return parseLab(text, { file: join(this.folder, "test.yard.yaml"), environment: this.options.environment ?? {} })
      .lab;
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
    await using agent = await this.agent();
    await using store = await this.store();
    const stuck = agent.stuck.then((error) => Promise.reject(error));
    return await Promise.race([waitApplied(store, cfg, { timeout: LIMIT }), stuck]);
  }

  /** The plan of `up` now. */
  plan(text: string): Promise<Action[]> {
    return previewPlan(this.name, this.lab(text), { executable: YARD_COMMAND });
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

  /** Whether it does within ten seconds, however often it has to be tried. @throws Error with ping's last words */
  async comesToReach(from: string, to: string): Promise<boolean> {
    using limit = deadline(patience(10_000), "test.timeout", `${from} did not come to reach ${to}`);
    for (;;) {
      const { code, stdout, stderr } = await this.in(from, "ping", "-c", "1", "-W", "1", to);
      if (code === 0) return true;
      if (limit.aborted) throw new Error(`${limit.reason.message}: ${stdout}${stderr}`);
      await delay(100);
    }
  }

  /** Links of nodes in the switch's namespace, once those of namespaces that the kernel still takes down have gone. */
  async linksLeft(): Promise<string[]> {
    using limit = deadline(patience(10_000), "test.timeout", "links stay");
    for (;;) {
      const { stdout } = await tryRun(["ip", "-n", this.paths.namespace, "-o", "link"]);
      const left = [...stdout.matchAll(/ (_k_\w+)/g)].map(([, name = ""]) => name);
      if (left.length === 0 || limit.aborted) return left;
      await delay(20);
    }
  }

  /** What tells one life of a node's parts from the next: namespace, links, container. */
  async identity(node: string): Promise<string> {
    const links = (await this.in(node, "ip", "-o", "link")).stdout;
    const ids = [...links.matchAll(/^(\d+): (\w+)@/gm)].map(([, index, name]) => `${name}=${index}`);
    const namespace = statSync(`/run/netns/${nodeNamespace(this.name, node)}`).ino;
    const { container, pid } = (await this.status(node)) ?? {};
    return [namespace, ...ids, container ?? "", pid ?? ""].join(" ");
  }

  /** The first process of a node's container. @throws Error when it does not run */
  async nodePid(node: string): Promise<number> {
    const pid = (await this.status(node))?.pid;
    if (pid === undefined) throw new Error(`no process of ${node} runs`);
    return pid;
  }

  /** What the agent tells of a node now. */
  async status(node: string): Promise<NodeStatus | undefined> {
    await using store = await this.store();
    return rowsOf(store.db).nodes.find(({ name }) => name === node)?.status;
  }

  /** Resolves when the agent's log has a line with `text`, from `offset` on. */
  async logged(text: string | RegExp, offset = 0): Promise<void> {
    const log = () => (existsSync(this.paths.agentLog) ? readFileSync(this.paths.agentLog, "utf8").slice(offset) : "");
    await this.#seen(
      () => (typeof text === "string" ? log().includes(text) : text.test(log())),
      `${text} in the agent's log`,
    );
  }

  /** Resolves once the agent has found something to do by itself, and `lab` is as declared again. */
  async putRight(lab: string, since: number): Promise<void> {
    await this.logged(/"actions":[1-9]\d*,"failures":0/, since);
    using limit = deadline(LIMIT, "test.timeout", "the agent did not put it right");
    for (let at = this.logLength(); (await this.plan(lab)).length > 0; at = this.logLength()) {
      limit.throwIfAborted();
      await this.logged("converged", at);
    }
  }

  /** The length of the agent's log now. */
  logLength(): number {
    return existsSync(this.paths.agentLog) ? statSync(this.paths.agentLog).size : 0;
  }

  /** Resolves when `test` holds; it is looked at when anything in the yard's folder of runtime files changes. */
  async #seen(test: () => boolean, what: string): Promise<void> {
    using limit = deadline(LIMIT, "test.timeout", `${what} was not seen`);
    while (!test()) {
      limit.throwIfAborted();
      await new Promise<void>((resolve) => {
        const done = () => {
          watcher.close();
          resolve();
        };
        const watcher = watch(this.paths.run, done);
        limit.addEventListener("abort", done, { once: true });
        // It may have come between the look and the watch.
        if (test()) done();
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await stopYard(this.name);
    if (!this.options.beside) rmSync(this.folder, { recursive: true, force: true });
  }
}
