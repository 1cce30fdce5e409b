import { family, type Ip, ipBytes, YardError } from "@switchyard/base";
import { inNamespace, type NamespaceRef } from "@switchyard/linux";
import { echoReply, echoRequest, replyFilter } from "./icmp.ts";
import * as libc from "./libc.ts";
import type { Poller } from "./poller.ts";

/** Whether an address answered. */
export interface PingResult {
  readonly to: Ip;
  /** Round-trip time in milliseconds; undefined when no reply came. */
  readonly roundTrip: number | undefined;
  /** Why nothing could be sent, the kernel's errno name; undefined when something was. */
  readonly error: libc.Errno | undefined;
}

interface PingOptions {
  /** How long to wait for the replies, in milliseconds. */
  readonly timeout: number;
  readonly signal?: AbortSignal;
}

interface Target {
  readonly to: Ip;
  readonly address: Uint8Array;
  sentAt: number;
  roundTrip: number | undefined;
  error: libc.Errno | undefined;
}

/** Echo requests sent before replies are read again: what a socket's buffer holds of replies. */
const BURST = 64;

/**
 * Pings many addresses from one namespace, side by side. A request that is not answered is sent again with growing
 * gaps until the timeout, because the first packets to a neighbour are those that get lost while tables are learned.
 *
 * @throws YardError `probe.socket`
 */
export async function ping(
  poller: Poller,
  from: NamespaceRef,
  addresses: readonly Ip[],
  options: PingOptions,
): Promise<PingResult[]> {
  const targets = addresses.map(
    (to): Target => ({
      to,
      address: libc.socketAddress(ipBytes(to), 0),
      sentAt: 0,
      roundTrip: undefined,
      error: undefined,
    }),
  );
  const families = ([4, 6] as const).filter((version) => addresses.some((to) => family(to) === version));
  await Promise.all(
    families.map((version) =>
      pingFamily(
        poller,
        from,
        version,
        targets.filter(({ to }) => family(to) === version),
        options,
      ),
    ),
  );
  return targets.map(({ to, roundTrip, error }) => ({
    to,
    roundTrip,
    error: roundTrip === undefined ? error : undefined,
  }));
}

async function pingFamily(
  poller: Poller,
  from: NamespaceRef,
  version: 4 | 6,
  targets: readonly Target[],
  { timeout, signal }: PingOptions,
): Promise<void> {
  const fd = openEcho(from, version);
  try {
    const identifier = 1 + Math.floor(Math.random() * 0xfffe);
    const end = performance.now() + timeout;
    const waiting = new Set(targets.keys());
    const read = () => readReplies(fd, version, identifier, targets, waiting);
    for (let gap = 50; waiting.size > 0 && performance.now() < end && !signal?.aborted; gap = Math.min(gap * 2, 500)) {
      let burst = 0;
      for (const sequence of [...waiting]) {
        const target = targets[sequence];
        if (target === undefined) continue;
        target.sentAt = performance.now();
        target.error = libc.sendTo(fd, echoRequest(version, { identifier, sequence }), target.address);
        if (++burst % BURST === 0) {
          await poller.wait(fd, "read", performance.now() + 1, signal);
          read();
        }
      }
      const until = Math.min(end, performance.now() + gap);
      while (waiting.size > 0 && (await poller.wait(fd, "read", until, signal))) read();
    }
  } finally {
    libc.close(fd);
  }
}

function openEcho(from: NamespaceRef, version: 4 | 6): number {
  const [domain, protocol] =
    version === 4 ? ([libc.AF_INET, libc.IPPROTO_ICMP] as const) : ([libc.AF_INET6, libc.IPPROTO_ICMPV6] as const);
  const fd = inNamespace(from, () => libc.open(domain, libc.SOCK_RAW, protocol));
  if (typeof fd === "string") throw new YardError("probe.socket", `a raw socket for ping could not be opened: ${fd}`);
  if (version === 4) libc.setOption(fd, libc.SOL_RAW, libc.ICMP_FILTER, replyFilter(4));
  else libc.setOption(fd, libc.IPPROTO_ICMPV6, libc.ICMPV6_FILTER, replyFilter(6));
  libc.setOption(fd, libc.SOL_SOCKET, libc.SO_RCVBUFFORCE, new Uint8Array(Uint32Array.of(1 << 20).buffer));
  return fd;
}

const datagram = new Uint8Array(2_048);

function readReplies(
  fd: number,
  version: 4 | 6,
  identifier: number,
  targets: readonly Target[],
  waiting: Set<number>,
): void {
  for (let length = libc.receive(fd, datagram); length !== undefined; length = libc.receive(fd, datagram)) {
    const echo = echoReply(version, datagram.subarray(0, length));
    if (echo?.identifier !== identifier || !waiting.delete(echo.sequence)) continue;
    const target = targets[echo.sequence];
    if (target !== undefined) target.roundTrip = performance.now() - target.sentAt;
  }
}
