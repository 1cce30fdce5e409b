import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync } from "node:fs";
import { join } from "node:path";
import { run, tryRun } from "@switchyard/base";
import { expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { createSite, type Site, yardName } from "./yard.ts";
import { type ServedYard, serveYard } from "./zeroos.ts";

setDefaultTimeout(60_000);

const needs = ["root", "openvswitch", "runc", "conmon", "busybox", "iproute2", "nftables", "dnsmasq"] as const;

describe.skipIf(!requires(...needs, "python3-redis"))("a program written for zero-os", () => {
  const yard = yardName();
  const world = `${yard}-world`;
  const device = `tz${process.pid}`;
  let before: Machine;
  let site: Site;
  let served: ServedYard;

  beforeAll(async () => {
    before = await snapshotMachine();
    site = await createSite();
    // As /run is: clients of DHCP read their files as nobody.
    chmodSync(join(site.folder, ".."), 0o711);
    served = await serveYard(site, yard, ["--root", `${OVS}=busybox`, "--root", `${ROOT}=busybox`]);
    // Somebody beyond the host, who knows nothing of the yard's addresses.
    await run(["ip", "netns", "add", world]);
    await run(["ip", "link", "add", device, "up", "type", "veth", "peer", "name", "eth0", "netns", world]);
    await run(["ip", "address", "add", "203.0.113.9/30", "dev", device]);
    await run(["ip", "-n", world, "address", "add", "203.0.113.10/30", "dev", "eth0"]);
    await run(["ip", "-n", world, "link", "set", "eth0", "up"]);
  });
  afterAll(async () => {
    await tryRun(["ip", "link", "delete", device]);
    await tryRun(["ip", "netns", "delete", world]);
    await served[Symbol.asyncDispose]();
    await site[Symbol.asyncDispose]();
    await expectSameMachine(before, { ours: new RegExp(`${yard}|${device}`) });
  });

  test("runs as the documents have it: bridges, a VLAN, a VXLAN, and containers on both", async () => {
    await served.passes("networking", "documents");
  });
  test("is told what cannot be", () => served.passes("networking", "refusals"));
  test("finds that a VXLAN joins those in it alone", () => served.passes("networking", "vxlans", "203.0.113.10"));
  test("finds that a VLAN does, whose addresses are leased by a container in it", () =>
    served.passes("networking", "leasing_vlans", "203.0.113.10"));
  test("finds a VLAN and a VXLAN apart", () => served.passes("networking", "segments_apart"));
  test("has one bridge for each VLAN", () => served.passes("networking", "ensures"));
  test("gets the MAC addresses that it asks for", () => served.passes("networking", "hardware_addresses"));

  test("finds all as it was when another server has taken over", async () => {
    const there = await served.passes("networking", "remembered");
    expect(there).toContain('"ovs"');
    await served[Symbol.asyncDispose]();
    served = await serveYard(site, yard);
    expect(await served.passes("networking", "remembered")).toBe(there);
  });
});

const OVS = "https://hub.gig.tech/gig-official-apps/ovs.flist";
const ROOT = "https://hub.gig.tech/gig-bootable/ubuntu:16.04.flist";
