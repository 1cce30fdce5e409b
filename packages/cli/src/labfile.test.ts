import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "@switchyard/base";
import { initialLab, parseLab } from "@switchyard/yard/model";
import { labNameOf } from "./commands/init.ts";
import { readLabFile, shownPath } from "./labfile.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync("/tmp/tcli-labfile-");
  for (const name of ["none", "one", "two"]) mkdirSync(join(folder, name));
  writeFileSync(join(folder, "one/office.yard.yaml"), "name: office\n");
  writeFileSync(join(folder, "one/other.yaml"), "");
  for (const name of ["a", "b"]) writeFileSync(join(folder, `two/${name}.yard.yaml`), "");
});
afterAll(() => rmSync(folder, { recursive: true }));

describe("without FILE", () => {
  test("the only lab file of the folder is meant", async () => {
    expect(await readLabFile(join(folder, "one"), undefined)).toEqual({
      file: join(folder, "one/office.yard.yaml"),
      text: "name: office\n",
    });
  });
  test("none is an error that says how to get one", async () => {
    await expect(readLabFile(join(folder, "none"), undefined)).rejects.toThrow("no lab file (*.yard.yaml)");
  });
  test("several are an error that names them", async () => {
    await expect(readLabFile(join(folder, "two"), undefined)).rejects.toThrow("a.yard.yaml, b.yard.yaml");
  });
});

test.each([
  ["missing.yard.yaml", "no such file"],
  [".", "it is a folder"],
])("%s cannot be read: %s", async (name, why) => {
  await expect(readLabFile(folder, name)).rejects.toThrow(why);
});

test("a device without an end is read no further than a lab may go", async () => {
  const { text } = await readLabFile(folder, "/dev/zero");
  expect(() => parseLab(text, { file: "", environment: {} })).toThrow("more than 4 MiB");
});

test("a pipe that nobody writes into is waited for until the caller has had enough", async () => {
  await run(["mkfifo", join(folder, "pipe")]);
  const enough = new AbortController();
  const read = readLabFile(folder, "pipe", enough.signal);
  enough.abort(new Error("enough"));
  await expect(read).rejects.toThrow("enough");
  // Lets the thread go that has it open.
  writeFileSync(join(folder, "pipe"), "");
});

test("a path is shown as one would type it", () => {
  expect(shownPath("/home/a", "/home/a/b/x.yaml")).toBe("b/x.yaml");
  expect(shownPath("/home/a", "/home/x.yaml")).toBe("/home/x.yaml");
});

test("the lab file that init writes is a good one", () => {
  const { lab } = parseLab(initialLab("office", "/usr/share/switchyard/lab.schema.json"), {
    file: "",
    environment: {},
  });
  expect(lab.name).toBe("office");
  expect(lab.nodes.map(({ name }) => name)).toEqual(["pc-1", "pc-2", "router", "web"]);
  expect(lab.checks).toHaveLength(3);
});

test.each([
  ["My Lab!", "my-lab"],
  ["2024-test", "test"],
  ["___", "lab"],
])("the folder %p becomes the lab %p", (text, name) => {
  expect(labNameOf(text)).toBe(name);
});
