/** The `yard` executable's parts that its documentation and its tests use. */
export { codes } from "./codes.ts";
export { createProgram, describeProgram } from "./program.ts";
export { selfCommand } from "./self.ts";
export { createSession, type Session } from "./session.ts";
