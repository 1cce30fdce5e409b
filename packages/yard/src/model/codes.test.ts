import { expect, test } from "bun:test";
import { Glob } from "bun";
import { modelCodes } from "./codes.ts";

test("every error of the lab file is listed with its remedy, and nothing else is", async () => {
  const thrown = new Set<string>();
  for await (const file of new Glob("*.ts").scan({ cwd: import.meta.dir, absolute: true })) {
    if (file.endsWith(".test.ts")) continue;
    const text = await Bun.file(file).text();
    for (const [, code] of text.matchAll(/new YardError\(\s*"([^"]+)"/g)) if (code !== undefined) thrown.add(code);
  }
  // The base room's own.
  thrown.delete("internal.unexpected");
  expect([...thrown].sort()).toEqual(Object.keys(modelCodes).sort());
});
