import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { existsSync, readFileSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { delay, run } from "@switchyard/base";
import { expectSameMachine, type Machine, requires, snapshotMachine } from "@switchyard/testing";
import {
  adoptNamespace,
  createNamespaces,
  createNamespacesInSlices,
  deleteNamespaces,
  deleteNamespacesInSlices,
  inNamespace,
  listNamespaces,
  namespaceId,
  viewNamespace,
} from "../src/mod.ts";
import { scratchNames, twoNamespaces, withBackend } from "./scratch.ts";

describe.skipIf(!requires("root", "iproute2"))("network namespaces", () => {
  let before: Machine;
  beforeAll(async () => {
    before = await snapshotMachine();
  });
  afterAll(() => expectSameMachine(before, { ours: /tlinux_/ }));

  for (const backend of ["netlink", "iproute2"] as const) {
    test(`made by ${backend} are ip-netns's own: listed, entered, loopback up`, async () => {
      using scratch = scratchNames(3);
      expect(withBackend(backend, () => createNamespaces(scratch.names))).toEqual([]);
      const listed = await run(["ip", "netns", "list"]);
      for (const name of scratch.names) {
        expect(listed).toContain(name);
        expect(await run(["ip", "netns", "exec", name, "ip", "-o", "link", "show", "lo"])).toContain(",UP");
        expect(viewNamespace({ name }).links.get("lo")?.up).toBe(true);
      }
      expect(withBackend(backend, () => deleteNamespaces(scratch.names))).toEqual([]);
      for (const name of scratch.names) expect(existsSync(`/run/netns/${name}`)).toBe(false);
    });

    test(`by ${backend}, making and deleting again changes nothing and fails nothing`, () => {
      using scratch = scratchNames(2);
      withBackend(backend, () => {
        expect(createNamespaces(scratch.names)).toEqual([]);
        const ids = scratch.names.map((name) => namespaceId({ name }));
        expect(createNamespaces(scratch.names)).toEqual([]);
        expect(scratch.names.map((name) => namespaceId({ name }))).toEqual(ids);
        expect(deleteNamespaces(scratch.names)).toEqual([]);
        expect(deleteNamespaces(scratch.names)).toEqual([]);
      });
    });

    test(`by ${backend}, one that was left half-made is completed`, async () => {
      using scratch = scratchNames(3);
      const [file, down, untouched] = scratch.names;
      if (file === undefined || down === undefined || untouched === undefined) throw new Error("three names");
      writeFileSync(`/run/netns/${file}`, "");
      await run(["ip", "netns", "add", down]);
      expect(viewNamespace({ name: down }).links.get("lo")?.up).toBe(false);
      expect(withBackend(backend, () => createNamespaces(scratch.names))).toEqual([]);
      for (const name of scratch.names) expect(viewNamespace({ name }).links.get("lo")?.up).toBe(true);
    });

    test(`by ${backend}, one that was left half-deleted is deleted`, () => {
      using scratch = scratchNames(1);
      writeFileSync(`/run/netns/${scratch.names[0]}`, "");
      expect(withBackend(backend, () => deleteNamespaces(scratch.names))).toEqual([]);
      expect(listNamespaces()).not.toContain(scratch.names[0]);
    });
  }

  test("one that was mounted twice is deleted whole", async () => {
    using scratch = scratchNames(1);
    const path = `/run/netns/${scratch.names[0]}`;
    createNamespaces(scratch.names);
    await run(["mount", "--bind", path, path]);
    expect(deleteNamespaces(scratch.names)).toEqual([]);
    expect(existsSync(path)).toBe(false);
    expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(`${path} `);
  });

  test("whatever the moment a maker is killed at, the next call completes and the next deletion clears", async () => {
    using scratch = scratchNames(40);
    const script = new URL("./make-namespaces.ts", import.meta.url).pathname;
    for (const wait of [0, 1, 3, 7, 13, 29]) {
      const child = spawn(process.execPath, [script, ...scratch.names], { stdio: ["ignore", "pipe", "inherit"] });
      const ended = new Promise((resolve) => child.once("exit", resolve));
      await new Promise((resolve) => child.stdout.once("data", resolve));
      await delay(wait);
      child.kill("SIGKILL");
      await ended;
      expect(createNamespaces(scratch.names)).toEqual([]);
      for (const name of scratch.names) expect(viewNamespace({ name }).links.get("lo")?.up).toBe(true);
      expect(deleteNamespaces(scratch.names)).toEqual([]);
      expect(listNamespaces().filter((name) => scratch.names.includes(name))).toEqual([]);
    }
  });

  test("work in slices lets timers run in between and stops when asked to", async () => {
    using scratch = scratchNames(200);
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    expect(await createNamespacesInSlices(scratch.names)).toEqual([]);
    clearInterval(timer);
    expect(turns).toBeGreaterThan(1);
    expect(await deleteNamespacesInSlices(scratch.names)).toEqual([]);
    const stop = new AbortController();
    const begun = createNamespacesInSlices(scratch.names, stop.signal);
    stop.abort(new Error("enough"));
    await expect(begun).rejects.toThrow("enough");
    expect(listNamespaces().filter((name) => scratch.names.includes(name)).length).toBeLessThan(200);
  });

  test("a bad name is refused before anything is done", () => {
    using scratch = scratchNames(1);
    for (const bad of ["", ".", "..", "a/b", "-n", "a b", "a\n", "ä", "x".repeat(201)])
      expect(() => createNamespaces([...scratch.names, bad])).toThrow(
        expect.objectContaining({ code: "namespace.bad-name" }),
      );
    expect(listNamespaces()).not.toContain(scratch.names[0]);
  });

  test("work inside one ends at home, also when it throws or is asynchronous", () => {
    using two = twoNamespaces();
    const home = namespaceId("self");
    expect(inNamespace({ name: two.a }, () => namespaceId("self"))).toBe(namespaceId({ name: two.a }));
    expect(namespaceId("self")).toBe(home);
    const nested = () =>
      inNamespace({ name: two.a }, () => {
        inNamespace({ name: two.b }, () => {
          throw new Error("inside");
        });
      });
    expect(nested).toThrow("inside");
    expect(namespaceId("self")).toBe(home);
    expect(() => inNamespace({ name: two.a }, async () => 1)).toThrow("must not be asynchronous");
    expect(namespaceId("self")).toBe(home);
    expect(() => inNamespace({ name: "tlinux_absent" }, () => 1)).toThrow(
      expect.objectContaining({ code: "namespace.missing" }),
    );
    expect(namespaceId("self")).toBe(home);
  });

  test("a process's namespace gets a name, again, and another one under that name", async () => {
    using scratch = scratchNames(1);
    using two = twoNamespaces();
    const [name] = scratch.names;
    if (name === undefined) throw new Error("a name");
    const sleepers = [two.a, two.b].map((space) => inNamespace({ name: space }, () => spawn("sleep", ["60"])));
    try {
      const [first, second] = sleepers.map(({ pid }) => pid ?? 0);
      if (first === undefined || second === undefined) throw new Error("two processes");
      adoptNamespace(name, first);
      adoptNamespace(name, first);
      expect(namespaceId({ name })).toBe(namespaceId({ name: two.a }));
      expect(namespaceId({ pid: first })).toBe(namespaceId({ name: two.a }));
      expect(await run(["ip", "netns", "exec", name, "readlink", "/proc/self/ns/net"])).toContain(
        String(namespaceId({ name })),
      );
      adoptNamespace(name, second);
      expect(namespaceId({ name })).toBe(namespaceId({ name: two.b }));
      // As some people do for Docker's containers.
      deleteNamespaces([name]);
      symlinkSync(`/proc/${first}/ns/net`, `/run/netns/${name}`);
      adoptNamespace(name, second);
      expect(namespaceId({ name })).toBe(namespaceId({ name: two.b }));
      expect(namespaceId({ pid: first })).toBe(namespaceId({ name: two.a }));
    } finally {
      for (const sleeper of sleepers) sleeper.kill("SIGKILL");
    }
    expect(() => adoptNamespace(name, 2 ** 22 + 1)).toThrow(expect.objectContaining({ code: "namespace.missing" }));
  });

  test("a name that is only a file is no namespace", () => {
    using scratch = scratchNames(1);
    const [name] = scratch.names;
    if (name === undefined) throw new Error("a name");
    writeFileSync(`/run/netns/${name}`, "");
    expect(namespaceId({ name })).toBeUndefined();
    expect(() => viewNamespace({ name })).toThrow(expect.objectContaining({ code: "namespace.missing" }));
    unlinkSync(`/run/netns/${name}`);
    expect(namespaceId({ name })).toBeUndefined();
  });
});
