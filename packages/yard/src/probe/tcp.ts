import { delay, family, type Ip, ipBytes, YardError } from "@switchyard/base";
import { inNamespace, type NamespaceRef } from "@switchyard/linux";
import * as libc from "./libc.ts";
import type { Poller } from "./poller.ts";

/** How a connection came out: the milliseconds it took, or why there was none. */
export type TcpResult = { readonly milliseconds: number } | { readonly error: libc.Errno };

/**
 * Connects from a namespace to a TCP port and closes again.
 *
 * @param options `timeout` in milliseconds; with `persist` a refusal is tried again until then, since a server that
 * is only just starting refuses too
 * @throws YardError `probe.socket`; the signal's reason
 */
export async function tcpConnect(
  poller: Poller,
  from: NamespaceRef,
  to: Ip,
  port: number,
  options: { readonly timeout: number; readonly persist: boolean; readonly signal?: AbortSignal },
): Promise<TcpResult> {
  const began = performance.now();
  const end = began + options.timeout;
  for (;;) {
    const error = await attempt(poller, from, to, port, end, options.signal);
    if (error === undefined) return { milliseconds: performance.now() - began };
    const gap = Math.min(100, end - performance.now());
    if (!options.persist || gap <= 0) return { error };
    await delay(gap, options.signal);
  }
}

async function attempt(
  poller: Poller,
  from: NamespaceRef,
  to: Ip,
  port: number,
  end: number,
  signal: AbortSignal | undefined,
): Promise<libc.Errno | undefined> {
  const domain = family(to) === 4 ? libc.AF_INET : libc.AF_INET6;
  const fd = inNamespace(from, () => libc.open(domain, libc.SOCK_STREAM, libc.IPPROTO_TCP));
  if (typeof fd === "string") throw new YardError("probe.socket", `a TCP socket could not be opened: ${fd}`);
  try {
    const refused = libc.connect(fd, libc.socketAddress(ipBytes(to), port));
    if (refused !== undefined) return refused;
    return (await poller.wait(fd, "write", end, signal)) ? libc.connectResult(fd) : "ETIMEDOUT";
  } finally {
    libc.close(fd);
  }
}
