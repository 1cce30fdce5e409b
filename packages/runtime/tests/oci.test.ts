/** What only the oci engine can be asked, because only there are we the engine. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createNamespaces, deleteNamespaces, namespaceId } from "@switchyard/linux";
import { expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { ensureImage } from "../src/mod.ts";
import { Captured, LABELS, openWorld, type World } from "./world.ts";

// The machine may be busy with other tests.
setDefaultTimeout(60_000);

describe.skipIf(!requires("root", "runc", "conmon", "busybox"))("the oci engine", () => {
  let before: Machine;
  let world: World;
  let name: string;

  beforeAll(async () => {
    before = await snapshotMachine();
    world = await openWorld("oci");
    ({ name } = world.config());
  });
  afterAll(async () => {
    await world[Symbol.asyncDispose]();
    await expectSameMachine(before, { ours: /truntime|syruntime/ });
  });

  /** What there is of a container: nothing, once it has been removed. */
  function traces(): string[] {
    const cgroups = ["/sys/fs/cgroup", ...readdirSync("/sys/fs/cgroup").map((entry) => `/sys/fs/cgroup/${entry}`)]
      .map((folder) => `${folder}/switchyard_${name}`)
      .filter((path) => existsSync(path));
    const processes = readdirSync("/proc")
      .filter((pid) => /^\d+$/.test(pid))
      .map((pid) => {
        try {
          return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").join(" ");
        } catch {
          return "";
        }
      })
      .filter((line) => line.includes("conmon") && line.includes(world.folder));
    const folders = ["state/oci/containers", "run/oci/live", "run/oci/exits", "run/oci/runc", "run/oci/exec"]
      .map((folder) => `${world.folder}/${folder}`)
      .flatMap((folder) => (existsSync(folder) ? readdirSync(folder).map((entry) => `${folder}/${entry}`) : []));
    const mounts = readFileSync("/proc/self/mounts", "utf8")
      .split("\n")
      .filter((line) => line.includes(world.folder));
    return [...cgroups, ...processes, ...folders, ...mounts];
  }

  test("heals a container whose maker was killed at any moment, or removes what there is of it", async () => {
    const config = JSON.stringify(world.config());
    for (let step = 0; step < 14; step++) {
      const child = spawn(process.execPath, [`${import.meta.dir}/half-way.ts`, world.folder, config], {
        stdio: ["ignore", "pipe", "ignore"],
      });
      const ended = once(child, "exit");
      await once(child.stdout, "data");
      await Promise.race([Bun.sleep(step * 14), ended]);
      child.kill("SIGKILL");
      await ended;
      const engine = await world.open();
      if (step % 2 === 0) {
        await engine.create(world.config());
        const { pid } = await engine.start(name);
        expect(existsSync(`/proc/${pid}`)).toBe(true);
        const streams = new Captured();
        expect(await engine.exec(name, { command: ["echo", "whole"], tty: false }, streams)).toBe(0);
        expect(streams.out).toBe("whole\n");
      }
      await engine.remove(name, 0);
      expect(traces()).toEqual([]);
    }
  }, 60_000);

  test("goes on after a restart of ours: the container runs, its exit is seen", async () => {
    await world.engine.create(world.config({ command: ["sh", "-c", "sleep 0.4; exit 6"] }));
    const { pid } = await world.engine.start(name);
    const later = await world.open();
    const exited = Promise.withResolvers<number | undefined>();
    const stop = new AbortController();
    later.watch(LABELS, (event) => event.what === "exited" && exited.resolve(event.exitCode), stop.signal);
    expect(await later.list(LABELS)).toMatchObject([{ pid, status: "running" }]);
    expect(await exited.promise).toBe(6);
    stop.abort();
    await later.remove(name, 0);
    expect(traces()).toEqual([]);
  });

  test("sees an exit that conmon, killed before, can no longer tell of", async () => {
    await world.engine.create(world.config());
    const { pid = 0 } = await world.engine.start(name);
    const exited = Promise.withResolvers<void>();
    const stop = new AbortController();
    world.engine.watch(LABELS, (event) => event.what === "exited" && exited.resolve(), stop.signal);
    const conmon = Number(readFileSync(`${world.folder}/state/oci/containers/${name}/conmon.pid`, "utf8"));
    process.kill(conmon, "SIGKILL");
    process.kill(pid, "SIGKILL");
    await exited.promise;
    stop.abort();
    expect(await world.engine.list(LABELS)).toMatchObject([{ status: "exited" }]);
    await world.engine.remove(name, 0);
    expect(traces()).toEqual([]);
  });

  test("runs nothing of a container that is prepared until it is started, by whom it may be", async () => {
    const { engine } = world;
    const ran = `${world.folder}/state/oci/containers/${name}/upper/ran`;
    for (const starter of [engine, await world.open()]) {
      await engine.create(world.config({ command: ["sh", "-c", "touch /ran; exec sleep 600"] }));
      await engine.prepare?.(name);
      await engine.prepare?.(name);
      expect(await engine.list(LABELS)).toMatchObject([{ name, status: "created", pid: undefined }]);
      expect(existsSync(ran)).toBe(false);
      expect(await starter.start(name)).toMatchObject({ status: "running" });
      const wait = ["timeout", "20", "sh", "-c", "until [ -e /ran ]; do sleep 0.02; done"];
      expect(await starter.exec(name, { command: wait, tty: false }, new Captured())).toBe(0);
      await starter.remove(name, 0);
      expect(traces()).toEqual([]);
    }
    await engine.create(world.config());
    await engine.prepare?.(name);
    await engine.remove(name, 0);
    expect(traces()).toEqual([]);
  });

  test("starts a container that is prepared in the namespace of that name, though it was made anew since", async () => {
    const { engine, namespace } = world;
    await engine.create(world.config());
    await engine.prepare?.(name);
    deleteNamespaces([namespace]);
    await expect(engine.start(name)).rejects.toMatchObject({ code: "runtime.namespace-absent" });
    createNamespaces([namespace]);
    const { pid = 0 } = await engine.start(name);
    expect(namespaceId({ pid })).toBe(namespaceId({ name: namespace }));
    await engine.remove(name, 0);
    expect(traces()).toEqual([]);
  });

  test("starts and removes twenty side by side", async () => {
    const names = Array.from({ length: 20 }, (_, n) => `${name}-${n}`);
    await Promise.all(
      names.map(async (each) => {
        await world.engine.create(world.config({ name: each }));
        await world.engine.start(each);
      }),
    );
    const states = await world.engine.list(LABELS);
    expect(states.length).toBe(20);
    expect(new Set(states.map(({ pid }) => pid)).size).toBe(20);
    await Promise.all(names.map((each) => world.engine.remove(each, 0)));
    expect(traces()).toEqual([]);
  }, 60_000);

  test("gives a container no more than was asked for", async () => {
    await world.engine.create(world.config());
    await world.engine.start(name);
    const streams = new Captured();
    const script = `grep -E '^(CapEff|Seccomp):' /proc/self/status; echo 1 > /proc/sys/kernel/domainname || echo kept
      mount -t tmpfs x /mnt || echo refused; cat /proc/kcore | wc -c; ls /dev | tr '\\n' ' '; ls /proc/self/fd | wc -l`;
    await world.engine.exec(name, { command: ["sh", "-c", script], tty: false }, streams);
    expect(streams.out).toContain("CapEff:\t00000000a80425fb");
    expect(streams.out).toMatch(/Seccomp:\t[02]/);
    expect(streams.out).toContain("kept\nrefused\n0\n");
    expect(streams.out).not.toContain("vda");
    await world.engine.remove(name, 0);
  });

  test("gives what was asked for by name: a capability, a device, privilege", async () => {
    await world.engine.create(world.config({ capAdd: ["net_admin"], devices: ["/dev/net/tun:/dev/tun:rw"] }));
    await world.engine.start(name);
    const streams = new Captured();
    const command = ["sh", "-c", "ip link set lo mtu 9000 && echo changed; test -c /dev/tun && echo device"];
    await world.engine.exec(name, { command, tty: false }, streams);
    expect(streams.out).toBe("changed\ndevice\n");
    await world.engine.remove(name, 0);
    await world.engine.create(world.config({ privileged: true }));
    await world.engine.start(name);
    const privileged = new Captured();
    await world.engine.exec(
      name,
      { command: ["sh", "-c", "mount -t tmpfs x /mnt && echo mounted"], tty: false },
      privileged,
    );
    expect(privileged.out).toBe("mounted\n");
    await world.engine.remove(name, 0);
    const unknown = world.engine.create(world.config({ capAdd: ["everything"] }));
    expect(unknown).rejects.toMatchObject({ code: "runtime.capability-unknown" });
    const absent = world.engine.create(world.config({ devices: ["/dev/nosuch"] }));
    expect(absent).rejects.toMatchObject({ code: "runtime.device-absent" });
    await Promise.allSettled([unknown, absent]);
    expect(traces()).toEqual([]);
  });

  test("keeps a given root file system as it is, unless it is to be written", async () => {
    const rootfs = `${world.folder}/root, with: odd name`;
    const busybox = await ensureImage("busybox", {
      stateDir: `${world.folder}/state`,
      runDir: `${world.folder}/run`,
      imageDir: `${world.folder}/images`,
    });
    cpSync(busybox, rootfs, { recursive: true, verbatimSymlinks: true });
    const write = { command: ["sh", "-c", "echo x > /written"], tty: false };
    await world.engine.create(world.config({ image: undefined, rootfs }));
    await world.engine.start(name);
    expect(await world.engine.exec(name, write, new Captured())).toBe(0);
    await world.engine.remove(name, 0);
    expect(existsSync(`${rootfs}/written`)).toBe(false);
    await world.engine.create(world.config({ image: undefined, rootfs, rootfsInPlace: true }));
    await world.engine.start(name);
    expect(await world.engine.exec(name, write, new Captured())).toBe(0);
    await world.engine.remove(name, 0);
    expect(existsSync(`${rootfs}/written`)).toBe(true);
    const absent = world.engine.create(world.config({ image: undefined, rootfs: `${world.folder}/none` }));
    expect(absent).rejects.toMatchObject({ code: "runtime.rootfs-absent" });
    await absent.catch(() => undefined);
  });

  test("says that the network namespace or the user is not there", async () => {
    await world.engine.create(world.config({ namespace: "truntime_nosuch" }));
    const start = world.engine.start(name);
    expect(start).rejects.toMatchObject({ code: "runtime.namespace-absent" });
    await start.catch(() => undefined);
    await world.engine.remove(name, 0);
    const create = world.engine.create(world.config({ user: "nosuch" }));
    expect(create).rejects.toMatchObject({ code: "runtime.user-unknown" });
    await create.catch(() => undefined);
    expect(traces()).toEqual([]);
  });

  test("copies into a container without following its links to the host", async () => {
    await world.engine.create(world.config());
    await world.engine.start(name);
    const target = `${world.folder}/host-file`;
    writeFileSync(target, "untouched");
    mkdirSync(`${world.folder}/in`, { recursive: true });
    writeFileSync(`${world.folder}/in/evil`, "overwritten");
    const script = `ln -s ${world.folder} /tmp/out; mkdir -p /tmp/in; ln -s ${target} /tmp/in/evil`;
    await world.engine.exec(name, { command: ["sh", "-c", script], tty: false }, new Captured());
    await world.engine.copy(name, "/tmp", `${world.folder}/in`, true);
    const through = world.engine.copy(name, "/tmp/out/host-file", `${world.folder}/in/evil`, true);
    expect(through).rejects.toMatchObject({ code: "runtime.path-absent" });
    await through.catch(() => undefined);
    expect(readFileSync(target, "utf8")).toBe("untouched");
    await world.engine.remove(name, 0);
  });
});
