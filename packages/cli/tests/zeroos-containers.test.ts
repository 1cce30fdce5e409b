import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { expectSameMachine, type Machine, processes, requires, snapshotMachine } from "@switchyard/testing";
import { createSite, type Site, yardName } from "./yard.ts";
import { type ServedYard, serveYard } from "./zeroos.ts";

setDefaultTimeout(60_000);

const needs = ["root", "openvswitch", "runc", "conmon", "busybox", "iproute2", "nftables", "dnsmasq"] as const;

describe.skipIf(!requires(...needs, "python3-redis"))("a program written for zero-os, with its containers", () => {
  const yard = yardName();
  let before: Machine;
  let site: Site;
  let served: ServedYard;

  beforeAll(async () => {
    before = await snapshotMachine();
    site = await createSite();
    served = await serveYard(site, yard);
  });
  afterAll(async () => {
    await served[Symbol.asyncDispose]();
    await site[Symbol.asyncDispose]();
    await expectSameMachine(before, { ours: new RegExp(yard) });
  });

  test("plugs nics in and out", () => served.passes("networking", "plugging"));
  test("forwards ports", () => served.passes("networking", "forwards", String(20_000 + (process.pid % 10_000))));
  test("reads and sets links, addresses and routes", () => served.passes("networking", "links"));
  test("runs programs in them", () => served.passes("networking", "processes"));
  test("may do many things at once", () => served.passes("networking", "many"));

  test("goes on where the agent is killed, or the server is", async () => {
    const id = (await served.passes("networking", "settled")).trim();
    const agent = processes().find(({ command }) => command.includes(`--yard ${yard} agent`));
    if (agent === undefined) throw new Error("the yard has no agent");
    process.kill(agent.pid, "SIGKILL");
    await served.passes("networking", "still", id);
    process.kill(served.pid, "SIGKILL");
    await served[Symbol.asyncDispose]();
    // What it was on has nobody who would take it away.
    expect(await site.yard(yard, ["rm", `core-${id}`])).toMatchObject({ code: 0 });
    served = await serveYard(site, yard);
    await served.passes("networking", "gone");
  });
});
