import { YardError } from "@switchyard/base";
import { createLogger } from "@switchyard/base/log";
import { type ContainerEngine, type ExecOptions, type ExecStreams, execInNamespace } from "@switchyard/runtime";
import { Engines } from "@switchyard/yard/agent";
import { yardPaths } from "@switchyard/yard/paths";
import { type NodeEntry, rowsOf } from "@switchyard/yard/store";
import { openYard } from "./connect.ts";
import { needRoot, type Session } from "./session.ts";
import { findRunningNode } from "./target.ts";
import { currentView } from "./view/current.ts";
import type { YardView } from "./view/types.ts";

/** A way into the nodes of a yard: straight to the kernel and the engines, past the agent. Only for root. */
export class Inside implements AsyncDisposable {
  readonly view: YardView;
  readonly #nodes: ReadonlyMap<string, NodeEntry>;
  readonly #engines: Engines;

  private constructor(view: YardView, nodes: readonly NodeEntry[], engines: Engines) {
    this.view = view;
    this.#nodes = new Map(nodes.map((node) => [node.name, node]));
    this.#engines = engines;
  }

  /**
   * @param argv the command line, for the error's hint
   * @throws YardError `privilege.root-needed`, `yard.not-running`
   */
  static async open(session: Session, yard: string, argv: readonly string[]): Promise<Inside> {
    needRoot(argv, "to enter a node");
    await using store = await openYard(session, yard);
    const paths = yardPaths(yard, session.env);
    const engines = new Engines(paths, createLogger("yard", session.env.SWITCHYARD_LOG ?? "silent"));
    return new Inside(currentView(yard, store), rowsOf(store.db).nodes, engines);
  }

  /**
   * Runs a command in a running node.
   *
   * @returns its exit code
   * @throws YardError `node.unknown`, `node.not-running`, and those of the runtime
   */
  async exec(name: string, options: ExecOptions, streams: ExecStreams): Promise<number> {
    const { namespace } = findRunningNode(this.view, name);
    const container = await this.container(name);
    if (container !== undefined) return container.engine.exec(container.name, options, streams);
    const env = { ...this.#nodes.get(name)?.spec.env, ...options.env };
    return execInNamespace(namespace, { ...options, env }, streams);
  }

  /** The engine of a node that is a container, and its name there; undefined for a bare namespace. */
  async container(node: string): Promise<{ readonly engine: ContainerEngine; readonly name: string } | undefined> {
    const spec = this.#nodes.get(node)?.spec;
    if (spec?.kind !== "container") return undefined;
    const engine = await this.#engines.get({ runtime: spec.runtime, engine: spec.engine });
    return { engine, name: `${this.view.yard}_${node}` };
  }

  /** The name of a running node's namespace. @throws YardError `node.unknown`, `node.not-running` */
  namespace(node: string): string {
    const { namespace, state } = findRunningNode(this.view, node);
    if (namespace === "") throw new YardError("node.not-running", `node ${node} is ${state} but has no namespace yet`);
    return namespace;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#engines[Symbol.asyncDispose]();
  }
}
