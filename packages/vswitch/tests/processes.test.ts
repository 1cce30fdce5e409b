import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { delay, run } from "@switchyard/base";
import { createNamespaces, deleteNamespaces, endProcess, isAlive, type ProcessId } from "@switchyard/linux";
import { expectSameMachine, requires, snapshotMachine, temporaryFolder } from "@switchyard/testing";
import {
  appctl,
  applySwitch,
  observeSwitch,
  openSwitch,
  SWITCH_SCHEMA,
  startDatabaseServer,
  startVswitchd,
  stopDatabaseServer,
  stopVswitchd,
  watchVswitchd,
} from "../src/mod.ts";
import { LAN, OWNER, ownName, port, testSwitch } from "./yard.ts";

// A switch starts in a tenth of a second, but the machine may be busy.
setDefaultTimeout(30_000);

const ready = requires("root", "openvswitch", "iproute2");
const code = (code: string) => expect.objectContaining({ code });

describe.skipIf(!ready)("the database server", () => {
  const stacks: AsyncDisposableStack[] = [];
  afterEach(async () => {
    for (const stack of stacks.splice(0)) await stack.disposeAsync();
  });
  const place = async () => {
    const stack = new AsyncDisposableStack();
    stacks.push(stack);
    const { path } = stack.use(await temporaryFolder("tvsw-"));
    stack.defer(() => stopDatabaseServer(path));
    const start = (schema: string = SWITCH_SCHEMA, file = `${path}/conf.db`) =>
      startDatabaseServer({ socket: `${path}/db.sock`, runDir: path, databases: [{ file, schema }] });
    return { path, start, file: `${path}/conf.db`, stack };
  };
  const versioned = (version: string) =>
    readFileSync(SWITCH_SCHEMA, "utf8").replace(/"version": "[^"]*"/, `"version": "${version}"`);

  test("is found again by whoever starts it a second time, and takes further databases", async () => {
    const { path, start } = await place();
    const first = await start();
    expect(await start()).toEqual(first);
    const schema = '{"name":"Other","version":"1.0.0","tables":{"T":{"columns":{"a":{"type":"string"}}}}}';
    const databases = [{ file: `${path}/other.db`, schema }];
    const second = await startDatabaseServer({ socket: `${path}/db.sock`, runDir: path, databases });
    expect(second).toEqual(first);
    expect(existsSync(`${path}/other.db`)).toBe(true);
    await stopDatabaseServer(path);
    expect(isAlive(first)).toBe(false);
  });

  test("lets only those use its socket who were named", async () => {
    const { path, start } = await place();
    await start();
    expect(statSync(`${path}/db.sock`).mode & 0o777).toBe(0o600);
    const databases = [{ file: `${path}/conf.db`, schema: SWITCH_SCHEMA }];
    const common = { socket: `${path}/db.sock`, runDir: path, databases };
    await startDatabaseServer({ ...common, access: { mode: 0o660, group: "daemon" } });
    const { mode, gid } = statSync(`${path}/db.sock`);
    expect([mode & 0o777, gid]).toEqual([0o660, 1]);
    expect(startDatabaseServer({ ...common, access: { mode: 0o660, group: "no such group" } })).rejects.toEqual(
      code("switch.no-group"),
    );
  });

  test("two at once start one server", async () => {
    const { start } = await place();
    const [one, two] = await Promise.all([start(), start()]);
    expect(one).toEqual(two);
  });

  test("an older database is brought up to the schema, in the file and in a running server", async () => {
    const { path, start } = await place();
    const version = async () => (await run(["ovsdb-client", "get-schema-version", `unix:${path}/db.sock`])).trim();
    await start(versioned("7.0.0"));
    expect(await version()).toBe("7.0.0");
    await start(versioned("7.5.0"));
    expect(await version()).toBe("7.5.0");
    await stopDatabaseServer(path);
    await start();
    expect(await version()).toMatch(/^8\./);
  });

  test("a newer database, another one and a damaged one are refused by name and left alone", async () => {
    const { path, start, file } = await place();
    await start(versioned("99.0.0"));
    await expect(start()).rejects.toEqual(code("switch.database-newer"));
    await stopDatabaseServer(path);
    await expect(start()).rejects.toEqual(code("switch.database-newer"));
    const other = '{"name":"Other","version":"1.0.0","tables":{"T":{"columns":{"a":{"type":"string"}}}}}';
    await expect(start(other)).rejects.toEqual(code("switch.database-other"));
    truncateSync(file, 300);
    await expect(start()).rejects.toEqual(code("switch.database-corrupt"));
    writeFileSync(file, "this is no database\n");
    await expect(start()).rejects.toEqual(code("switch.database-corrupt"));
    expect(readFileSync(file, "utf8")).toBe("this is no database\n");
    await expect(start("{}")).rejects.toEqual(code("switch.bad-schema"));
    await expect(start("/nonexistent.ovsschema")).rejects.toEqual(code("switch.bad-schema"));
  });

  test("a full disk is an error that says so, and leaves no half of a file", async () => {
    const { path, start, stack } = await place();
    const disk = `${path}/disk`;
    await run(["mkdir", disk]);
    await run(["mount", "-t", "tmpfs", "-o", "size=24k", "none", disk]);
    stack.defer(() => run(["umount", disk]).then(() => {}));
    writeFileSync(`${disk}/ballast`, new Uint8Array(16_384));
    await expect(start(SWITCH_SCHEMA, `${disk}/conf.db`)).rejects.toEqual(code("switch.disk-full"));
    expect((await run(["ls", "-A", disk])).trim()).toBe("ballast");
  });

  test("a path that no unix socket can have is refused", async () => {
    const { path } = await place();
    const options = { socket: `${path}/${"x".repeat(100)}`, runDir: path, databases: [] };
    await expect(startDatabaseServer(options)).rejects.toEqual(code("switch.path-too-long"));
  });
});

