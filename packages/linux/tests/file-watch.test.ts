import { describe, expect, test } from "bun:test";
import { appendFileSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { temporaryFolder } from "@switchyard/testing";
import { watchFile, watchFolder } from "../src/mod.ts";

/** Resolves at the next change that a watch tells; rejects when none is told. */
function next(): { told: () => void; change(): Promise<void> } {
  let resolve: (() => void) | undefined;
  return {
    told: () => resolve?.(),
    change: () =>
      new Promise((done, reject) => {
        const timer = setTimeout(() => reject(new Error("nothing was told")), 5_000);
        resolve = () => {
          clearTimeout(timer);
          done();
        };
      }),
  };
}

describe("the watch of a file", () => {
  test("tells of every change, whoever else has stopped watching", async () => {
    await using folder = await temporaryFolder("tlinux-");
    const path = `${folder.path}/log`;
    writeFileSync(path, "");
    for (let round = 0; round < 30; round++) {
      const reader = next();
      const other = watchFile(path, () => undefined);
      using _mine = watchFile(path, reader.told);
      for (const write of [() => appendFileSync(path, "x"), () => truncateSync(path, 0)]) {
        const change = reader.change();
        write();
        await change;
        other[Symbol.dispose]();
      }
    }
  });

  test("tells nothing once it is over, nor of a deleted file, and refuses one that is not there", async () => {
    await using folder = await temporaryFolder("tlinux-");
    const path = `${folder.path}/log`;
    writeFileSync(path, "");
    let ended = 0;
    watchFile(path, () => ended++)[Symbol.dispose]();
    const reader = next();
    const watch = watchFile(path, reader.told);
    const change = reader.change();
    appendFileSync(path, "x");
    await change;
    expect(ended).toBe(0);
    rmSync(path);
    watch[Symbol.dispose]();
    watch[Symbol.dispose]();
    expect(() => watchFile(path, () => undefined)).toThrow("inotify_add_watch");
  });

  test("tells the names of what has changed in a folder, of what was written too if that is asked for", async () => {
    await using folder = await temporaryFolder("tlinux-");
    const reader = next();
    const [entries, writes]: [string[], string[]] = [[], []];
    using _entries = watchFolder(folder.path, (names) => entries.push(...(names ?? [])));
    using _writes = watchFolder(
      folder.path,
      (names) => {
        writes.push(...(names ?? []));
        reader.told();
      },
      { writes: true },
    );
    for (const act of [
      () => writeFileSync(`${folder.path}/one`, ""),
      () => appendFileSync(`${folder.path}/one`, "x"),
    ]) {
      const change = reader.change();
      act();
      await change;
    }
    expect(entries.slice(0, 1)).toEqual(["one"]);
    expect(writes).toEqual(["one", "one"]);
  });

  test("tells of what comes into a folder, is renamed there, and goes", async () => {
    await using folder = await temporaryFolder("tlinux-");
    const reader = next();
    using _watch = watchFolder(folder.path, reader.told);
    const path = `${folder.path}/entry`;
    for (const act of [() => writeFileSync(path, ""), () => renameSync(path, `${path}2`), () => rmSync(`${path}2`)]) {
      const change = reader.change();
      act();
      await change;
    }
  });
});
