/** The HTTP interface of a yard. */
export { type Principal, parseTokens } from "./access.ts";
export { codes } from "./codes.ts";
export type { Ground, LentCommand, Page, PageFile } from "./ground.ts";
export { type HttpOptions, type HttpServer, serveHttp } from "./serve.ts";
