import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync } from "node:fs";
import { text } from "node:stream/consumers";
import { tryRun } from "@switchyard/base";
import { expectSameMachine, type Machine, patience, requires, snapshotMachine } from "@switchyard/testing";
import { LiveYard } from "./live.ts";

setDefaultTimeout(patience(60_000));

const NAME = `tjsp${process.pid}`;
const ours = { ours: new RegExp(NAME) };
/** An interface's name of the host. */
const TAP = `tjsp${process.pid % 100_000}`;

const lab = (spy: boolean) => `
name: spied
networks: { left: { cidr: 10.122.0.0/24 }, right: {}, out: {}, far: {} }
nodes:
  a: { kind: netns, nics: [ { network: left, ip: 10.122.0.1/24 }, { network: out, ip: 10.122.4.9/24 }, { network: far, ip: 10.122.3.1/24 } ] }
  b: { kind: netns, nics: [ { network: right, ip: 10.122.0.2/24 } ] }
  wan: { kind: a2b, nics: [ { network: left, spy: ${spy} }, { network: right, spy: ${spy} } ] }
  ${TAP}: { kind: tap, nics: [ { network: left, ip: 10.122.0.77/24, spy: ${spy} } ] }
  way: { kind: nat, cidr: 10.122.4.0/24, nics: [ { network: out, spy: ${spy} } ] }
  gate: { kind: c2c, yard: ${NAME}-b, nics: [ { network: far, spy: ${spy} } ] }
`;
const OTHER = `
name: other
networks: { lan: { cidr: 10.122.3.0/24 } }
nodes:
  n: { kind: netns, nics: [ { network: lan, ip: 10.122.3.2/24 } ] }
  gate: { kind: c2c, yard: ${NAME}-a, nics: [ lan ] }
`;

const able = requires("root", "openvswitch", "ping", "tcpdump", "iproute2", "nftables", "dnsmasq");
describe.skipIf(!able)("spies of nodes that nothing runs in", () => {
  let before: Machine;
  let yard: LiveYard;
  let other: LiveYard;

  beforeAll(async () => {
    before = await snapshotMachine();
    yard = await LiveYard.create(`${NAME}-a`);
    // The server of leases reads its files as nobody.
    chmodSync(yard.folder, 0o755);
    other = await LiveYard.create(`${NAME}-b`, { beside: yard });
    expect((await yard.up(lab(true))).failures).toEqual([]);
    expect((await other.up(OTHER)).failures).toEqual([]);
  });
  afterAll(async () => {
    await other[Symbol.asyncDispose]();
    await yard[Symbol.asyncDispose]();
    await expectSameMachine(before, ours);
  });

  test.each([
    ["each side of an a2b", "s_k_3_0", "10.122.0.2"],
    ["each side of an a2b", "s_k_3_1", "10.122.0.2"],
    ["a tap", "s_k_4_0", "10.122.0.77"],
    ["a nat", "s_k_5_0", "10.122.4.1"],
    ["a c2c", "s_k_6_0", "10.122.3.2"],
  ])("show what passes %s (%s)", async (_kind, spy, address) => {
    expect(await yard.comesToReach("a", address)).toBe(true);
    const argv = ["netns", "exec", yard.paths.namespace, "tcpdump", "-lni", spy, "-c", "2", "icmp"];
    const tcpdump = spawn("ip", argv, { stdio: ["ignore", "pipe", "pipe"] });
    const seen = text(tcpdump.stdout);
    await once(tcpdump.stderr, "data");
    await yard.in("a", "ping", "-c", "1", "-W", "2", address);
    const lines = (await seen).trim().split("\n");
    expect(lines.map((line) => / > (\S+): ICMP echo (\w+)/.exec(line)?.slice(1))).toEqual([
      [address, "request"],
      [expect.any(String), "reply"],
    ]);
  });

  test("go when they are told to, and the nodes work on", async () => {
    expect((await yard.up(lab(false))).failures).toEqual([]);
    const { stdout } = await tryRun(["ip", "-n", yard.paths.namespace, "-br", "link"]);
    expect(stdout).not.toContain("s_k_");
    for (const address of ["10.122.0.2", "10.122.0.77", "10.122.4.1", "10.122.3.2"])
      expect(await yard.comesToReach("a", address)).toBe(true);
  });
});
