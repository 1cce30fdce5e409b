import { took } from "./duration.ts";
import { displayWidth, type Style } from "./style.ts";

/** How far long work is. */
export interface Step {
  readonly done: number;
  readonly total: number;
  /** What is being done, for people. */
  readonly text: string;
}

/** Shows how far long work is: a live line with a bar on a terminal, a plain line at each new text elsewhere. */
export interface Progress extends Disposable {
  show(step: Step): void;
}

const BAR = 20;
/** Terminals show no more than so many pictures a second usefully, and drawing costs. */
const FRAME = 50;

/**
 * Progress on `stream`, headed by `title`. Disposing it removes the live line; elsewhere than on a terminal, it is
 * silent for work that ends within a second.
 */
export function createProgress(stream: NodeJS.WriteStream, title: string, style: Style): Progress {
  return stream.isTTY ? liveLine(stream, title, style) : plainLines(stream, title);
}

function liveLine(stream: NodeJS.WriteStream, title: string, style: Style): Progress {
  let step: Step = { done: 0, total: 0, text: "" };
  let timer: ReturnType<typeof setTimeout> | undefined;
  const draw = () => {
    timer = undefined;
    stream.write(`\r\x1b[2K${progressLine(title, step, stream.columns ?? 80, style)}`);
  };
  return {
    show(next) {
      step = next;
      timer ??= setTimeout(draw, FRAME);
    },
    [Symbol.dispose]() {
      clearTimeout(timer);
      stream.write("\r\x1b[2K");
    },
  };
}

/** The live line: title, bar, figures and as much of the text as the width has room for. */
export function progressLine(title: string, { done, total, text }: Step, columns: number, style: Style): string {
  const filled = total === 0 ? 0 : Math.floor((BAR * Math.min(done, total)) / total);
  const bar = `${"━".repeat(filled)}${style.dim("─".repeat(BAR - filled))}`;
  const head = `${title} ${style.green(bar)} ${total === 0 ? "" : `${done}/${total} `}`;
  const room = columns - displayWidth(head) - 1;
  return head + style.dim(text.length > room ? text.slice(0, Math.max(0, room)) : text);
}

function plainLines(stream: NodeJS.WriteStream, title: string): Progress {
  const began = performance.now();
  let said = began;
  return {
    show({ done, total, text }) {
      const now = performance.now();
      // A line a second at most: logs of CI machines are read afterwards.
      if (now - said < 1_000) return;
      said = now;
      stream.write(`${title}: ${total === 0 ? text : `${done}/${total} ${text}`.trimEnd()} (${took(now - began)})\n`);
    },
    [Symbol.dispose]() {},
  };
}
