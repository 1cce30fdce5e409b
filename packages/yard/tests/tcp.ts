/** TCP in bulk, at which a switch that passes on unfinished packets fails, where a ping succeeds. */

import { expect } from "bun:test";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { run } from "@switchyard/base";
import { nodeNamespace } from "../src/agent/mod.ts";
import type { LiveYard } from "./live.ts";

const MEGABYTE = 1 << 20;
/** Bytes in a second that a busy machine gets to, and a switch that passes on unfinished segments does not. */
const BULK = 1 << 18;
const PORT = "5999";

/**
 * Moves bytes in bulk from one node to another at `address`, and back at the same time.
 *
 * @param beyond the yard of the other node
 */
export async function expectBulkBetween(
  yard: LiveYard,
  from: string,
  to: string,
  address: string,
  beyond: LiveYard = yard,
): Promise<void> {
  await expectBulkTo(yard, from, nodeNamespace(beyond.name, to), address);
}

/** As {@link expectBulkBetween}, to whoever has `address` in a namespace. */
export async function expectBulkTo(yard: LiveYard, from: string, to: string, address: string): Promise<void> {
  const inside = ["netns", "exec", to];
  const server = spawn("ip", [...inside, "iperf3", "-s", "-1", "-p", PORT, "--forceflush"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(server, "exit");
  try {
    // Its first words are that it listens.
    await once(server.stdout, "data");
    const client = await yard.in(
      from,
      "timeout",
      "20",
      "iperf3",
      "-c",
      address,
      "-p",
      PORT,
      "-t",
      "1",
      "--bidir",
      // At full speed one direction may starve the other on a machine of few cores.
      "-b",
      "200M",
      "-J",
    );
    expect({ from, to, code: client.code }).toEqual({ from, to, code: 0 });
    const { end } = JSON.parse(client.stdout);
    expect(end.sum_received.bytes).toBeGreaterThan(BULK);
    expect(end.sum_received_bidir_reverse.bytes).toBeGreaterThan(BULK);
  } finally {
    server.kill("SIGKILL");
    await ended;
  }
}

/** Moves a megabyte from a node that serves `/body` at `address` to the host, and one from the host at `gateway` to it. */
export async function expectBulkWithHost(
  yard: LiveYard,
  node: string,
  address: string,
  gateway: string,
): Promise<void> {
  const signal = AbortSignal.timeout(20_000);
  const body = await fetch(`http://${address}/body`, { signal });
  expect((await body.arrayBuffer()).byteLength).toBe(MEGABYTE);
  const server = Bun.serve({ hostname: gateway, port: 0, fetch: () => new Response("x".repeat(MEGABYTE)) });
  try {
    const url = `http://${gateway}:${server.port}/`;
    const got = await yard.in(node, "timeout", "20", "busybox", "wget", "-q", "-O", "-", url);
    expect(got.stdout.length).toBe(MEGABYTE);
  } finally {
    await server.stop(true);
  }
}

/** Whether a nic leaves its checksums and segments to the switch, as ethtool(8) tells. */
export async function leavesOffloads(yard: LiveYard, node: string, nic: string): Promise<readonly string[]> {
  const text = await run(["ip", "netns", "exec", nodeNamespace(yard.name, node), "ethtool", "-k", nic]);
  return [...text.matchAll(/^\s*(tx-checksumming|tx-tcp-segmentation): (on|off)/gm)].map(([, , state]) => state ?? "");
}
