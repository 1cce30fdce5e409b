export * from "./address.ts";
export * from "./command.ts";
export * from "./errors.ts";
export * from "./log.ts";
export * from "./time.ts";
