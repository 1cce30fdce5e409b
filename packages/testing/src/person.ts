import { deadline } from "@switchyard/base";

/** A command on a terminal of its own, as a person has it. */
export interface Person extends AsyncDisposable {
  readonly pid: number;
  type(text: string): void;
  resize(columns: number, rows: number): void;
  /** Waits until the screen has shown this since the last call, for 20,000 milliseconds by default. */
  sees(text: string, timeout?: number): Promise<void>;
  readonly ended: Promise<number>;
}

export function sitDown(argv: readonly string[], env: Readonly<Record<string, string>>, cwd: string): Person {
  let shown = "";
  const waiting = new Set<() => void>();
  const decoder = new TextDecoder();
  const child = Bun.spawn([...argv], {
    // Made together with the process: only then is it its controlling terminal, which signals come from.
    terminal: {
      cols: 91,
      rows: 33,
      data(_terminal, data) {
        shown += decoder.decode(data, { stream: true });
        for (const look of waiting) look();
      },
    },
    env: { ...env, TERM: "xterm" },
    cwd,
  });
  const { terminal } = child;
  if (terminal === undefined) throw new Error("there is no terminal to be had");
  return {
    pid: child.pid,
    type: (text) => void terminal.write(text),
    resize: (columns, rows) => terminal.resize(columns, rows),
    ended: child.exited,
    async sees(text, timeout = 20_000) {
      using limit = deadline(timeout, "test.not-seen", `the screen never showed ${JSON.stringify(text)}`);
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const look = () => {
        const at = shown.indexOf(text);
        if (at < 0) return;
        shown = shown.slice(at + text.length);
        resolve();
      };
      waiting.add(look);
      limit.addEventListener("abort", () => reject(new Error(`${limit.reason.message}; it shows: ${shown}`)));
      look();
      await promise.finally(() => waiting.delete(look));
    },
    async [Symbol.asyncDispose]() {
      child.kill();
      await child.exited;
      terminal.close();
    },
  };
}
