import { afterAll, beforeAll, describe, setDefaultTimeout, test } from "bun:test";
import { chmodSync } from "node:fs";
import { join } from "node:path";
import { run, tryRun } from "@switchyard/base";
import { expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { createSite, type Site, yardName } from "./yard.ts";
import { type ServedYard, serveYard } from "./zeroos.ts";

setDefaultTimeout(60_000);

const needs = ["root", "openvswitch", "runc", "conmon", "busybox", "iproute2", "nftables", "dnsmasq"] as const;

describe.skipIf(!requires(...needs, "python3-redis"))("a program written for zero-os, on its host", () => {
  const yard = yardName();
  const world = `${yard}-world`;
  const device = `th${process.pid}`;
  /** NICs of the host, with somebody at the other end. */
  const nics = ["m", "s", "p"].map((end) => `${device}${end}`);
  const [member = "", shared = "", lent = ""] = nics;
  let before: Machine;
  let site: Site;
  let served: ServedYard;

  beforeAll(async () => {
    before = await snapshotMachine();
    site = await createSite();
    // As /run is: dnsmasq reads its files as nobody.
    chmodSync(join(site.folder, ".."), 0o711);
    served = await serveYard(site, yard);
    // Somebody beyond the host, who knows nothing of the yard's addresses.
    await run(["ip", "netns", "add", world]);
    for (const [n, name] of [device, ...nics].entries()) {
      await run(["ip", "link", "add", name, "type", "veth", "peer", "name", `eth${n}`, "netns", world]);
      await run(["ip", "link", "set", name, "up"]);
      await run(["ip", "-n", world, "link", "set", `eth${n}`, "up"]);
    }
    await run(["ip", "address", "add", "203.0.113.13/30", "dev", device]);
    await run(["ip", "-n", world, "address", "add", "203.0.113.14/30", "dev", "eth0"]);
  });
  afterAll(async () => {
    for (const name of [device, ...nics]) await tryRun(["ip", "link", "delete", name]);
    await tryRun(["ip", "netns", "delete", world]);
    await served[Symbol.asyncDispose]();
    await site[Symbol.asyncDispose]();
    await expectSameMachine(before, { ours: new RegExp(`${yard}|${yard.replace("-", "_")}|${device}`) });
  });

  test("makes bridges, with addresses, leases and members", () =>
    served.passes("networking", "bridges", device, member));
  test("has containers lease addresses on a bridge, and hides them behind the host's", () =>
    served.passes("networking", "leases", device, "203.0.113.14"));
  test("opens and drops ports", () => served.passes("networking", "open_ports"));
  test("shares NICs with containers, and lends them", () => served.passes("networking", "host_nics", shared, lent));
});
