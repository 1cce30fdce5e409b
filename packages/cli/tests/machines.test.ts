import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { run as runProgram } from "@switchyard/base";
import { ensureGuest, expectSameMachine, type Machine, requires, sitDown, snapshotMachine } from "@switchyard/testing";
import { createSite, type Site, yardName } from "./yard.ts";

// Translated guests are slow, and the machine may be busy with other tests.
setDefaultTimeout(120_000);

const able = requires("root", "openvswitch", "qemu", "busybox", "ping", "dnsmasq", "nftables");
const example = new URL("../../../examples/machines.yard.yaml", import.meta.url).pathname;

describe.skipIf(!able)("a lab of virtual machines, as one uses it", () => {
  const yard = yardName();
  let before: Machine;
  let site: Site;
  const run = (...argv: readonly string[]) => site.yard(yard, argv);
  const said = (...argv: readonly string[]) => site.said(yard, argv);

  beforeAll(async () => {
    before = await snapshotMachine();
    site = await createSite();
    // The server of leases reads its files as nobody.
    chmodSync(join(site.folder, ".."), 0o755);
    const guest = await ensureGuest();
    await runProgram(["qemu-img", "create", "-q", "-f", "qcow2", join(site.folder, "small.qcow2"), "16M"]);
    // The example as it is, but for the network of the host's and where the guest lies; and with a disk.
    const file = site.write(
      "machines.yard.yaml",
      readFileSync(example, "utf8")
        .replaceAll("10.4.0.", "10.252.0.")
        .replace("./guest/vmlinuz", guest.kernel)
        .replace("./guest/initrd.img", guest.initrd)
        .replace("  left:\n    kind: vm\n", "  left:\n    kind: vm\n    image: small.qcow2\n"),
    );
    expect(await said("up", file)).toStartWith("lab machines: 2 networks, 3 nodes added");
  });
  afterAll(async () => {
    await site[Symbol.asyncDispose]();
    await expectSameMachine(before, { ours: new RegExp(`${yard}|tm${process.pid}|syguest`) });
  });

  test("its checks wait for the guests to boot, and prove what they reach", async () => {
    expect(await said("check")).toContain("4 of 4 checks as expected");
  });

  test("ps and inspect tell what a machine is, and what it runs by", async () => {
    expect(await said("ps")).toMatch(/machines +left +vm +running +lan +10\.252\.0\.11\/24/);
    const view = JSON.parse(await said("inspect", "left", "--json"));
    expect(JSON.stringify(view)).toMatch(/"accelerator":"(kvm|tcg: [^"]+)"/);
    expect(await said("inspect", "left")).toMatch(/runs by +(kvm|tcg: )/);
    expect(await said("pingall")).not.toContain("error");
  });

  test("commands run in it, and files go in and come out", async () => {
    expect(await said("exec", "left", "--", "hostname")).toBe("left\n");
    expect((await run("exec", "left", "--", "sh", "-c", "exit 7")).code).toBe(7);
    const fed = await site.yard(yard, ["exec", "-i", "left", "--", "cat"], { input: "fed" });
    expect(fed.stdout).toBe("fed");
    const script = await site.yard(yard, ["shell", "left"], { input: "echo $((40 + 2)); exit 3\n" });
    expect(script).toMatchObject({ code: 3, stdout: "42\n" });
    site.write("notes", "from the host\n");
    await said("cp", "notes", "left:/tmp/notes");
    await said("cp", "left:/tmp/notes", "back");
    expect(readFileSync(join(site.folder, "back"), "utf8")).toBe("from the host\n");
  });

  test("its console is typed to and its log read", async () => {
    const typed = await site.yard(yard, ["console", "left"], { input: "echo typed $((20 + 2))\n" });
    expect(typed.code).toBe(0);
    await said("exec", "left", "--", "sleep", "0.3");
    expect(await said("logs", "left")).toContain("typed 22");
    expect(await said("logs", "--tail", "1", "left")).not.toContain("guest ready");
    expect(await run("console", "pc")).toMatchObject({ code: 1, stderr: expect.stringContaining("node.not-vm") });
  });

  test("a person sits down at its console, types, and leaves it by a key", async () => {
    const start = () => sitDown(site.argv(yard, ["console", "right"]), site.env, site.folder);
    for (const round of [1, 2]) {
      await using person = start();
      await person.sees("Ctrl-] leaves it");
      person.type(`echo round $((40 + ${round}))\r`);
      await person.sees(`round ${40 + round}`);
      person.type("\x1d");
      await person.sees("left the console of right");
      expect(await person.ended).toBe(0);
    }
  });

  test("states are kept, listed, gone back to and removed", async () => {
    await said("exec", "left", "--", "sh", "-c", "echo before > /tmp/state");
    await said("snapshot", "take", "left", "first");
    await said("exec", "left", "--", "sh", "-c", "echo after > /tmp/state");
    const [snapshot] = JSON.parse(await said("snapshot", "list", "left", "--json"));
    expect(snapshot).toMatchObject({ tag: "first" });
    expect(await said("snapshot", "list", "left")).toMatch(/^SNAPSHOT +TAKEN +MEMORY\nfirst /);
    await said("snapshot", "revert", "left", "first");
    expect(await said("exec", "left", "--", "cat", "/tmp/state")).toBe("before\n");
    await said("snapshot", "rm", "left", "first");
    expect(await said("snapshot", "list", "left")).toBe("no snapshots\n");
    expect(await run("snapshot", "revert", "left", "first")).toMatchObject({ code: 1 });
    expect(await said("plan")).toBe("nothing to do\n");
  });

  test("its disk is saved to an image that stands for itself", async () => {
    await said("save", "left", "saved.qcow2");
    expect(existsSync(join(site.folder, "saved.qcow2"))).toBe(true);
    expect(await run("save", "left", "saved.qcow2")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("vm.save-exists"),
    });
  });

  test("it gets a nic while it runs, and loses it", async () => {
    expect(await said("attach", "left", "lan", "--ip", "10.252.0.77/24")).toContain("left:eth1 attached to lan");
    expect(await said("ps")).toContain("10.252.0.77/24");
    await said("exec", "left", "--", "sh", "-c", "until [ -e /sys/class/net/eth1 ]; do usleep 50000; done");
    await said("detach", "left:eth1");
    expect(await said("exec", "left", "--", "ls", "/sys/class/net")).not.toContain("eth1");
  });

  test("it gets nics by type and id, but not what a machine cannot have", async () => {
    const device = `tm${process.pid}`;
    await said("ovs", "bridge-add", "backplane");
    await said("ovs", "vlan-ensure", "backplane", "2313", "--name", "vxbackend");
    await runProgram(["ip", "-n", `yard_${yard}`, "address", "add", "10.252.9.1/24", "dev", "vxbackend"]);
    await said("bridge", "create", `${device}b`);
    await runProgram(["ip", "link", "add", device, "up", "type", "veth", "peer", "name", `${device}p`]);
    try {
      const kinds = { vlan: "7", vxlan: "7007", bridge: `${device}b`, macvlan: device, default: "" };
      const macs = Object.keys(kinds).map((_, n) => `02:00:00:25:20:0${n}`);
      for (const [n, [type, id]] of Object.entries(kinds).entries())
        await said("nic", "add", "left", "--type", type, ...(id === "" ? [] : ["--id", id]), "--hwaddr", macs[n] ?? "");
      const there = `until [ $(cat /sys/class/net/*/address | grep -c 02:00:00:25) = 5 ]; do usleep 50000; done`;
      await said("exec", "left", "--", "sh", "-c", there);
      for (const [type, id] of [
        ["passthrough", device],
        ["zerotier", "8056c2e21c000001"],
      ] as const)
        expect((await run("nic", "add", "left", "--type", type, "--id", id)).stderr).toContain("[nic.type-refused]");
      for (const n of [1, 2, 3, 4, 5]) await said("nic", "rm", "left", `eth${n}`);
      expect(await said("exec", "left", "--", "sh", "-c", "cat /sys/class/net/*/address")).not.toContain("02:00:00:25");
      await said("bridge", "delete", `${device}b`);
    } finally {
      await runProgram(["ip", "link", "delete", device]);
    }
  });

  test("its buttons are pressed: paused, resumed, shut down, started", async () => {
    await said("vm", "pause", "left");
    expect((await run("exec", "pc", "--", "ping", "-c", "1", "-W", "1", "10.252.0.11")).code).toBe(1);
    await said("vm", "resume", "left");
    await said("exec", "pc", "--", "ping", "-c", "1", "-w", "10", "10.252.0.11");
    expect(await said("vm", "shutdown", "left")).toStartWith("left shut down");
    await shows(/left +vm +exited \(guest-shutdown\)/);
    expect(await run("exec", "left", "--", "true")).toMatchObject({ code: 1 });
    await said("vm", "start", "left");
    await shows(/left +vm +running/);
  });

  test("one is added by a command, and one that cannot be is withdrawn", async () => {
    const kernel = ["--kernel", (await ensureGuest()).kernel, "--append", "console=ttyS0", "-m", "64M"];
    const added = await run("add", "vm", "third", ...kernel, "-n", "lan,ip=10.252.0.33/24");
    expect(added).toMatchObject({ code: 0 });
    expect(await said("ps")).toMatch(/third +vm +running +lan +10\.252\.0\.33/);
    await said("rm", "third");
    await said("add", "vm", "third", ...kernel, "--nic", "vlan:7");
    expect(await said("ps")).toMatch(/third +vm +running +vlan:7/);
    await said("rm", "third");
    expect(await run("add", "vm", "ghost", "--image", "nowhere.qcow2")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("image.absent"),
    });
    site.write("damaged.qcow2", "QFI\xfb and nothing that follows");
    expect(await run("add", "vm", "ghost", "--image", "damaged.qcow2")).toMatchObject({ code: 1 });
    expect(await said("ps")).not.toContain("ghost");
  });

  /** Waits until `ps` shows a line like this. */
  async function shows(line: RegExp): Promise<void> {
    for (let patience = 50; patience > 0; patience--) {
      if (line.test(await said("ps"))) return;
      await Bun.sleep(100);
    }
    throw new Error(`ps never showed ${line}: ${await said("ps")}`);
  }
});
