import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { expectSameMachine, requires, snapshotMachine } from "@switchyard/testing";
import type { Finding } from "@switchyard/yard/doctor";
import { createSite, type Site, yardName } from "./yard.ts";

setDefaultTimeout(60_000);

describe("doctor", () => {
  const yard = yardName();
  let site: Site;
  beforeAll(async () => {
    site = await createSite();
  });
  afterAll(() => site[Symbol.asyncDispose]());

  test("says of everything that is not there what to do about it", async () => {
    const { stdout } = await site.yard(yard, ["doctor", "--json"]);
    const findings: readonly Finding[] = JSON.parse(stdout);
    for (const finding of findings)
      if (finding.state !== "ok") expect(finding).toMatchObject({ remedy: expect.stringMatching(/\w/) });
  });

  test("tells a missing essential by its exit code", async () => {
    const { code, stdout } = await site.yard(yard, ["doctor"], { env: { PATH: "/nonexistent" } });
    expect(stdout).toContain("ovs-vswitchd, ovsdb-server, ovsdb-tool not installed");
    expect(stdout).toContain("apt-get install openvswitch-switch");
    expect(stdout).toContain("this host cannot run Switchyard yet");
    expect(code).toBe(1);
  });

  test.skipIf(!requires("root", "iproute2"))("blames no kernel for a program that is not installed", async () => {
    const folder = join(site.folder, "bin");
    mkdirSync(folder);
    symlinkSync(Bun.which("ip") ?? "", join(folder, "ip"));
    const { stdout } = await site.yard(yard, ["doctor"], { env: { PATH: folder } });
    expect(stdout).toContain("not tried, as tc is not installed");
    expect(stdout).not.toContain("sch_netem");
  });

  test.skipIf(!requires("root", "openvswitch", "iproute2"))("tries the kernel and leaves nothing behind", async () => {
    const before = await snapshotMachine();
    const { code, stdout } = await site.yard(yard, ["doctor", "--json"]);
    expect(code).toBe(0);
    const findings: readonly Finding[] = JSON.parse(stdout);
    const names = findings.map(({ name }) => name);
    for (const name of [
      "namespaces",
      "kernel datapath",
      "tun",
      "netem",
      "openvswitch",
      "wireguard",
      "oci",
      "docker",
      "podman",
      "kvm",
    ])
      expect(names).toContain(name);
    await expectSameMachine(before, { ours: /yard-doctor|doctor\d/ });
  });
});
