import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { run, tryRun } from "@switchyard/base";
import { expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { createSite, type Site, yardName } from "./yard.ts";

setDefaultTimeout(90_000);

const DESK = `desk${process.pid}`;
const example = (name: string) =>
  readFileSync(new URL(`../../../examples/${name}.yard.yaml`, import.meta.url).pathname, "utf8");
const able = requires(
  ...(["root", "openvswitch", "runc", "conmon", "busybox", "dnsmasq", "nftables", "tcpdump", "ping"] as const),
);

describe.skipIf(!able)("a lab of tap, nat, a2b and c2c, spied on everywhere", () => {
  const [main, far] = [yardName(), yardName()];
  let before: Machine;
  let site: Site;
  const said = (yard: string, ...argv: readonly string[]) => site.said(yard, argv);

  beforeAll(async () => {
    before = await snapshotMachine();
    site = await createSite();
    // The server of leases reads its files as nobody.
    chmodSync(join(site.folder, ".."), 0o755);
    // The names of yards and of the host's interface are the test's own, and so is the subnet.
    const write = (name: string) =>
      site.write(
        `${name}.yard.yaml`,
        example(name)
          .replace("yard: far", `yard: ${far}`)
          .replace("yard: main", `yard: ${main}`)
          .replace(/^ {2}desk:/m, `  ${DESK}:`)
          .replaceAll("10.8.", "10.251."),
      );
    expect(await said(main, "up", write("mixed"))).toStartWith("lab mixed: 2 networks, 7 nodes added");
    expect(await said(far, "up", write("far"))).toStartWith("lab far: 1 network, 2 nodes added");
  });
  afterAll(async () => {
    await site[Symbol.asyncDispose]();
    await expectSameMachine(before, { ours: new RegExp(`${main}|${far}|${DESK}`) });
  });

  test("reaches within and over the line, the host, and the other yard", async () => {
    expect(await said(main, "check", "mixed.yard.yaml")).toContain("3 of 3 checks as expected");
    expect(await said(far, "check", "far.yard.yaml")).toContain("2 of 2 checks as expected");
    expect((await tryRun(["ping", "-c", "1", "-W", "2", "-I", DESK, "10.251.0.1"])).code).toBe(0);
    expect(await said(main, "exec", "pc", "--", "ip", "route")).toContain("default via 10.251.9.1 ");
  });

  test("takes its time over the line", async () => {
    const pings = await said(main, "exec", "a", "--", "ping", "-c", "3", "-i", "0.2", "10.251.0.2");
    expect(Number(/min\/avg\/max = ([\d.]+)\//.exec(pings)?.[1])).toBeWithin(40, 80);
  });

  test("has a spy at each port of each kind, which sees what passes", async () => {
    const vsctl = (...argv: string[]) =>
      run(["ovs-vsctl", `--db=unix:${site.env.SWITCHYARD_RUN_DIR}/${main}/db.sock`, ...argv]);
    const mirrors = (await vsctl("--bare", "--columns=name", "list", "Mirror")).split("\n").filter((it) => it !== "");
    expect(mirrors).toHaveLength(8);
    const captures = ["out:0", "wan:0", "wan:1", "far:0"].map((port) =>
      site.yard(main, ["capture", port, "icmp", "-c", "1", "-d", "20s", "-w", `${port}.pcapng`]),
    );
    const pings = Promise.all([
      said(far, "exec", "c", "--", "ping", "-c", "15", "-i", "0.2", "10.251.0.1"),
      said(main, "exec", "pc", "--", "ping", "-c", "15", "-i", "0.2", "10.251.9.1"),
    ]);
    for (const capture of captures)
      expect(await capture).toMatchObject({ code: 0, stderr: expect.stringContaining("1 frame") });
    await pings;
  });
});
