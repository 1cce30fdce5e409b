import { existsSync } from "node:fs";
import type { Logger } from "@switchyard/base";
import { openVmEngine, type VmEngine, type VmEvent, type VmState } from "@switchyard/runtime";
import { LABEL_NODE, LABEL_OWNER } from "./mark.ts";
import type { YardPaths } from "./paths.ts";

/** The virtual machines of a yard. What runs them is opened when first needed, and watched from then on. */
export class Hypervisor implements AsyncDisposable {
  #engine: Promise<VmEngine> | undefined;
  readonly #stop = new AbortController();

  constructor(
    private readonly paths: Pick<YardPaths, "yard" | "state" | "run">,
    private readonly log: Logger,
    /** The group that may use consoles beside root. */
    private readonly group?: number,
    /** Told of what happens to machines of the yard; undefined: nothing is watched. */
    private readonly onEvent?: (event: VmEvent) => void,
  ) {}

  get(): Promise<VmEngine> {
    this.#engine ??= this.#open();
    return this.#engine;
  }

  async #open(): Promise<VmEngine> {
    const { state, run, yard } = this.paths;
    const engine = await openVmEngine({
      stateDir: state,
      runDir: run,
      log: this.log,
      ...(this.group === undefined ? {} : { group: this.group }),
    });
    if (this.onEvent) engine.watch({ [LABEL_OWNER]: yard }, this.onEvent, this.#stop.signal);
    return engine;
  }

  /**
   * The machines there are, by node.
   *
   * @param wanted whether there shall be any: where none ever was, nothing is opened for a look
   */
  async list(wanted: boolean, signal?: AbortSignal): Promise<Map<string, VmState>> {
    if (!wanted && !existsSync(`${this.paths.state}/vm`)) return new Map();
    const states = await (await this.get()).list({ [LABEL_OWNER]: this.paths.yard }, signal);
    return new Map(
      states.flatMap((state): [string, VmState][] => {
        const node = state.labels[LABEL_NODE];
        return node === undefined ? [] : [[node, state]];
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await (await this.#engine)?.[Symbol.asyncDispose]();
  }
}
