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
  /** How long to wait for each reply, in milliseconds. */
  readonly timeout: number;
  /** Addresses that are waited for at a time; 64 by default. */
  readonly window?: number;
  readonly signal?: AbortSignal;
}

interface Target {
  readonly to: Ip;
  readonly address: Uint8Array;
  /** Times in `performance.now()` milliseconds. */
  sentAt: number;
  sendAgainAt: number;
  gap: number;
  end: number;
  roundTrip: number | undefined;
  error: libc.Errno | undefined;
}

/** The first gap between two requests to the same address, and the longest, in milliseconds. */
const FIRST_GAP = 50;
const LONGEST_GAP = 500;

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
  const targets = addresses.map((to) => newTarget(to));
  const families = ([4, 6] as const).filter((version) => addresses.some((to) => family(to) === version));
  await Promise.all(
    families.map(async (version) => {
      const own = targets.filter(({ to }) => family(to) === version);
      await pingFamily(poller, from, version, own, options);
    }),
  );
  return targets.map(({ to, roundTrip, error }) => ({
    to,
    roundTrip,
    error: roundTrip === undefined ? error : undefined,
  }));
}

function newTarget(to: Ip): Target {
  return {
    to,
    address: libc.socketAddress(ipBytes(to), 0),
    sentAt: 0,
    sendAgainAt: 0,
    gap: FIRST_GAP,
    end: 0,
    roundTrip: undefined,
    error: undefined,
  };
}

async function pingFamily(
  poller: Poller,
  from: NamespaceRef,
  version: 4 | 6,
  targets: readonly Target[],
  { timeout, window = 64, signal }: PingOptions,
): Promise<void> {
  const fd = openEcho(from, version);
  try {
    // Others that begin now open their sockets first, so that this does not count as their round trip.
    await new Promise((resolve) => setImmediate(resolve));
    const identifier = 1 + Math.floor(Math.random() * 0xfffe);
    /** The targets that are waited for, by sequence number. */
    const waiting = new Map<number, Target>();
    let next = 0;
    for (;;) {
      for (let target = targets[next]; target !== undefined && waiting.size < window; target = targets[next]) {
        target.end = performance.now() + timeout;
        waiting.set(next++, target);
      }
      if (waiting.size === 0 || signal?.aborted) return;
      sendDue(fd, version, identifier, waiting);
      const until = Math.min(...[...waiting.values()].map(({ sendAgainAt, end }) => Math.min(sendAgainAt, end)));
      if (await poller.wait(fd, "read", until, signal)) readReplies(fd, version, identifier, waiting);
      const now = performance.now();
      for (const [sequence, { end }] of waiting) if (end <= now) waiting.delete(sequence);
    }
  } finally {
    libc.close(fd);
  }
}

/** Sends a request to every target whose time has come. */
function sendDue(fd: number, version: 4 | 6, identifier: number, waiting: ReadonlyMap<number, Target>): void {
  for (const [sequence, target] of waiting) {
    const now = performance.now();
    if (target.sendAgainAt > now) continue;
    target.sentAt = now;
    target.sendAgainAt = now + target.gap;
    target.gap = Math.min(target.gap * 2, LONGEST_GAP);
    target.error = libc.sendTo(fd, echoRequest(version, { identifier, sequence }), target.address);
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

function readReplies(fd: number, version: 4 | 6, identifier: number, waiting: Map<number, Target>): void {
  for (let length = libc.receive(fd, datagram); length !== undefined; length = libc.receive(fd, datagram)) {
    const echo = echoReply(version, datagram.subarray(0, length));
    if (echo?.identifier !== identifier) continue;
    const target = waiting.get(echo.sequence);
    if (target === undefined) continue;
    target.roundTrip = performance.now() - target.sentAt;
    waiting.delete(echo.sequence);
  }
}
