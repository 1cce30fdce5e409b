import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, cpSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { createSite, type Site, yardName } from "./yard.ts";

setDefaultTimeout(60_000);

const examples = new URL("../../../examples", import.meta.url).pathname;
const PORT = 20_000 + (process.pid % 10_000);
const able = requires("root", "openvswitch", "runc", "conmon", "busybox", "dnsmasq", "nftables", "ping");

describe.skipIf(!able)("a lan with a nat of both families", () => {
  const yard = yardName();
  let before: Machine;
  let site: Site;
  const said = (...argv: readonly string[]) => site.said(yard, argv);

  beforeAll(async () => {
    before = await snapshotMachine();
    site = await createSite();
    // The server of leases reads its files as nobody.
    chmodSync(join(site.folder, ".."), 0o755);
    cpSync(join(examples, "www"), join(site.folder, "www"), { recursive: true });
    // The example as it is, but for the subnets and the port, which are the whole host's.
    const text = readFileSync(join(examples, "ways.yard.yaml"), "utf8");
    const file = text.replaceAll("10.6.0.", "10.251.6.").replaceAll("fd00:6:", "fd51:6:").replaceAll("8080", `${PORT}`);
    await said("up", site.write("ways.yard.yaml", file));
  });
  afterAll(async () => {
    await site[Symbol.asyncDispose]();
    await expectSameMachine(before, { ours: new RegExp(`${yard}|switchyard_forwarding6`) });
  });

  test("reaches its nodes by both, and is reached from the host", async () => {
    expect(await said("check")).toContain("3 of 3 checks as expected");
    const page = readFileSync(join(examples, "www/index.html"), "utf8");
    for (const host of ["127.0.0.1", "[::1]"]) expect(await (await fetch(`http://${host}:${PORT}/`)).text()).toBe(page);
  });

  test("tells what it has leased, and to whom", async () => {
    expect(await said("inspect", "out")).toMatch(/^10\.251\.6\.\d+ +pc +02:[0-9a-f:]+ +in /m);
    const [out] = JSON.parse(await said("inspect", "out", "--json"));
    expect(out).toMatchObject({
      subnets: ["10.251.6.0/24", "fd51:6::/64"],
      ports: [`127.0.0.1:${PORT}->web:80/tcp`, `[::1]:${PORT}->web:80/tcp`],
      leased: [{ node: "pc", name: "pc" }],
    });
  });

  test("is made by a command, too, as the lab file makes it", async () => {
    const words = ["--cidr", "10.251.7.0/24", "--cidr", "fd51:7::/64", "--publish", `${PORT + 1}:10.251.7.9:22`];
    await said("add", "network", "other");
    await said("add", "nat", "second", "-n", "other", ...words);
    expect(await said("inspect", "second")).toContain("10.251.7.0/24, fd51:7::/64");
    await said("rm", "second", "other");
  });
});
