/** What programs in virtual machines print, and what their consoles show. */
import { PassThrough, type Writable } from "node:stream";
import { text } from "node:stream/consumers";
import type { ExecStreams, VmEngine } from "@switchyard/runtime";

/** Collects what a command prints. */
export class Screen implements ExecStreams {
  readonly stdin = undefined;
  readonly stdout: Writable = new PassThrough();
  readonly stderr: Writable = this.stdout;

  /** All of it, once the command has ended. */
  async text(): Promise<string> {
    this.stdout.end();
    return this.stdout instanceof PassThrough ? await text(this.stdout) : "";
  }

  /** Resolves when a machine's console shows `words`, from its beginning or from now on. */
  static async sees(engine: VmEngine, name: string, words: string, history = 1 << 20): Promise<void> {
    const seen = new AbortController();
    const stdout = new PassThrough();
    let shown = "";
    stdout.on("data", (chunk: Buffer) => {
      shown += chunk.toString("latin1");
      if (shown.includes(words)) seen.abort(SEEN);
    });
    const timer = setTimeout(() => seen.abort(new Error(`"${words}" was not seen: ${shown.slice(-500)}`)), 60_000);
    try {
      await engine.console(name, { history, signal: seen.signal }, { stdin: undefined, stdout, stderr: stdout });
      throw new Error(`the machine ended before "${words}" was seen: ${shown.slice(-500)}`);
    } catch (reason) {
      if (reason !== SEEN) throw reason;
    } finally {
      clearTimeout(timer);
    }
  }
}

const SEEN = Symbol("seen");
