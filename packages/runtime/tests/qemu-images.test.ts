/** Disks, kernels and media of virtual machines: good ones, and every kind of bad one. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { run } from "@switchyard/base";
import { applyLinks } from "@switchyard/linux";
import { expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import type { VmConfig, VmDisk } from "../src/mod.ts";
import { booted, inGuest, LABELS, openVmWorld, type VmWorld } from "./vm-world.ts";
import { Captured } from "./world.ts";

setDefaultTimeout(60_000);

describe.skipIf(!requires("root", "qemu", "openvswitch", "busybox"))("the images of virtual machines", () => {
  let before: Machine;
  let world: VmWorld;

  beforeAll(async () => {
    before = await snapshotMachine();
    world = await openVmWorld();
  });
  afterAll(async () => {
    await world[Symbol.asyncDispose]();
    await expectSameMachine(before, { ours: /tvm|syvm|syruntime-guest/ });
  });

  const path = (name: string) => `${world.folder}/${name}`;
  async function image(name: string, ...args: string[]): Promise<string> {
    await run(["qemu-img", "create", "-q", "-f", "qcow2", ...args, path(name), "16M"]);
    return path(name);
  }
  const refusal = (changes: Partial<VmConfig>): Promise<string> =>
    world.engine.create(world.config("bad", changes)).then(
      () => "made",
      (error) => error.code,
    );
  const disk = (file: string, format: VmDisk["format"] = "qcow2", persistent = false) => ({
    disks: [{ file, format, persistent }],
  });

  test("a bad image is refused by what is wrong with it, and nothing is made", async () => {
    const good = await image("good.qcow2");
    expect(await refusal(disk(path("nowhere.qcow2")))).toBe("vm.image-absent");
    expect(await refusal(disk(world.folder))).toBe("vm.image-format");
    expect(await refusal(disk(good, "raw"))).toBe("vm.image-format");
    writeFileSync(path("text.img"), "no image at all".repeat(100));
    expect(await refusal(disk(path("text.img")))).toBe("vm.image-format");
    await run(["qemu-img", "create", "-q", "-f", "vmdk", path("other.vmdk"), "1M"]);
    expect(await refusal(disk(path("other.vmdk")))).toBe("vm.image-format");
    copyFileSync(good, path("short.qcow2"));
    truncateSync(path("short.qcow2"), 200_000);
    truncateSync(path("short.qcow2"), 100);
    expect(await refusal(disk(path("short.qcow2")))).toBe("vm.image-corrupt");
    await run(["qemu-io", "-c", "write 0 8M", good]);
    copyFileSync(good, path("broken.qcow2"));
    const fd = openSync(path("broken.qcow2"), "r+");
    // The first entry of the table of reference counts' blocks points to nowhere.
    writeSync(fd, Buffer.from("00000000f0f0f000", "hex"), 0, 8, 65536);
    expect(await refusal(disk(path("broken.qcow2")))).toBe("vm.image-corrupt");
    const overlay = await image("overlay.qcow2", "-b", good, "-F", "qcow2");
    copyFileSync(overlay, path("lost.qcow2"));
    await run(["qemu-img", "rebase", "-u", "-b", path("gone.qcow2"), "-F", "qcow2", path("lost.qcow2")]);
    expect(await refusal(disk(path("lost.qcow2")))).toBe("vm.image-absent");
    const outside = await image("outside.qcow2", "-o", `data_file=${path("data")},data_file_raw=on`);
    expect(await refusal(disk(outside))).toBe("vm.image-format");
    expect(await refusal({ kernel: { image: path("nokernel") } })).toBe("vm.file-absent");
    expect(await refusal({ isos: [path("no.iso")] })).toBe("vm.file-absent");
    expect(await world.engine.list(LABELS)).toEqual([]);
    expect(existsSync(path("state/vm")) ? readdirSync(path("state/vm")) : []).toEqual([]);
  });

  test("an image that another machine writes to is refused; two overlays of one image are not", async () => {
    const { engine } = world;
    const shared = await image("shared.qcow2");
    const config = (name: string, persistent: boolean) => world.config(name, disk(shared, "qcow2", persistent));
    await engine.create(config("writer", true));
    await engine.create(config("second", true));
    await engine.start(config("writer", true).name);
    expect(await engine.start(config("second", true).name).catch((error) => error.code)).toBe("vm.image-in-use");
    expect(await refusal(disk(shared))).toBe("vm.image-in-use");
    await engine.remove(config("writer", true).name, 0);
    await engine.remove(config("second", true).name, 0);
    const names = ["left", "right"];
    for (const name of names) {
      await engine.create(config(name, false));
      await engine.start(config(name, false).name);
    }
    await engine.create(config("late", true));
    expect(await engine.start(config("late", true).name).catch((error) => error.code)).toBe("vm.image-in-use");
    for (const name of [...names, "late"]) await engine.remove(config(name, false).name, 0);
    expect(existsSync(shared)).toBe(true);
  });

  test("a persistent disk, a seed, a medium, and a kernel that only root can read", async () => {
    const { engine, guest } = world;
    const kernel = path("private-kernel");
    copyFileSync(guest.kernel, kernel);
    chmodSync(kernel, 0o600);
    const file = await image("kept.qcow2", "-b", await image("bottom.qcow2"), "-F", "qcow2");
    await run(["qemu-img", "create", "-q", "-f", "raw", path("second.raw"), "1M"]);
    writeFileSync(path("medium.iso"), Buffer.alloc(64 * 1024, "medium"));
    const config = world.config("rich", {
      disks: [
        { file, format: "qcow2", persistent: true },
        { file: path("second.raw"), format: "raw", persistent: false },
      ],
      isos: [path("medium.iso")],
      seed: {
        metaData: "instance-id: rich\n",
        userData: "#cloud-config\npassword: secret\n",
        networkConfig: "version: 2\n",
      },
      kernel: { image: kernel, initrd: guest.initrd, append: "console=ttyS0 quiet media" },
    });
    await engine.create(config);
    expect(statSync(path(`state/vm/${config.name}/seed.iso`)).mode & 0o777).toBe(0o600);
    await engine.start(config.name);
    await booted(engine, config.name);
    const say = (script: string) => inGuest(engine, config.name, script);
    expect(await say("head -c 6 /dev/sr0")).toBe("medium");
    await say("mount -t iso9660 -o ro /dev/sr1 /mnt");
    expect(await say("cat /mnt/meta-data /mnt/user-data /mnt/network-config")).toBe(
      "instance-id: rich\n#cloud-config\npassword: secret\nversion: 2\n",
    );
    // The name by which cloud-init knows it (ECMA-119, 8.4.7).
    expect(await say("dd if=/dev/sr1 bs=1 skip=32808 count=6 2>/dev/null")).toBe("cidata");
    await say(
      "printf first | dd of=/dev/vda bs=512 conv=sync,fsync; printf second | dd of=/dev/vdb bs=512 conv=sync,fsync",
    );
    await engine.stop(config.name, 0);
    const head = async (image: string) => {
      await run(["qemu-img", "convert", "-O", "raw", image, path("raw")]);
      return readFileSync(path("raw")).subarray(0, 5).toString();
    };
    expect(await head(file)).toBe("first");
    expect(await head(path("second.raw"))).toBe("\0\0\0\0\0");
    // At rest: the disks' snapshots, and a copy.
    await engine.takeSnapshot(config.name, "rest");
    expect(await engine.snapshots(config.name)).toMatchObject([{ tag: "rest", memory: 0 }]);
    await run(["qemu-io", "-c", "write -P 0x41 0 512", file]);
    expect(await head(file)).toBe("AAAAA");
    await engine.revert(config.name, "rest");
    expect(await head(file)).toBe("first");
    await engine.deleteSnapshot(config.name, "rest");
    expect(await engine.snapshots(config.name)).toEqual([]);
    expect(await engine.takeSnapshot(config.name, "7").catch((error) => error.code)).toBe("vm.bad-tag");
    expect(await engine.deleteSnapshot(config.name, "rest").catch((error) => error.code)).toBe("vm.snapshot-absent");
    await engine.save(config.name, path("copy.qcow2"));
    expect(await head(path("copy.qcow2"))).toBe("first");
    expect(await run(["qemu-img", "info", path("copy.qcow2")])).not.toContain("backing");
    // Where there is no room, nothing is left, and what is there stays.
    const full = path("full");
    mkdirSync(full);
    await run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", full]);
    try {
      const refusal = (to: string) => engine.save(config.name, to).catch(({ code, message }) => `${code} ${message}`);
      expect(await refusal(`${full}/copy.qcow2`)).toMatch(/^vm\.save-failed .* no room is left there$/);
      expect(readdirSync(full)).toEqual([]);
      expect(await refusal(`${full}/no/copy.qcow2`)).toMatch(/^vm\.save-failed .* there is no such folder$/);
      expect(await refusal(path("copy.qcow2"))).toContain("vm.save-exists");
    } finally {
      await run(["umount", full]);
    }
    await engine.remove(config.name, 0);
    expect(await head(file)).toBe("first");
  });

  test("a machine has 128 nics, and its guest finds them all, and what else it has", async () => {
    const { engine, namespace } = world;
    const [first] = [await world.nic(9, 0)];
    const taps = Array.from({ length: 127 }, (_, n) => ({ op: "tap", name: `_k_9_${n + 1}`, up: true }) as const);
    expect(applyLinks([{ namespace: { name: namespace }, ops: taps }])).toEqual([]);
    const nics = [first, ...taps.map(({ name }, n) => ({ ...first, tap: name, index: n + 1 }))];
    const config = world.config("wide", { nics });
    await engine.create(config);
    expect((await engine.start(config.name)).nics).toHaveLength(128);
    await engine.remove(config.name, 0);
    // A guest takes a quarter of a second for each where it is translated; these are more than have interrupts of their own.
    const fewer = world.config("wide", { nics: nics.slice(0, 70) });
    await engine.create(fewer);
    await engine.start(fewer.name);
    await booted(engine, fewer.name);
    const out = new Captured();
    const command = ["sh", "-c", "ls /sys/class/net | grep -c eth; dmesg | grep -c ' failed with error'"];
    await engine.exec(fewer.name, { command, tty: false, onConsole: true }, out);
    expect(out.out).toBe("70\n0\n");
    await engine.remove(fewer.name, 0);
  });

  test("what QEMU cannot do is an error with its reason, and nothing runs", async () => {
    const { engine } = world;
    writeFileSync(path("nonsense"), "no kernel");
    const bad = world.config("bad", { kernel: { image: path("nonsense") } });
    await engine.create(bad);
    const error = await engine.start(bad.name).catch((thrown) => thrown);
    expect(error.code).toBe("vm.start-failed");
    expect(error.message).toMatch(/kernel/);
    expect(await engine.list(LABELS)).toMatchObject([{ name: bad.name, status: "created", pid: undefined }]);
    expect(await engine.create({ ...bad, labels: { other: "owner" } }).catch((thrown) => thrown.code)).toBe(
      "vm.name-taken",
    );
    await engine.remove(bad.name, 0);
    expect(await engine.start(bad.name).catch((thrown) => thrown.code)).toBe("vm.not-found");
  });
});
