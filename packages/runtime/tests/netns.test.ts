/** Commands in the network namespaces that nodes of the kind netns are. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { PassThrough } from "node:stream";
import { createNamespaces, deleteNamespaces } from "@switchyard/linux";
import { expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import { execInNamespace } from "../src/mod.ts";
import { Captured } from "./world.ts";

// The machine may be busy with other tests.
setDefaultTimeout(60_000);

describe.skipIf(!requires("root", "iproute2"))("a command in a network namespace", () => {
  const name = `truntime_ns_${process.pid}`;
  let before: Machine;

  beforeAll(async () => {
    before = await snapshotMachine();
    createNamespaces([name]);
    mkdirSync(`/etc/netns/${name}`, { recursive: true });
    writeFileSync(`/etc/netns/${name}/hosts`, "10.9.8.7 neighbour\n");
  });
  afterAll(async () => {
    rmSync(`/etc/netns/${name}`, { recursive: true, force: true });
    deleteNamespaces([name]);
    await expectSameMachine(before, { ours: /truntime/ });
  });

  async function sh(script: string, input?: string): Promise<{ code: number; out: string; err: string }> {
    const streams = new Captured(input);
    const code = await execInNamespace(name, { command: ["sh", "-c", script], tty: false }, streams);
    return { code, out: streams.out, err: streams.err };
  }

  test("sees only the links of the namespace and the node's own hosts file", async () => {
    const { out } = await sh("ls /sys/class/net; cat /etc/hosts");
    expect(out).toBe("lo\n10.9.8.7 neighbour\n");
  });

  test("has its standard input, both outputs and its exit code", async () => {
    expect(await sh("cat; echo wrong >&2; exit 9", "typed")).toEqual({ code: 9, out: "typed", err: "wrong\n" });
  });

  test("answers 127 and 126 as a shell does, and 128 + n when a signal ended it", async () => {
    const absent = new Captured();
    expect(await execInNamespace(name, { command: ["nosuch"], tty: false }, absent)).toBe(127);
    expect(absent.err).toBe("nosuch: command not found\n");
    expect(await execInNamespace(name, { command: ["/etc/passwd"], tty: false }, new Captured())).toBe(126);
    expect((await sh("kill -TERM $$")).code).toBe(143);
  });

  test("is done when it has ended, whatever it left in the background", async () => {
    const started = performance.now();
    const { code, out } = await sh("sleep 20 & echo $!; exit 2");
    process.kill(Number(out), "SIGKILL");
    expect(code).toBe(2);
    expect(performance.now() - started).toBeLessThan(3_000);
  });

  test("runs as another user, in another folder, with variables given", async () => {
    const streams = new Captured();
    const command = ["sh", "-c", "id -un; pwd; echo $GIVEN"];
    const options = { command, tty: false, user: "nobody:nogroup", workdir: "/usr", env: { GIVEN: "yes" } };
    expect(await execInNamespace(name, options, streams)).toBe(0);
    expect(streams.out).toBe("nobody\n/usr\nyes\n");
  });

  test("has a terminal that is resized and passes Ctrl-C and the end of input", async () => {
    const keys = new PassThrough();
    const streams = new Captured(keys);
    const script = `trap 'echo interrupted; go=1' INT; trap 'stty size' WINCH; stty size; echo ready
      while [ -z "$go" ]; do sleep 0.1; done; cat; echo "end $?"`;
    const code = execInNamespace(name, { command: ["sh", "-c", script], tty: true }, streams);
    await streams.until("ready");
    expect(streams.out).toContain("40 100");
    streams.resize(120, 50);
    await streams.until("50 120");
    keys.write("\x03");
    await streams.until("interrupted");
    keys.end();
    await streams.until("end 0");
    expect(await code).toBe(0);
  });

  test("ends when it is cancelled", async () => {
    const stop = new AbortController();
    const streams = new Captured();
    const command = ["sh", "-c", "echo ready; exec sleep 1000"];
    const running = execInNamespace(name, { command, tty: false, signal: stop.signal }, streams);
    await streams.until("ready");
    stop.abort(new Error("enough"));
    const failure = await running.catch((error: Error) => error.message);
    expect(failure).toBe("enough");
  });

  test("is refused where there is no such namespace, with what to do", async () => {
    const running = execInNamespace("truntime_nosuch", { command: ["true"], tty: false }, new Captured());
    expect(running).rejects.toMatchObject({ code: "runtime.namespace-absent", hint: expect.any(String) });
    await running.catch(() => undefined);
    const nothing = execInNamespace(name, { command: [], tty: false }, new Captured());
    expect(nothing).rejects.toMatchObject({ code: "runtime.bad-command" });
    await nothing.catch(() => undefined);
  });
});
