import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync } from "node:fs";
import { join } from "node:path";
import { run } from "@switchyard/base";
import { ensureGuest, expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { createSite, type Site, yardName } from "./yard.ts";
import { type ServedYard, serveYard } from "./zeroos.ts";
import { GuestInside, guestRoot } from "./zeroos-guest.ts";

// A translated guest is slow, and the machine may be busy with other tests.
setDefaultTimeout(90_000);

const needs = ["root", "openvswitch", "qemu", "runc", "conmon", "busybox", "iproute2", "nftables", "dnsmasq"] as const;

describe.skipIf(!requires(...needs, "python3-redis"))("a program written for zero-os, with a virtual machine", () => {
  const yard = yardName();
  let before: Machine;
  let site: Site;
  let served: ServedYard;
  let guest: GuestInside;
  const bridge = `tk${process.pid}`;
  let uuid = "";
  let container = "";

  beforeAll(async () => {
    before = await snapshotMachine();
    const parts = await ensureGuest();
    site = await createSite();
    served = await serveYard(site, yard, guestRoot(site, parts));
    guest = await GuestInside.open(site, yard);
  });
  afterAll(async () => {
    await guest[Symbol.asyncDispose]();
    await served[Symbol.asyncDispose]();
    await site[Symbol.asyncDispose]();
    await expectSameMachine(before, { ours: new RegExp(`${yard}|${bridge}|syguest`) });
  });

  test("makes it, and reaches it by its VLAN with ping and bulk TCP", async () => {
    const told: unknown = JSON.parse(await served.passes("machines", "made"));
    expect(told).toEqual({ uuid: expect.any(String), container: expect.any(Number) });
    uuid = String(Reflect.get(Object(told), "uuid"));
    container = String(Reflect.get(Object(told), "container"));
    await guest.listen();
    await served.passes("machines", "sends_to_it", container, "10.80.0.9");
    expect(await guest.received()).toBe(3_000_000);
  });

  test("plugs a VXLAN in, which carries bulk TCP as well, and a bridge", async () => {
    await served.passes("machines", "plugged", uuid, bridge);
    await guest.address("52:54:00:81:00:09", "10.81.0.9/24");
    await guest.listen();
    await served.passes("machines", "sends_to_it", container, "10.81.0.9");
    expect(await guest.received()).toBe(3_000_000);
  });

  test("plugs it out; pauses and resumes the machine", async () => {
    await served.passes("machines", "unplugged", uuid, container);
  });

  test("shuts it down; resets and destroys another", async () => {
    const disk = join(site.folder, "disk.qcow2");
    await run(["qemu-img", "create", "-q", "-f", "qcow2", disk, "16M"]);
    chmodSync(disk, 0o666);
    await served.passes("machines", "ended", uuid, container, disk, String(20_000 + (process.pid % 10_000)));
  });
});
