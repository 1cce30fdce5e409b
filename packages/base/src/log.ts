import pino from "pino";

/** A structured logger; `child` adds fields that every line of it carries. */
export type Logger = pino.Logger;

/**
 * The logger of a process: one JSON object a line on standard error. The level comes from `SWITCHYARD_LOG`
 * (trace, debug, info, warn, error, silent); `info` without it.
 */
export function createLogger(name: string, level = process.env.SWITCHYARD_LOG ?? "info"): Logger {
  return pino({ name, level, base: { pid: process.pid } }, pino.destination({ dest: 2, sync: true }));
}
