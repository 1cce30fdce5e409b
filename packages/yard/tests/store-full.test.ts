import { describe, expect, test } from "bun:test";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { run } from "@switchyard/base";
import { requires, temporaryFolder } from "@switchyard/testing";
import { declareLab, rowsOf } from "../src/store/mod.ts";
import { startDatabase } from "./database.ts";
import { lab, netns, network, nic } from "./specs.ts";

const place = { yard: "tstore", host: "h1" };

describe.skipIf(!requires("root", "openvswitch"))("the store on a disk that is full", () => {
  test("declaring is refused with the reason, nothing is half there, and it works once there is room", async () => {
    await using folder = await temporaryFolder("tyard-full");
    const disk = `${folder.path}/disk`;
    mkdirSync(disk);
    await run(["mount", "-t", "tmpfs", "-o", "size=256k", "tyard-full", disk]);
    await using database = await startDatabase(disk);
    const store = await database.open();
    const nodes = Array.from({ length: 400 }, (_, i) =>
      netns(`n${i}`, [nic("eth0", "a")], { env: { PAD: "x".repeat(200) } }),
    );
    const one = lab("one", [network("a", ["10.0.0.0/16"])], nodes);
    fill(`${disk}/ballast`);
    expect(await declareLab(store, one, place).catch((error) => error)).toMatchObject({ code: "ovsdb.server-io" });
    expect(rowsOf(store.db)).toMatchObject({ labs: [], nodes: [] });
    rmSync(`${disk}/ballast`);
    await run(["mount", "-o", "remount,size=8m", disk]);
    expect(await declareLab(store, one, place)).toMatchObject({ changed: true });
  });
});

function fill(path: string): void {
  for (let block = 4096; block >= 1; block = Math.floor(block / 2)) {
    try {
      for (;;) writeFileSync(path, Buffer.alloc(block), { flag: "a" });
    } catch {
      // Full, for blocks of this size.
    }
  }
}