describe.skipIf(!ready)("ovs-vswitchd", () => {
  test("comes back with its ports after it was killed, and its death is noticed", async () => {
    await using sw = await testSwitch();
    await sw.nodes("n1");
    await applySwitch(
      sw.db,
      { setBridges: new Map([["_b_a", LAN]]), setPorts: new Map([["n1", port("_b_a")]]) },
      { owner: OWNER },
    );
    const options = { namespace: sw.namespace, runDir: sw.runDir, database: sw.socket, tso: true };
    const first = await startVswitchd(options);
    const died = Promise.withResolvers<void>();
    using _watch = watchVswitchd(sw.runDir, first, died.resolve);
    process.kill(first.pid, "SIGKILL");
    await died.promise;
    const change = { setPorts: new Map([["n1", port("_b_a", { tag: 5 })]]) };
    await expect(applySwitch(sw.db, change, { owner: OWNER, timeout: 300 })).rejects.toEqual(
      code("switch.not-answering"),
    );
    await expect(appctl(sw.runDir, "version")).rejects.toEqual(code("switch.not-running"));
    const second = await startVswitchd(options);
    expect(second).not.toEqual(first);
    expect(await startVswitchd(options)).toEqual(second);
    expect((await applySwitch(sw.db, change, { owner: OWNER })).failures).toEqual([]);
    expect(observeSwitch(sw.db, OWNER).ports.get("n1")).toMatchObject({ tag: 5, ofport: expect.any(Number) });
  });

  test("that is stopped makes a change fail in time; it takes the change when it goes on", async () => {
    await using sw = await testSwitch();
    const options = { namespace: sw.namespace, runDir: sw.runDir, database: sw.socket, tso: true };
    const { pid } = await startVswitchd(options);
    process.kill(pid, "SIGSTOP");
    const change = { setBridges: new Map([["_b_a", LAN]]) };
    await expect(applySwitch(sw.db, change, { owner: OWNER, timeout: 300 })).rejects.toEqual(
      code("switch.not-answering"),
    );
    await expect(appctl(sw.runDir, "version", [], { timeout: 200 })).rejects.toEqual(code("switch.not-answering"));
    await expect(startVswitchd({ ...options, timeout: 200 })).rejects.toEqual(code("switch.not-answering"));
    const caller = new AbortController();
    const waiting = applySwitch(sw.db, change, { owner: OWNER, signal: caller.signal });
    caller.abort(new Error("not so important any more"));
    await expect(waiting).rejects.toThrow("not so important any more");
    process.kill(pid, "SIGCONT");
    expect(await applySwitch(sw.db, change, { owner: OWNER })).toMatchObject({ changed: false, failures: [] });
  });

  test("that is stopped is ended all the same, with its devices and files", async () => {
    const before = await snapshotMachine();
    let ours = "";
    {
      await using sw = await testSwitch();
      ours = `${sw.namespace}\\b|${sw.runDir}\\b`;
      await applySwitch(sw.db, { setBridges: new Map([["_b_a", LAN]]) }, { owner: OWNER });
      const { pid } = await startVswitchd({
        namespace: sw.namespace,
        runDir: sw.runDir,
        database: sw.socket,
        tso: true,
      });
      process.kill(pid, "SIGSTOP");
      await stopVswitchd(sw.runDir);
      expect((await run(["ls", sw.runDir])).split("\n").filter((name) => /vswitchd\.|mgmt|snoop/.test(name))).toEqual([
        "ovs-vswitchd.lock",
        "ovs-vswitchd.log",
        "ovs-vswitchd.sock",
      ]);
    }
    await expectSameMachine(before, { ours: new RegExp(ours) });
  });

  test("is refused a namespace in which another one works", async () => {
    await using sw = await testSwitch();
    await using folder = await temporaryFolder("tvsw-");
    const second = { namespace: sw.namespace, runDir: folder.path, database: sw.socket, tso: true };
    await expect(startVswitchd(second)).rejects.toEqual(code("switch.namespace-in-use"));
    expect(await appctl(sw.runDir, "version")).toContain("ovs-vswitchd");
  });

  test("is replaced when its namespace was made anew", async () => {
    await using sw = await testSwitch();
    const options = { namespace: sw.namespace, runDir: sw.runDir, database: sw.socket, tso: true };
    const first: ProcessId = await startVswitchd(options);
    deleteNamespaces([sw.namespace]);
    await expect(startVswitchd(options)).rejects.toEqual(code("switch.no-namespace"));
    createNamespaces([sw.namespace]);
    const second = await startVswitchd(options);
    expect(second.pid).not.toBe(first.pid);
    expect(isAlive(first)).toBe(false);
    await applySwitch(sw.db, { setBridges: new Map([["_b_a", LAN]]) }, { owner: OWNER });
    expect(await run(["ip", "-n", sw.namespace, "link", "show", "_b_a"])).toContain("_b_a");
  });

  test("goes on when its database server was killed and is there again", async () => {
    await using sw = await testSwitch();
    const databases = [{ file: `${sw.runDir}/conf.db`, schema: SWITCH_SCHEMA }];
    const server = { socket: sw.socket, runDir: sw.runDir, databases };
    const { pid } = await startDatabaseServer(server);
    const lost = Promise.withResolvers<unknown>();
    using _lost = sw.db.on("disconnected", lost.resolve);
    process.kill(pid, "SIGKILL");
    await lost.promise;
    expect((await startDatabaseServer(server)).pid).not.toBe(pid);
    const change = { setBridges: new Map([["_b_a", LAN]]) };
    expect(await applySwitch(sw.db, change, { owner: OWNER })).toMatchObject({ changed: true, failures: [] });
  });

  test("that was killed with its database server keeps nobody from starting that one while it waits for it", async () => {
    await using sw = await testSwitch();
    const databases = [{ file: `${sw.runDir}/conf.db`, schema: SWITCH_SCHEMA }];
    const server = { socket: sw.socket, runDir: sw.runDir, databases };
    const daemon = { namespace: sw.namespace, runDir: sw.runDir, database: sw.socket, tso: true };
    for (const id of [await startVswitchd(daemon), await startDatabaseServer(server)]) await endProcess(id, 0);
    const waiting = startVswitchd(daemon);
    await startDatabaseServer({ ...server, timeout: 5_000 });
    expect(isAlive(await waiting)).toBe(true);
  });

  test("is there once, whenever the process that started it was killed", async () => {
    await using folder = await temporaryFolder("tvsw-");
    const runDir = folder.path;
    const namespace = ownName();
    createNamespaces([namespace]);
    const server = {
      socket: `${runDir}/db.sock`,
      runDir,
      databases: [{ file: `${runDir}/conf.db`, schema: SWITCH_SCHEMA }],
    };
    const daemon = { namespace, runDir, database: server.socket, tso: true };
    const starter = `${runDir}/start.ts`;
    writeFileSync(
      starter,
      `import { startDatabaseServer, startVswitchd } from "${import.meta.dir}/../src/mod.ts";
       console.log("begun");
       await startDatabaseServer(${JSON.stringify(server)});
       await startVswitchd(${JSON.stringify(daemon)});`,
    );
    try {
      for (const wait of [0, 10, 20, 30, 45, 60, 90]) {
        const child = Bun.spawn([process.execPath, starter], { stdout: "pipe", stderr: "inherit" });
        await child.stdout.getReader().read();
        await delay(wait);
        child.kill("SIGKILL");
        await child.exited;
        await startDatabaseServer(server);
        const id = await startVswitchd(daemon);
        const inside = (await run(["ip", "netns", "pids", namespace])).trim().split("\n");
        expect(inside).toEqual([String(id.pid)]);
        await using db = await openSwitch(`unix:${server.socket}`);
        expect((await applySwitch(db, { setBridges: new Map([["_b_a", LAN]]) }, { owner: OWNER })).failures).toEqual(
          [],
        );
        await stopVswitchd(runDir);
        await stopDatabaseServer(runDir);
      }
    } finally {
      await stopVswitchd(runDir);
      await stopDatabaseServer(runDir);
      deleteNamespaces([namespace]);
    }
  });

  test("two switches side by side never see each other", async () => {
    await using one = await testSwitch();
    await using two = await testSwitch();
    for (const { db } of [one, two])
      expect((await applySwitch(db, { setBridges: new Map([["_b_a", LAN]]) }, { owner: OWNER })).failures).toEqual([]);
    await applySwitch(one.db, { setBridges: new Map([["_b_one", LAN]]) }, { owner: OWNER });
    expect([...observeSwitch(two.db, OWNER).bridges.keys()]).toEqual(["_b_a"]);
    expect(await appctl(two.runDir, "dpif/show")).not.toContain("_b_one");
  });

  test("that is not installed is an error that says what to install, and nothing is left running", async () => {
    await using folder = await temporaryFolder("tvsw-");
    const namespace = ownName();
    createNamespaces([namespace]);
    try {
      const script = `
        import { startDatabaseServer, startVswitchd } from "${import.meta.dir}/../src/mod.ts";
        const runDir = process.argv[2], socket = runDir + "/db.sock";
        try {
          await startVswitchd({ namespace: process.argv[3], runDir, database: socket, tso: true });
        } catch (error) {
          console.log(JSON.stringify(error));
        }`;
      writeFileSync(`${folder.path}/start.ts`, script);
      // Hidden in a mount namespace of its own: everybody else still has it.
      const hidden = 'mount --bind /dev/null "$1" && shift && exec "$@"';
      const program = (await run(["which", "ovs-vswitchd"])).trim();
      const said = await run([
        "unshare",
        "--mount",
        "sh",
        "-c",
        hidden,
        "sh",
        program,
        process.execPath,
        `${folder.path}/start.ts`,
        folder.path,
        namespace,
      ]);
      expect(JSON.parse(said)).toMatchObject({
        code: "switch.not-installed",
        hint: expect.stringContaining("openvswitch-switch"),
      });
      expect(existsSync(`${folder.path}/ovs-vswitchd.pid`)).toBe(false);
    } finally {
      deleteNamespaces([namespace]);
    }
  });

  test("that finds no database is given up in time", async () => {
    await using folder = await temporaryFolder("tvsw-");
    const namespace = ownName();
    createNamespaces([namespace]);
    try {
      const options = { namespace, runDir: folder.path, database: `${folder.path}/none.sock`, tso: true, timeout: 500 };
      await expect(startVswitchd(options)).rejects.toMatchObject({ code: "ovsdb.connect-failed" });
    } finally {
      deleteNamespaces([namespace]);
    }
  });
});

test.skipIf(!ready)("a database that is not there cannot be followed", async () => {
  await expect(openSwitch("unix:/tmp/tvsw-nowhere", { timeout: 300 })).rejects.toMatchObject({
    code: "ovsdb.connect-failed",
  });
});
