import { YardError } from "./errors.ts";

/** Resolves after `milliseconds`, or rejects with the signal's reason. For back-off, never for waiting on a state. */
export function delay(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", aborted);
      resolve();
    }, milliseconds);
    const aborted = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    signal?.addEventListener("abort", aborted, { once: true });
  });
}

/** What a promise comes to, unless the signal aborts before: then its reason is thrown, and nobody waits for the promise. */
export async function unlessAborted<R>(work: Promise<R>, signal: AbortSignal | undefined): Promise<R> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal?.reason);
  signal?.addEventListener("abort", abort, { once: true });
  if (signal?.aborted) abort();
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

/** A signal that aborts with a `YardError(code, message)` after `milliseconds`, or with `parent`'s reason before. */
export function deadline(
  milliseconds: number,
  code: string,
  message: string,
  parent?: AbortSignal,
): AbortSignal & Disposable {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(new YardError(code, message)), milliseconds);
  const aborted = () => controller.abort(parent?.reason);
  parent?.addEventListener("abort", aborted, { once: true });
  if (parent?.aborted) aborted();
  return Object.assign(controller.signal, {
    [Symbol.dispose]: () => {
      clearTimeout(timer);
      parent?.removeEventListener("abort", aborted);
    },
  });
}

/** The delays of an exponential back-off in milliseconds: `first`, doubled each time, up to `most`. */
export function* backoff(first: number, most: number): Generator<number, never> {
  for (let wait = first; ; wait = Math.min(wait * 2, most)) yield wait;
}
