import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { run } from "@switchyard/base";
import { ensureGuest, expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { createSite, type Site, yardName } from "./yard.ts";
import { type ServedYard, serveYard } from "./zeroos.ts";
import { GuestInside, guestRoot } from "./zeroos-guest.ts";

// A translated guest is slow, and the machine may be busy with other tests.
setDefaultTimeout(90_000);

const needs = ["root", "openvswitch", "qemu", "runc", "conmon", "busybox", "iproute2", "nftables", "dnsmasq"] as const;

describe.skipIf(!requires(...needs, "python3-redis"))("a program written for zero-os, on two hosts", () => {
  const [near, far] = [yardName(), yardName()];
  let before: Machine;
  let site: Site;
  let here: ServedYard;
  let there: ServedYard;
  let container = "";

  beforeAll(async () => {
    before = await snapshotMachine();
    const guest = await ensureGuest();
    site = await createSite();
    const options = guestRoot(site, guest);
    here = await serveYard(site, near, options);
    there = await serveYard(site, far, options);
    // The cable between the two.
    const peer = ["type", "veth", "peer", "name", "u0", "netns", `yard_${far}`];
    await run(["ip", "-n", `yard_${near}`, "link", "add", "u0", ...peer]);
  });
  afterAll(async () => {
    await here[Symbol.asyncDispose]();
    await there[Symbol.asyncDispose]();
    await site[Symbol.asyncDispose]();
    await expectSameMachine(before, { ours: new RegExp(`${near}|${far}|syguest`) });
  });

  test("joins containers by VLAN and VXLAN, and sends bulk TCP over both", async () => {
    container = (await here.passes("hosts", "joined", String(there.port))).trim();
  });

  test("joins a container and a machine on the other host by both, with bulk TCP", async () => {
    await here.passes("hosts", "machine", String(there.port), container);
    await using guest = await GuestInside.open(site, far);
    await guest.address("52:54:00:47:11:09", "10.8.0.9/24");
    for (const address of ["10.9.0.9", "10.8.0.9"]) {
      await guest.listen();
      await here.passes("machines", "sends_to_it", container, address);
      expect(await guest.received()).toBe(3_000_000);
    }
  });

  test("leaves nothing but what the hosts were given", () => here.passes("hosts", "ended", String(there.port)));
});
