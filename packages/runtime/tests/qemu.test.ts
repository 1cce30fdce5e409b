import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { run } from "@switchyard/base";
import { identify, viewNamespace } from "@switchyard/linux";
import { expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { vmUser } from "../src/mod.ts";
import { booted, Events, inGuest, LABELS, openVmWorld, Seat, type VmWorld } from "./vm-world.ts";
import { Captured } from "./world.ts";

// The machine may be busy with other tests, and a translated guest is slow.
setDefaultTimeout(60_000);

describe.skipIf(!requires("root", "qemu", "openvswitch", "busybox"))("virtual machines", () => {
  let before: Machine;
  let world: VmWorld;
  let a: string;
  let b: string;

  beforeAll(async () => {
    before = await snapshotMachine();
    world = await openVmWorld();
    const disk = `${world.folder}/base.qcow2`;
    await run(["qemu-img", "create", "-q", "-f", "qcow2", disk, "16M"]);
    const disks = [{ file: disk, format: "qcow2", persistent: false }] as const;
    const first = world.config("a", { nics: [await world.nic(1, 0)], disks, mostNics: 30 }, "address=10.7.0.1/24");
    const second = world.config("b", { nics: [await world.nic(2, 0)], disks }, "address=10.7.0.2/24");
    a = first.name;
    b = second.name;
    const { engine } = world;
    await Promise.all(
      [first, second].map(async (config) => {
        await engine.create(config);
        await engine.start(config.name);
        await booted(engine, config.name);
      }),
    );
  });
  afterAll(async () => {
    await world[Symbol.asyncDispose]();
    await expectSameMachine(before, { ours: /tvm|syvm|syguest/ });
  });

  test("two of them reach each other over a private switch, with ping and TCP", async () => {
    const { engine } = world;
    expect(await inGuest(engine, a, "ping -c 3 -w 10 10.7.0.2")).toContain(" 0% packet loss");
    // What listens ends its own half with its input, which therefore must not end.
    const received = inGuest(engine, b, "mkfifo /tmp/open && nc -l -p 5000 0<>/tmp/open | md5sum");
    const sent = await inGuest(
      engine,
      a,
      "dd if=/dev/urandom of=/tmp/file bs=1k count=300 2>/dev/null; md5sum < /tmp/file; until nc -w 5 10.7.0.2 5000 < /tmp/file; do :; done",
    );
    expect(await received).toBe(sent);
  });

  test("what it runs by is told, and why that is", async () => {
    const { engine } = world;
    const { version, accelerator } = await engine.probe();
    expect(version).toContain("QEMU");
    const [state] = await engine.list(LABELS);
    expect(state).toMatchObject({ name: a, status: "running", accelerator });
    expect(accelerator.name === "kvm").toBe(accelerator.reason === "");
    // Found out once a boot of the host: who asks later is told what was noted.
    const cache = `${world.folder}/run/vm/accelerator.json`;
    const noted = readFileSync(cache, "utf8");
    const ask = async () => (await (await world.open()).probe()).accelerator.reason;
    writeFileSync(cache, JSON.stringify({ ...JSON.parse(noted), reason: "noted" }));
    expect(await ask()).toBe("noted");
    writeFileSync(cache, JSON.stringify({ ...JSON.parse(noted), key: "another boot", reason: "noted" }));
    expect(await ask()).not.toBe("noted");
  });

  test("QEMU has no right, no network, and no way to the images but the open files", async () => {
    const [state] = await world.engine.list(LABELS);
    const status = readFileSync(`/proc/${state?.pid}/status`, "utf8");
    const { uid, gid } = vmUser();
    expect(status).toContain(`Uid:\t${uid}\t${uid}\t${uid}\t${uid}`);
    expect(status).toContain(`Gid:\t${gid}\t${gid}\t${gid}\t${gid}`);
    for (const set of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"])
      expect(status).toContain(`${set}:\t0000000000000000`);
    expect(status).toContain("NoNewPrivs:\t1");
    expect(status).toContain("Seccomp:\t2");
    expect(viewNamespace({ pid: state?.pid ?? 0 }).links.size).toBe(1);
    expect(readlinkSync(`/proc/${state?.pid}/ns/net`)).not.toBe(readlinkSync("/proc/self/ns/net"));
    expect(statSync(`${world.folder}/state/vm/${a}/disk0.qcow2`)).toMatchObject({ uid: 0 });
    const sockets = readdirSync(`${world.folder}/run/vm/sockets`);
    expect(sockets.sort()).toContain(`${a}.console`);
    for (const name of sockets) {
      const { mode, uid: owner } = statSync(`${world.folder}/run/vm/sockets/${name}`);
      expect([mode & 0o777, owner]).toEqual([0o660, 0]);
    }
  });

  test("nics are plugged in and out while it runs, also on a bridge", async () => {
    const { engine } = world;
    const namespace = { name: world.namespace };
    for (const index of [1, 25]) {
      const nic = await world.nic(1, index);
      await engine.attachNic(a, nic);
      await engine.attachNic(a, nic);
      expect(viewNamespace(namespace).links.get(nic.tap)?.carrier).toBe(true);
      const found = `until grep -l ${nic.mac} /sys/class/net/*/address; do usleep 50000; done`;
      const path = (await inGuest(engine, a, found)).trim();
      expect(await inGuest(engine, a, `readlink -f ${path}`)).toContain(index === 1 ? "0000:00:06.0" : ":05.0");
      const name = path.split("/").at(-2) ?? "";
      const address = `ip address add 10.8.${index}.1/24 dev ${name} && ip link set ${name} up`;
      await inGuest(engine, a, address);
      expect((await engine.list(LABELS)).find((state) => state.name === a)?.nics.map((each) => each.index)).toEqual([
        0,
        index,
      ]);
      await engine.detachNic(a, index);
      await engine.detachNic(a, index);
      expect(viewNamespace(namespace).links.get(nic.tap)?.carrier).toBe(false);
      expect(await inGuest(engine, a, "ls /sys/class/net")).not.toContain(name);
    }
    expect((await engine.list(LABELS)).find((state) => state.name === a)?.nics).toHaveLength(1);
  });

  test("a nic that cannot be is refused, and nothing of it is left", async () => {
    const { engine } = world;
    const nic = await world.nic(2, 1);
    const refusal = (change: Partial<typeof nic>) =>
      engine.attachNic(b, { ...nic, ...change }).catch((error) => error.code);
    expect(await refusal({ tap: "nosuchtap" })).toBe("vm.tap-absent");
    expect(await refusal({ tap: "_k_1_0" })).toBe("vm.tap-in-use");
    expect(await refusal({ index: 0 })).toBe("vm.nic-taken");
    expect(await refusal({ index: 21 })).toBe("vm.no-nic-slot");
    expect(await refusal({ index: 500 })).toBe("vm.bad-config");
    await engine.attachNic(b, nic);
    await engine.detachNic(b, nic.index);
  });

  test("a console is left and entered again, seen by two, and each may type", async () => {
    const { engine } = world;
    const first = new Seat(engine, b, 0);
    const second = new Seat(await world.open(), b, 0);
    first.type("echo one $((20 + 1))\n");
    await Promise.all([first.screen.until("one 21"), second.screen.until("one 21")]);
    second.type("echo two $((20 + 2))\n");
    await Promise.all([first.screen.until("two 22"), second.screen.until("two 22")]);
    expect(await first.leave()).toBe("left");
    second.type("echo three $((20 + 3))\n");
    await second.screen.until("three 23");
    expect(first.screen.out).not.toContain("three 23");
    const again = new Seat(engine, b, 200);
    await again.screen.until("three 23");
    again.type(`echo ${"long ".repeat(40)} $((20 + 4))\n`);
    await again.screen.until("long 24");
    expect(await again.leave()).toBe("left");
    expect(await second.leave()).toBe("left");
  });

  test("the guest agent runs commands with their input, output, environment, folder and exit code", async () => {
    const { engine } = world;
    const { Captured } = await import("./world.ts");
    const streams = new Captured("typed");
    const command = ["/bin/sh", "-c", 'cat; echo "$COLOUR $PWD $1"; echo oops >&2; exit 7', "sh", "a 'b' \"c\" $d"];
    const code = await engine.exec(a, { command, tty: false, env: { COLOUR: "red" }, workdir: "/sys" }, streams);
    await Bun.sleep(0);
    expect(code).toBe(7);
    expect(streams.out).toBe("typedred /sys a 'b' \"c\" $d\n");
    expect(streams.err).toBe("oops\n");
    const refusal = (options: object) =>
      engine.exec(a, { command: ["true"], tty: false, ...options }, new Captured()).catch((error) => error.code);
    expect(await refusal({ tty: true })).toBe("vm.exec-unsupported");
    expect(await refusal({ command: ["/no/such"] })).toBe("vm.agent-refused");
    const abort = new AbortController();
    const long = engine.exec(a, { command: ["sleep", "321"], tty: false, signal: abort.signal }, new Captured());
    setTimeout(() => abort.abort(new Error("enough")), 300);
    await expect(long).rejects.toThrow("enough");
    expect(await inGuest(engine, a, "ps")).not.toContain("sleep 321");
  });

  test("commands run by the shell at the console, with their output and exit code, where no agent shall be used", async () => {
    const { engine } = world;
    const onConsole = async (...command: string[]) => {
      const out = new Captured();
      const code = await engine.exec(a, { command, tty: false, onConsole: true, env: { WORD: "it's" } }, out);
      return { code, said: out.out };
    };
    expect(await onConsole("sh", "-c", 'printf "%s\\n" "$WORD" two; exit 5')).toEqual({ code: 5, said: "it's\ntwo\n" });
    expect(await onConsole("true")).toEqual({ code: 0, said: "" });
    expect((await onConsole("nosuchprogram")).code).toBe(127);
    await expect(
      engine.exec(a, { command: ["true"], tty: true, onConsole: true }, new Captured()),
    ).rejects.toMatchObject({
      code: "vm.exec-unsupported",
    });
    // Another program has the console: nobody answers.
    const seat = new Seat(engine, a);
    seat.type("sleep 1000\n");
    await expect(onConsole("true")).rejects.toMatchObject({ code: "vm.console-no-shell" });
    seat.type("\x03");
    expect(await seat.leave()).toBe("left");
  });

  test("files are copied into the guest and out of it, and folders whole", async () => {
    const { engine, folder } = world;
    mkdirSync(`${folder}/tree/below`, { recursive: true });
    const bytes = Buffer.from(Array.from({ length: 700_000 }, (_, i) => i * 31));
    writeFileSync(`${folder}/tree/below/file`, bytes);
    chmodSync(`${folder}/tree/below/file`, 0o751);
    await engine.copy(a, "/tmp", `${folder}/tree`, true);
    await engine.copy(a, "/tmp/named", `${folder}/tree/below/file`, true);
    expect(await inGuest(engine, a, "stat -c '%a %s' /tmp/tree/below/file /tmp/named")).toBe(
      "751 700000\n751 700000\n",
    );
    await engine.copy(a, "/tmp/tree", `${folder}/back`, false);
    expect(readFileSync(`${folder}/back/below/file`).equals(bytes)).toBe(true);
    const refusal = (inside: string, into: boolean) =>
      engine.copy(a, inside, `${folder}/tree`, into).catch((error) => error.code);
    expect(await refusal("/nowhere/deep", true)).toBe("runtime.path-absent");
    expect(await refusal("/nowhere", false)).toBe("runtime.path-absent");
    expect(await inGuest(engine, a, "ls -A /tmp")).not.toContain("switchyard");
  });

  test("what the console has said is read, all of it or its last lines", async () => {
    const { engine } = world;
    const { Captured } = await import("./world.ts");
    const read = async (options: { tail?: number }) => {
      const streams = new Captured();
      await engine.logs(a, { follow: false, ...options }, streams);
      await Bun.sleep(0);
      return streams.out;
    };
    const whole = await read({});
    expect(whole).toContain("guest ready");
    const lines = whole.split("\n");
    expect(await read({ tail: 2 })).toBe(lines.slice(-2).join("\n"));
    expect(await read({ tail: 1e6 })).toBe(whole);
    const follower = new Captured();
    const stop = new AbortController();
    const following = engine.logs(a, { follow: true, tail: 0, signal: stop.signal }, follower);
    const seat = new Seat(engine, a, 0);
    seat.type("echo followed $((20 + 5))\n");
    await follower.until("followed 25");
    await seat.leave();
    stop.abort();
    await following;
  });

  test("a snapshot of memory and disk is returned to", async () => {
    const { engine } = world;
    const read = "dd if=/dev/vda bs=16 count=1 iflag=direct 2>/dev/null; cat /tmp/memory";
    await inGuest(
      engine,
      b,
      "printf before.......... | dd of=/dev/vda oflag=direct bs=512 conv=sync; echo alpha > /tmp/memory",
    );
    await engine.takeSnapshot(b, "first");
    expect(await engine.takeSnapshot(b, "first").catch((error) => error.code)).toBe("vm.snapshot-exists");
    await inGuest(
      engine,
      b,
      "printf after........... | dd of=/dev/vda oflag=direct bs=512 conv=sync; echo beta > /tmp/memory",
    );
    expect(await inGuest(engine, b, read)).toBe("after...........beta\n");
    await engine.revert(b, "first");
    expect(await inGuest(engine, b, read)).toBe("before..........alpha\n");
    const [snapshot, ...others] = await engine.snapshots(b);
    expect(others).toEqual([]);
    expect(snapshot?.tag).toBe("first");
    expect(snapshot?.memory).toBeGreaterThan(1_000_000);
    expect(Math.abs((snapshot?.time ?? 0) - Date.now())).toBeLessThan(60_000);
    await engine.deleteSnapshot(b, "first");
    expect(await engine.snapshots(b)).toEqual([]);
    expect(await engine.revert(b, "first").catch((error) => error.code)).toBe("vm.snapshot-absent");
  });

  test("its disk is saved whole while it runs, and the image it came from is as it was", async () => {
    const { engine } = world;
    await inGuest(engine, b, "printf saved........... | dd of=/dev/vda oflag=direct bs=512 conv=sync");
    const file = `${world.folder}/saved.qcow2`;
    await engine.save(b, file);
    expect(await engine.save(b, file).catch((error) => error.code)).toBe("vm.save-exists");
    const contents = async (image: string) => {
      await run(["qemu-img", "convert", "-U", "-O", "raw", image, `${world.folder}/raw`]);
      return readFileSync(`${world.folder}/raw`).subarray(0, 16).toString();
    };
    expect(await contents(file)).toBe("saved...........");
    expect(await contents(`${world.folder}/base.qcow2`)).toBe("\0".repeat(16));
    expect(await run(["qemu-img", "info", file])).not.toContain("backing");
    expect(statSync(file)).toMatchObject({ uid: 0, gid: 0 });
  });

  test("it is paused, goes on, is reset, and all of it is told", async () => {
    const { engine } = world;
    using events = new Events(engine);
    // The watcher may have QEMU's ear a moment later only.
    while (events.find({ name: b, what: "paused" }) === undefined) {
      await engine.resume(b);
      await engine.pause(b);
      await Bun.sleep(20);
    }
    expect((await engine.list(LABELS)).find(({ name }) => name === b)?.status).toBe("paused");
    events.list.length = 0;
    await engine.resume(b);
    await events.until({ name: b, what: "resumed" });
    const seat = new Seat(engine, b, 0);
    await engine.reset(b);
    await events.until({ name: b, what: "reset" });
    await seat.see("guest ready");
    await seat.leave();
  });

  test("one that is killed is told as ended, starts again, and what it had written is there", async () => {
    const { engine } = world;
    using events = new Events(engine);
    const [state] = await engine.list(LABELS);
    await inGuest(engine, a, "printf kept | dd of=/dev/vda bs=512 conv=sync,fsync");
    process.kill(state?.pid ?? 0, "SIGKILL");
    expect(await events.until({ name: a, what: "exited" })).toEqual({ name: a, what: "exited" });
    expect((await engine.list(LABELS))[0]).toMatchObject({ name: a, status: "exited", pid: undefined });
    expect(await inGuest(engine, a, "true").catch((error) => error.code)).toBe("vm.not-running");
    // Whoever looks meanwhile does not take it for one that nobody has started yet.
    const seen = new Set<string>();
    let over = false;
    const started = engine.start(a).finally(() => {
      over = true;
    });
    while (!over) for (const { name, status } of await engine.list(LABELS)) if (name === a) seen.add(status);
    await started;
    expect([...seen].sort()).toEqual(["exited", "running"]);
    await booted(engine, a, 0);
    await events.until({ name: a, what: "started" });
    expect(await inGuest(engine, a, "head -c 4 /dev/vda")).toBe("kept");
    expect(await inGuest(engine, a, "ping -c 1 -w 10 10.7.0.2")).toContain(" 0% packet loss");
  });

  test("the power button lets the guest shut itself down, and the reason is known", async () => {
    const { engine } = world;
    using events = new Events(engine);
    await engine.stop(a, 30_000);
    expect(await events.until({ name: a, what: "exited" })).toMatchObject({ reason: "guest-shutdown" });
    expect((await engine.list(LABELS))[0]).toMatchObject({ status: "exited", reason: "guest-shutdown" });
    await engine.stop(a, 10_000);
  });

  test("one whose maker was killed at any moment is adopted, or made whole", async () => {
    const config = world.config("orphan", { nics: [await world.nic(3, 0)] });
    for (const wait of [15, 40, 80, undefined]) {
      const maker = spawn(process.execPath, [`${import.meta.dir}/vm-maker.ts`, world.folder, JSON.stringify(config)], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      const ended = once(maker, "exit");
      let said = String((await once(maker.stdout, "data"))[0]);
      while (wait === undefined && !said.includes("started")) said += String((await once(maker.stdout, "data"))[0]);
      if (wait !== undefined) await Bun.sleep(wait);
      maker.kill("SIGKILL");
      await ended;
      const engine = await world.open();
      await engine.create(config);
      const { pid } = await engine.start(config.name);
      if (wait === undefined) {
        expect(said).toContain(`started ${pid}\n`);
        await booted(engine, config.name);
        expect(await inGuest(engine, config.name, "echo adopted")).toBe("adopted\n");
      }
      await engine.remove(config.name, 0);
      expect(identify(pid ?? 0)).toBeUndefined();
      const left = readdirSync("/proc").filter((entry) => {
        try {
          return readFileSync(`/proc/${entry}/cmdline`, "utf8").includes(`guest=${config.name}`);
        } catch {
          return false;
        }
      });
      expect(left).toEqual([]);
    }
  });

  test("a removed one leaves nothing behind, and the image it came from", async () => {
    const { engine } = world;
    using events = new Events(engine);
    for (const name of [a, b]) {
      await engine.remove(name, 0);
      await engine.remove(name, 0);
      await events.until({ name, what: "removed" });
    }
    expect(await engine.list(LABELS)).toEqual([]);
    const files = (folder: string) => readdirSync(`${world.folder}/${folder}`);
    expect([
      ...files("state/vm"),
      ...files("run/vm/sockets"),
      ...files("run/vm/live"),
      ...files("run/vm/ended"),
    ]).toEqual([]);
    expect(existsSync(`${world.folder}/base.qcow2`)).toBe(true);
  });
});
