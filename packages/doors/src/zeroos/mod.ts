/**
 * zero-os's door: a program written for the Python client of zero-os (`zeroos.core0.client`) finds a Redis that takes
 * its jobs, and containers with Open vSwitch networking behind it.
 */
import { isIP } from "node:net";
import { YardError } from "@switchyard/base";
import type { Ground } from "./ground.ts";
import { Jobs } from "./jobs.ts";
import { Lists } from "./lists.ts";
import { Networks } from "./networks.ts";
import { hostPlace } from "./places.ts";
import { isTrustedPeer } from "./resp/peer.ts";
import { type RespServer, serveResp } from "./resp/server.ts";

export { codes } from "./codes.ts";
export type { Ground } from "./ground.ts";

export interface ZeroosOptions {
  /** An IP address; others than the loopback's need a password. */
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  readonly password: string | undefined;
  /** Certificate and key, PEM. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  /** Of Switchyard. */
  readonly version: string;
}

/**
 * Serves a yard to clients of zero-os.
 *
 * @throws YardError `zeroos.password-needed`, `zeroos.not-listening`
 */
export async function serveZeroos(ground: Ground, options: ZeroosOptions): Promise<RespServer> {
  const { host, port, password, tls, version } = options;
  if (password === undefined && !isLoopback(host))
    throw new YardError("zeroos.password-needed", `${host} can be reached by others, and no password is set`, {
      hint: "give --password-file FILE, or serve on 127.0.0.1",
    });
  await using stack = new AsyncDisposableStack();
  const lists = stack.use(new Lists());
  const jobs = stack.use(new Jobs(lists, ground.log));
  const networks = new Networks(ground);
  // Of nics that went while nobody served.
  await networks.release(new AbortController().signal);
  const place = hostPlace(ground, networks, jobs, version);
  const submit = (text: string) => jobs.submit(text, place);
  const { log } = ground;
  const server = stack.use(await serveResp({ host, port, password, tls, admit: isTrustedPeer, lists, submit, log }));
  const owned = stack.move();
  return { address: server.address, port: server.port, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

function isLoopback(host: string): boolean {
  return host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}
