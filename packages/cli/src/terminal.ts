import type { ExecStreams } from "@switchyard/runtime";
import type { Session } from "./session.ts";

/**
 * The caller's streams as a command in a node gets them. With a tty the terminal is in raw mode until disposed, so that
 * every key, Ctrl-C too, goes to the command; its size follows the window.
 */
export function callerStreams(
  { streams: { stdin, stdout, stderr } }: Session,
  options: { readonly interactive: boolean; readonly tty: boolean },
): ExecStreams & Disposable {
  const raw = options.tty && options.interactive && stdin.isTTY;
  if (raw) stdin.setRawMode(true);
  const listeners = new Set<() => void>();
  return {
    stdin: options.interactive ? stdin : undefined,
    stdout,
    stderr,
    ...(options.tty
      ? {
          size: {
            columns: stdout.columns ?? 80,
            rows: stdout.rows ?? 24,
            onChange(listener: (columns: number, rows: number) => void) {
              const resized = () => listener(stdout.columns, stdout.rows);
              listeners.add(resized);
              stdout.on("resize", resized);
            },
          },
        }
      : {}),
    [Symbol.dispose]() {
      for (const listener of listeners) stdout.off("resize", listener);
      if (raw) stdin.setRawMode(false);
      stdin.pause();
    },
  };
}
