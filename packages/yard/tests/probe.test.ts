import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { parseIp, run } from "@switchyard/base";
import { createNamespaces, deleteNamespaces, inNamespace } from "@switchyard/linux";
import { requires } from "@switchyard/testing";
import { ping } from "../src/probe/ping.ts";
import { Poller } from "../src/probe/poller.ts";
import { tcpConnect } from "../src/probe/tcp.ts";

const a = `typrobe_${process.pid}_a`;
const b = `typrobe_${process.pid}_b`;
const ip = parseIp;

describe.skipIf(!requires("root", "iproute2"))("probes from within a namespace", () => {
  const poller = new Poller();
  let server: { readonly port: number | undefined; stop(): unknown };

  beforeAll(async () => {
    expect(createNamespaces([a, b])).toEqual([]);
    await run(["ip", "-n", a, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", b]);
    for (const [namespace, host] of [
      [a, 1],
      [b, 2],
    ] as const) {
      await run(["ip", "-n", namespace, "address", "add", `10.9.0.${host}/24`, "dev", "eth0"]);
      await run(["ip", "-n", namespace, "address", "add", `fd09::${host}/64`, "dev", "eth0", "nodad"]);
      await run(["ip", "-n", namespace, "link", "set", "eth0", "up"]);
    }
    server = inNamespace({ name: b }, () => Bun.listen({ hostname: "10.9.0.2", port: 0, socket: { data() {} } }));
  });

  afterAll(() => {
    server.stop();
    deleteNamespaces([a, b]);
  });

  test("a neighbour answers, over IPv4 and IPv6", async () => {
    const results = await ping(poller, { name: a }, [ip("10.9.0.2"), ip("fd09::2")], { timeout: 3_000 });
    expect(results.map(({ to }) => String(to))).toEqual(["10.9.0.2", "fd09::2"]);
    for (const { roundTrip } of results) expect(roundTrip).toBeLessThan(1_000);
  });

  test("an address that nobody has does not answer, and takes no longer than the timeout", async () => {
    const began = performance.now();
    const [result] = await ping(poller, { name: a }, [ip("10.9.0.77")], { timeout: 300 });
    expect(result?.roundTrip).toBeUndefined();
    expect(performance.now() - began).toBeLessThan(2_000);
  });

  test("an address without a route names the reason", async () => {
    const [result] = await ping(poller, { name: a }, [ip("192.0.2.1")], { timeout: 100 });
    expect(result?.error).toBe("ENETUNREACH");
  });

  test("an open port connects, a closed one is refused", async () => {
    const options = { timeout: 5_000, persist: false };
    const open = await tcpConnect(poller, { name: a }, ip("10.9.0.2"), server.port ?? 0, options);
    expect(open).toHaveProperty("milliseconds");
    const closed = await tcpConnect(poller, { name: a }, ip("10.9.0.2"), 1, options);
    expect(closed).toEqual({ error: "ECONNREFUSED" });
  });

  test("a server that starts late is still reached when the probe persists", async () => {
    const late = Bun.sleep(200).then(() =>
      inNamespace({ name: b }, () => Bun.listen({ hostname: "10.9.0.2", port: 7_777, socket: { data() {} } })),
    );
    const result = await tcpConnect(poller, { name: a }, ip("10.9.0.2"), 7_777, { timeout: 10_000, persist: true });
    (await late).stop();
    expect(result).toHaveProperty("milliseconds");
  });

  test("a cancelled ping ends at once", async () => {
    const signal = AbortSignal.timeout(50);
    const began = performance.now();
    await ping(poller, { name: a }, [ip("10.9.0.77")], { timeout: 10_000, signal });
    expect(performance.now() - began).toBeLessThan(5_000);
  });
});
