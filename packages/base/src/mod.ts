export * from "./address.ts";
export * from "./command.ts";
export * from "./errors.ts";
// A logger is made in "@switchyard/base/log": loading one costs a short command more than its work.
export type { Logger } from "./log.ts";
export * from "./time.ts";
