import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { ensureGuest, expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { createSite, type Site, yardName } from "./yard.ts";

// Translated guests are slow, and the machine may be busy with other tests.
setDefaultTimeout(120_000);

const able = requires("root", "openvswitch", "qemu", "runc", "conmon", "busybox", "ping");
const example = new URL("../../../examples/slots.yard.yaml", import.meta.url).pathname;

describe.skipIf(!able)("a lab of slots", () => {
  const yard = yardName();
  let before: Machine;
  let site: Site;
  beforeAll(async () => {
    before = await snapshotMachine();
    site = await createSite();
  });
  afterAll(async () => {
    await site[Symbol.asyncDispose]();
    await expectSameMachine(before, { ours: new RegExp(`${yard}|syguest`) });
  });

  test("gives a namespace, a container and a virtual machine the addresses and MACs of their slots", async () => {
    const guest = await ensureGuest();
    // The example as it is, but for its subnet and where the guest lies.
    const file = site.write(
      "slots.yard.yaml",
      readFileSync(example, "utf8")
        .replaceAll("10.7.0.", "10.254.0.")
        .replaceAll("0a:07:00", "0a:fe:00")
        .replace("./guest/vmlinuz", guest.kernel)
        .replace("./guest/initrd.img", guest.initrd),
    );
    expect(await site.yard(yard, ["up", file])).toMatchObject({ code: 0 });
    const checked = await site.yard(yard, ["check", file]);
    expect(checked.stdout + checked.stderr).toContain("5 of 5 checks as expected");
    const ps = await site.yard(yard, ["ps"]);
    expect(ps.stdout).toMatch(/machine +vm +running +lan +10\.254\.0\.11\/24/);
  });
});
