import { afterAll, beforeAll, describe, setDefaultTimeout, test } from "bun:test";
import { run } from "@switchyard/base";
import { expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { createSite, type Site, yardName } from "./yard.ts";
import { type ServedYard, serveYard } from "./zeroos.ts";

setDefaultTimeout(60_000);

const needs = ["root", "openvswitch", "runc", "conmon", "busybox", "iproute2", "nftables", "dnsmasq"] as const;

describe.skipIf(!requires(...needs, "python3-redis"))("a program written for zero-os, on two hosts", () => {
  const yards = [yardName(), yardName()];
  const served: ServedYard[] = [];
  let before: Machine;
  let site: Site;

  beforeAll(async () => {
    before = await snapshotMachine();
    site = await createSite();
    for (const yard of yards) served.push(await serveYard(site, yard));
    const [near, far] = yards;
    // The cable between the two.
    const peer = ["type", "veth", "peer", "name", "u0", "netns", `yard_${far}`];
    await run(["ip", "-n", `yard_${near}`, "link", "add", "u0", ...peer]);
  });
  afterAll(async () => {
    for (const server of served) await server[Symbol.asyncDispose]();
    await site[Symbol.asyncDispose]();
    await expectSameMachine(before, { ours: new RegExp(yards.join("|")) });
  });

  test("joins containers by VLAN and VXLAN, and sends bulk TCP over both", async () => {
    const [near, far] = served;
    await near?.passes("hosts", "joined", String(far?.port));
  });
});
