import { describe, expect, test } from "bun:test";
import { delay, parseCidr } from "@switchyard/base";
import { requires } from "@switchyard/testing";
import {
  applyLinks,
  createNamespaces,
  deleteNamespaces,
  type NamespaceEvent,
  peerNames,
  watchNamespaces,
  watchPeers,
} from "../src/mod.ts";
import { scratchNames, twoNamespaces } from "./scratch.ts";

/** Collects events; `until` resolves with the first that passes a test, also one already there. */
function collect() {
  const events: NamespaceEvent[] = [];
  let waiting: { test: (event: NamespaceEvent) => boolean; resolve: (event: NamespaceEvent) => void } | undefined;
  return {
    events,
    listener: (event: NamespaceEvent) => {
      events.push(event);
      if (waiting?.test(event)) waiting.resolve(event);
    },
    until: (test: (event: NamespaceEvent) => boolean): Promise<NamespaceEvent> => {
      const found = events.find(test);
      if (found !== undefined) return Promise.resolve(found);
      return new Promise((resolve) => {
        waiting = { test, resolve };
      });
    },
  };
}

describe.skipIf(!requires("root"))("watching namespaces", () => {
  test("tells of links, addresses and routes there and in the namespaces behind its veths", async () => {
    using two = twoNamespaces();
    const stop = new AbortController();
    const { events, listener, until } = collect();
    watchNamespaces({ name: two.a }, listener, stop.signal);
    try {
      const address = parseCidr("10.1.0.1/24");
      applyLinks([
        {
          namespace: { name: two.a },
          ops: [{ op: "veth", name: "v0", up: true, peer: { name: "v1", namespace: { name: two.b }, up: true } }],
        },
        { namespace: { name: two.b }, ops: [{ op: "address-add", name: "v1", address }] },
      ]);
      const link = await until((event) => event.what === "link" && event.name === "v0");
      expect(link).toMatchObject({ change: "new", peer: undefined });
      const added = await until((event) => event.what === "address" && event.address === address);
      const peers = peerNames({ name: two.a }, [{ name: two.b }, "self", { name: "tlinux_absent" }]);
      expect([...peers.values()]).toEqual([two.b]);
      expect(added).toMatchObject({ change: "new", peer: [...peers.keys()][0] });
      await until((event) => event.what === "route");
      applyLinks([{ namespace: { name: two.b }, ops: [{ op: "address-delete", name: "v1", address }] }]);
      await until((event) => event.what === "address" && event.change === "gone");
      // The far end dies with its namespace, and the near one with it: that is how the loss of a node is seen.
      deleteNamespaces([two.b]);
      await until((event) => event.what === "link" && event.change === "gone" && event.name === "v0");
      expect(events.some(({ what }) => what === "overrun")).toBe(false);
    } finally {
      stop.abort();
    }
  });

  test("tells only where something has changed, of whoever wants no more", async () => {
    using two = twoNamespaces();
    const stop = new AbortController();
    const seen = new Set<number | undefined>();
    const { promise, resolve } = Promise.withResolvers<void>();
    watchPeers(
      { name: two.a },
      (where) => {
        if (where === "overrun") return;
        for (const peer of where) seen.add(peer);
        const [number] = [...peerNames({ name: two.a }, [{ name: two.b }]).keys()];
        if (seen.has(undefined) && number !== undefined && seen.has(number)) resolve();
      },
      stop.signal,
    );
    try {
      applyLinks([
        {
          namespace: { name: two.a },
          ops: [{ op: "veth", name: "v0", up: true, peer: { name: "v1", namespace: { name: two.b }, up: true } }],
        },
        { namespace: { name: two.b }, ops: [{ op: "address-add", name: "v1", address: parseCidr("10.1.0.1/24") }] },
      ]);
      await promise;
      expect(seen.size).toBe(2);
    } finally {
      stop.abort();
    }
  });

  test("tells each of several peers apart, in whatever order they change", async () => {
    using two = twoNamespaces();
    using others = twoNamespaces();
    const names = [two.b, others.a, others.b];
    const veth = (name: string, at: number) =>
      ({ op: "veth", name: `v${at}`, up: true, peer: { name: "eth0", namespace: { name }, up: true } }) as const;
    applyLinks([{ namespace: { name: two.a }, ops: names.map(veth) }]);
    const peers = peerNames(
      { name: two.a },
      names.map((name) => ({ name })),
    );
    const stop = new AbortController();
    const { listener, until } = collect();
    watchNamespaces({ name: two.a }, listener, stop.signal);
    try {
      for (const [at, name] of [...names, ...names].entries()) {
        const address = parseCidr(`10.1.${at}.1/24`);
        applyLinks([{ namespace: { name }, ops: [{ op: "address-add", name: "eth0", address }] }]);
        const event = await until((event) => event.what === "address" && event.address === address);
        const peer = event.what === "address" ? event.peer : undefined;
        expect(peers.get(peer ?? -1)).toBe(name);
      }
    } finally {
      stop.abort();
    }
  });

  test("costs nothing while nothing happens, and says nothing after it was ended", async () => {
    using two = twoNamespaces();
    const stop = new AbortController();
    const { events, listener, until } = collect();
    watchNamespaces({ name: two.a }, listener, stop.signal);
    applyLinks([{ namespace: { name: two.a }, ops: [{ op: "set", name: "lo", alias: "one" }] }]);
    await until((event) => event.what === "link");
    const before = process.cpuUsage();
    await delay(500);
    const { user, system } = process.cpuUsage(before);
    expect(user + system).toBeLessThan(50_000);
    const told = events.length;
    stop.abort();
    applyLinks([{ namespace: { name: two.a }, ops: [{ op: "set", name: "lo", alias: "two" }] }]);
    await delay(50);
    expect(events.length).toBe(told);
  });

  test("does not keep a deleted namespace behind a veth alive", async () => {
    using two = twoNamespaces();
    const stop = new AbortController();
    const { listener, until } = collect();
    watchNamespaces({ name: two.a }, listener, stop.signal);
    try {
      applyLinks([
        {
          namespace: { name: two.a },
          ops: [{ op: "veth", name: "v0", peer: { name: "v1", namespace: { name: two.b } } }],
        },
      ]);
      deleteNamespaces([two.b]);
      await until((event) => event.what === "link" && event.change === "gone");
    } finally {
      stop.abort();
    }
  });

  test("keeps up with 200 nodes made at once", async () => {
    using scratch = scratchNames(200);
    using two = twoNamespaces();
    const stop = new AbortController();
    const { events, listener, until } = collect();
    watchNamespaces({ name: two.a }, listener, stop.signal);
    try {
      createNamespaces(scratch.names);
      const ops = scratch.names.map((name, i) => ({
        op: "veth" as const,
        name: `v${i}`,
        up: true,
        peer: { name: "eth0", namespace: { name }, up: true },
      }));
      applyLinks([{ namespace: { name: two.a }, ops }]);
      await until((event) => event.what === "link" && event.name === "v199");
      const seen = new Set(
        events.flatMap((event) => (event.what === "link" && event.peer === undefined ? [event.name] : [])),
      );
      expect([...seen].filter((name) => name.startsWith("v")).length).toBe(200);
    } finally {
      stop.abort();
    }
  });
});
