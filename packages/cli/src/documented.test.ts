import { expect, test } from "bun:test";
import type { Command } from "commander";
import { createProgram } from "./program.ts";
import { createSession } from "./session.ts";
import { verbs } from "./verbs.ts";

/** Commands that parse their words and do nothing. */
function idle(command: Command): void {
  command.action(() => {});
  for (const below of command.commands) idle(below);
}

test("every command shown in the pages on networks is one that yard takes", async () => {
  const page = await Bun.file(new URL("../../../docs/networks.md", import.meta.url)).text();
  const lines = [...page.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block = ""]) => block.trim().split("\n"));
  expect(lines.length).toBeGreaterThan(10);
  for (const line of lines) {
    const [yard, ...words] = line.split(" ");
    expect(yard).toBe("yard");
    const session = createSession(process, {}, "/", new AbortController().signal);
    const program = await createProgram(session, words);
    idle(program);
    await program.parseAsync(words, { from: "user" });
  }
});

test("the page on HTTP has a request for every verb, or says why there is none", async () => {
  const page = await Bun.file(new URL("../../../docs/http.md", import.meta.url)).text();
  const rows = [...page.matchAll(/^\| (`yard .*?) \| (.*) \|$/gm)];
  const told = rows.flatMap(([, cell = ""]) => [...cell.matchAll(/`yard ([\w-]+)`/g)].map(([, verb = ""]) => verb));
  expect(told.toSorted()).toEqual(verbs.map(({ name }) => name).toSorted());
  for (const [, , request = ""] of rows) expect(request).toMatch(/`.*\/.*`|^none/);
});
