/** One behaviour, three engines: whoever uses them need not know which it is. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { PassThrough } from "node:stream";
import { deadline, delay, type YardError } from "@switchyard/base";
import { createLogger } from "@switchyard/base/log";
import { expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { type ContainerEvent, type EngineKind, openEngine } from "../src/mod.ts";
import { Captured, eventually, LABELS, openWorld, type World } from "./world.ts";

// The machine may be busy with other tests.
setDefaultTimeout(60_000);

const needs = {
  docker: ["root", "docker-engine"],
  podman: ["root", "podman", "runc"],
  oci: ["root", "runc", "conmon"],
} as const;

const kinds: EngineKind[] = ["oci", "docker", "podman"];

function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => "nothing was thrown",
    (error: YardError) => error.code,
  );
}

for (const kind of kinds) {
  describe.skipIf(!requires(...needs[kind]))(`the ${kind} engine`, () => {
    let before: Machine;
    let world: World;
    let name: string;

    beforeAll(async () => {
      before = await snapshotMachine();
      world = await openWorld(kind);
      name = world.config().name;
    }, 60_000);

    afterAll(async () => {
      await world[Symbol.asyncDispose]();
      await expectSameMachine(before, { ours: /truntime|syruntime|sydocker|sypodman/ });
    }, 60_000);

    test("tells its version", async () => {
      expect(await world.engine.probe()).toMatch(/\d+\.\d+/);
    });

    test("tells of a start, an exit with its code, and the removal", async () => {
      const events: ContainerEvent[] = [];
      const removed = eventually<void>();
      const stop = new AbortController();
      world.engine.watch(
        LABELS,
        (event) => {
          events.push(event);
          if (event.what === "removed") removed.resolve();
        },
        stop.signal,
      );
      await world.engine.create(world.config({ command: ["sh", "-c", "sleep 0.3; exit 4"] }));
      await world.engine.start(name);
      await ended(world, name);
      expect(await world.engine.list(LABELS)).toMatchObject([{ status: "exited", exitCode: 4, pid: undefined }]);
      expect(await codeOf(world.engine.exec(name, { command: ["true"], tty: false }, new Captured()))).toBe(
        "runtime.not-running",
      );
      await world.engine.remove(name, 0);
      await removed.promise;
      stop.abort();
      expect(events).toEqual([
        { name, what: "started" },
        { name, what: "exited", exitCode: 4 },
        { name, what: "removed" },
      ]);
    });

    describe("with a running container", () => {
      beforeAll(async () => {
        await world.engine.create(world.config({ env: { COLOUR: "blue", LINES2: "one\ntwo" } }));
        await world.engine.start(name);
      }, 60_000);
      afterAll(() => world.engine.remove(name, 0), 60_000);

      test("lists it with its process, and only to whoever owns it", async () => {
        const [state, ...others] = await world.engine.list(LABELS);
        expect(others).toEqual([]);
        expect(state).toMatchObject({ name, status: "running", labels: LABELS });
        expect(existsSync(`/proc/${state?.pid}/ns/net`)).toBe(true);
        expect(await world.engine.list({ "switchyard.owner": "another" })).toEqual([]);
      });

      test("may be made and started again without effect", async () => {
        const [first] = await world.engine.list(LABELS);
        const again = await world.open();
        await again.create(world.config());
        expect((await again.start(name)).pid).toBe(first?.pid);
      });

      test("refuses to take another container for its own", async () => {
        const other = world.config({ labels: { "switchyard.owner": "another" } });
        expect(await codeOf(world.engine.create(other))).toBe("runtime.name-taken");
      });

      test("runs a command with its streams, environment and exit code", async () => {
        const streams = new Captured("some input");
        const command = ["sh", "-c", 'cat; echo "[$COLOUR $GIVEN]"; echo wrong >&2; exit 7'];
        expect(await world.engine.exec(name, { command, tty: false, env: { GIVEN: "yes" } }, streams)).toBe(7);
        expect(streams.out).toBe("some input[blue yes]\n");
        expect(streams.err).toBe("wrong\n");
      });

      test("keeps an environment variable of several lines whole", async () => {
        const streams = new Captured();
        await world.engine.exec(name, { command: ["sh", "-c", 'echo "$LINES2"'], tty: false }, streams);
        expect(streams.out).toBe("one\ntwo\n");
      });

      test("runs a command as another user, in another folder", async () => {
        const streams = new Captured();
        const options = { command: ["sh", "-c", "id -un; pwd"], tty: false, user: "nobody", workdir: "/tmp" };
        expect(await world.engine.exec(name, options, streams)).toBe(0);
        expect(streams.out).toBe("nobody\n/tmp\n");
      });

      test("passes a megabyte through a command unchanged", async () => {
        const text = "0123456789abcde\n".repeat(65_536);
        const streams = new Captured(text);
        expect(await world.engine.exec(name, { command: ["cat"], tty: false }, streams)).toBe(0);
        expect(streams.out.length).toBe(text.length);
        expect(streams.out === text).toBe(true);
      });

      test("answers 127 for a command that is not there, 126 for one that cannot be executed", async () => {
        expect(await world.engine.exec(name, { command: ["nosuch"], tty: false }, new Captured())).toBe(127);
        expect(await world.engine.exec(name, { command: ["/etc/passwd"], tty: false }, new Captured())).toBe(126);
      });

      test("answers 137 for a command that was killed", async () => {
        const command = ["sh", "-c", "kill -9 $$"];
        expect(await world.engine.exec(name, { command, tty: false }, new Captured())).toBe(137);
      });

      test("gives a command a terminal of the caller's size, follows its changes, passes Ctrl-C", async () => {
        const keys = new PassThrough();
        const streams = new Captured(keys);
        const script =
          "trap 'echo interrupted; exit 3' INT; trap 'stty size' WINCH; stty size; echo ready; while :; do sleep 0.1; done";
        const code = world.engine.exec(name, { command: ["sh", "-c", script], tty: true }, streams);
        await streams.until("ready");
        // Docker's API sets the size a moment after the start.
        await streams.until("40 100");
        streams.resize(120, 50);
        await streams.until("50 120");
        keys.write("\x03");
        await streams.until("interrupted");
        expect(await code).toBe(3);
      });

      test("ends a command that is cancelled, also inside", async () => {
        const cancelled = new AbortController();
        const streams = new Captured();
        const command = ["sh", "-c", "echo ready; exec sleep 4321"];
        const code = world.engine.exec(name, { command, tty: false, signal: cancelled.signal }, streams);
        await streams.until("ready");
        cancelled.abort(new Error("enough"));
        expect(code).rejects.toThrow("enough");
        await code.catch(() => undefined);
        const processes = new Captured();
        await world.engine.exec(name, { command: ["ps"], tty: false }, processes);
        expect(processes.out).not.toContain("sleep 4321");
      });

      test("copies files and folders both ways with their modes", async () => {
        const source = `${world.folder}/tree`;
        mkdirSync(`${source}/deep`, { recursive: true });
        writeFileSync(`${source}/deep/script`, "echo copied\n", { mode: 0o750 });
        await world.engine.copy(name, "/tmp", source, true);
        await world.engine.copy(name, "/tmp/renamed", `${source}/deep/script`, true);
        const streams = new Captured();
        const command = ["stat", "-c", "%a %n", "/tmp/tree/deep/script", "/tmp/renamed"];
        await world.engine.exec(name, { command, tty: false }, streams);
        expect(streams.out).toBe("750 /tmp/tree/deep/script\n750 /tmp/renamed\n");
        await world.engine.copy(name, "/tmp/tree", `${world.folder}/back`, false);
        expect(readFileSync(`${world.folder}/back/deep/script`, "utf8")).toBe("echo copied\n");
        await world.engine.copy(name, "/etc/passwd", world.folder, false);
        expect(readFileSync(`${world.folder}/passwd`, "utf8")).toContain("root:");
      });

      test("names a path that is not there", async () => {
        expect(await codeOf(world.engine.copy(name, "/no/such", `${world.folder}/x`, false))).toBe(
          "runtime.path-absent",
        );
        expect(await codeOf(world.engine.copy(name, "/tmp", "/no/such", true))).toBe("runtime.path-absent");
      });
    });

    test("shows what a container wrote, the end of it, and what it writes on", async () => {
      const command = ["sh", "-c", "echo one; echo two; echo bad >&2; sleep 0.5; echo three; exit 0"];
      await world.engine.create(world.config({ command }));
      await world.engine.start(name);
      const followed = new Captured();
      await world.engine.logs(name, { follow: true }, followed);
      expect(followed.out).toBe("one\ntwo\nthree\n");
      expect(followed.err).toBe("bad\n");
      await ended(world, name);
      const last = new Captured();
      await world.engine.logs(name, { follow: false, tail: 1 }, last);
      expect(last.out).toBe("three\n");
      // It has ended: following shows all and comes back.
      const whole = new Captured();
      await world.engine.logs(name, { follow: true }, whole);
      expect(whole.out).toBe("one\ntwo\nthree\n");
      await world.engine.remove(name, 0);
    });

    test("starts a container again that has ended, with what it had written", async () => {
      const command = ["sh", "-c", "[ -e /kept ] && exec sleep 1000; echo x > /kept"];
      await world.engine.create(world.config({ command }));
      await world.engine.start(name);
      await ended(world, name);
      expect((await world.engine.start(name)).status).toBe("running");
      await world.engine.remove(name, 0);
    });

    test("obeys limits, sysctls, binds, user and hostname", async () => {
      mkdirSync(`${world.folder}/www`, { recursive: true });
      writeFileSync(`${world.folder}/www/index.html`, "page\n");
      const config = world.config({
        memory: 64 * 1024 * 1024,
        cpus: 0.5,
        sysctls: { "net.ipv4.ip_forward": "1" },
        binds: [`${world.folder}/www:/www:ro`],
        hostname: "somewhere",
        user: "nobody",
      });
      await world.engine.create(config);
      const { pid } = await world.engine.start(name);
      const streams = new Captured();
      const script =
        "hostname; id -u; cat /proc/sys/net/ipv4/ip_forward /www/index.html; touch /www/x 2>/dev/null || echo read-only; ls /sys/class/net";
      await world.engine.exec(name, { command: ["sh", "-c", script], tty: false }, streams);
      expect(streams.out).toBe("somewhere\n65534\n1\npage\nread-only\nlo\n");
      expect(memoryLimit(pid ?? 0)).toBe(64 * 1024 * 1024);
      await world.engine.remove(name, 0);
    });

    test("stops with SIGTERM when given time, and is content when there is nothing to remove", async () => {
      const command = ["sh", "-c", "trap 'exit 0' TERM; echo ready; while :; do sleep 1000 & wait $!; done"];
      await world.engine.create(world.config({ command }));
      await world.engine.start(name);
      const log = new Captured();
      const follow = new AbortController();
      const following = world.engine.logs(name, { follow: true, signal: follow.signal }, log);
      await log.until("ready");
      follow.abort();
      await following;
      const started = performance.now();
      await world.engine.remove(name, 30_000);
      expect(performance.now() - started).toBeLessThan(25_000);
      await world.engine.remove(name, 30_000);
      expect(await world.engine.list(LABELS)).toEqual([]);
    });

    test("says that an image is absent and what to do", async () => {
      const never = world.engine.create(world.config({ image: "nosuch-image", pull: "never" }));
      expect(await codeOf(never)).toBe("runtime.image-absent");
      const missing = world.engine.create(world.config({ image: "localhost:1/nosuch-image" }));
      const error: YardError = await missing.then(
        () => Promise.reject(new Error("it was made")),
        (thrown) => thrown,
      );
      expect(error.code).toBe("runtime.image-absent");
      expect(error.hint).toBeString();
      expect(await world.engine.list(LABELS)).toEqual([]);
    });

    test("says that a command cannot be started, and can be removed then", async () => {
      await world.engine.create(world.config({ command: ["/no/such/program"] }));
      expect(await codeOf(world.engine.start(name))).toBe("runtime.start-failed");
      await world.engine.remove(name, 0);
      expect(await world.engine.list(LABELS)).toEqual([]);
    });

    if (kind === "docker")
      test("tells its events over a lost connection, and none is lost with it", async () => {
        const engineSocket = world.address?.replace("unix://", "") ?? "";
        const open = new Set<Socket>();
        let connections = 0;
        const connected = [eventually<void>(), eventually<void>()];
        const relay = createServer((client) => {
          const upstream = connect(engineSocket);
          for (const socket of [client, upstream]) {
            open.add(socket);
            socket.on("error", () => undefined);
            socket.on("close", () => open.delete(socket));
          }
          client.pipe(upstream).pipe(client);
          client.once("data", () => connected[connections++]?.resolve());
        });
        await new Promise<void>((resolve) => relay.listen(`${world.folder}/relay.sock`, resolve));
        const options = { stateDir: "", runDir: "", imageDir: "", log: createLogger("test", "silent") };
        const engine = await openEngine("docker", { ...options, address: `unix://${world.folder}/relay.sock` });
        const stop = new AbortController();
        const events: ContainerEvent[] = [];
        const removed = eventually<void>();
        engine.watch(
          LABELS,
          (event) => {
            events.push(event);
            if (event.what === "removed") removed.resolve();
          },
          stop.signal,
        );
        await connected[0]?.promise;
        await world.engine.create(world.config());
        await world.engine.start(name);
        for (const socket of open) socket.destroy();
        await world.engine.remove(name, 0);
        await connected[1]?.promise;
        await removed.promise;
        stop.abort();
        relay.close();
        for (const socket of open) socket.destroy();
        expect(events.map(({ what }) => what)).toEqual(["started", "exited", "removed"]);
      }, 60_000);

    test("knows no container that was never made", async () => {
      const streams = new Captured();
      expect(await codeOf(world.engine.start("truntime_nosuch"))).toBe("runtime.no-such-container");
      expect(await codeOf(world.engine.exec("truntime_nosuch", { command: ["true"], tty: false }, streams))).toBe(
        "runtime.no-such-container",
      );
      expect(await codeOf(world.engine.logs("truntime_nosuch", { follow: false }, streams))).toBe(
        "runtime.no-such-container",
      );
      expect(await codeOf(world.engine.create(world.config({ name: "../evil" })))).toBe("runtime.bad-name");
    });
  });
}

test("a Docker engine that does not run is named with its address and the remedy", async () => {
  const engine = await openEngine("docker", {
    address: "unix:///tmp/syruntime-nosuch.sock",
    stateDir: "/tmp/syruntime-none",
    runDir: "/tmp/syruntime-none",
    imageDir: "/tmp/syruntime-none",
    log: createLogger("test", "silent"),
  });
  expect(await codeOf(engine.probe())).toBe("runtime.docker-unreachable");
  expect(await codeOf(engine.list({}))).toBe("runtime.docker-unreachable");
  expect(
    await codeOf(
      openEngine("docker", {
        address: "ssh://h",
        stateDir: "",
        runDir: "",
        imageDir: "",
        log: createLogger("t", "silent"),
      }),
    ),
  ).toBe("runtime.bad-address");
});

/** Waits until a container has ended. */
async function ended(world: World, name: string): Promise<void> {
  const [state] = await world.engine.list(LABELS);
  if (state?.name !== name) throw new Error(`there is no ${name}`);
  // Following its log ends with it.
  await world.engine.logs(name, { follow: true }, new Captured());
  using limit = deadline(20_000, "test.timeout", `${name} does not end`);
  for (;;) {
    const [now] = await world.engine.list(LABELS);
    if (now?.status === "exited" && now.exitCode !== undefined) return;
    await delay(20, limit);
  }
}

/** The memory limit of a process's cgroup, of either version. */
function memoryLimit(pid: number): number {
  const lines = readFileSync(`/proc/${pid}/cgroup`, "utf8").split("\n");
  const v1 = lines.find((line) => line.split(":")[1] === "memory")?.split(":")[2];
  const v2 = lines.find((line) => line.startsWith("0::"))?.slice(3);
  const file = v1 === undefined ? `/sys/fs/cgroup${v2}/memory.max` : `/sys/fs/cgroup/memory${v1}/memory.limit_in_bytes`;
  return Number(readFileSync(file, "utf8"));
}
