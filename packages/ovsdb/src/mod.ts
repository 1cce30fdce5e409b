export { codes } from "./codes.ts";
export { openDatabase } from "./database.ts";
export * from "./errors.ts";
export { generateTypes } from "./generate.ts";
export type { Json, JsonObject } from "./json.ts";
export type { Lock } from "./lock.ts";
export type { Operation } from "./operation.ts";
export * from "./schema.ts";
export type { SessionOptions } from "./session.ts";
export { parseRemotes, type Remote, type TlsFiles } from "./transport.ts";
export * from "./types.ts";
export {
  type Atom,
  type Input,
  type Integer,
  isUuid,
  type Row,
  type RowInput,
  type Uuid,
  type Value,
} from "./value.ts";
