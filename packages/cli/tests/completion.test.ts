import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { childEnvironment, run, shellWords } from "@switchyard/base";
import { requires, type TemporaryFolder, temporaryFolder, YARD_COMMAND } from "@switchyard/testing";
import { completionScript } from "../src/completion/scripts.ts";

let folder: TemporaryFolder;
let env: Record<string, string>;

beforeAll(async () => {
  folder = await temporaryFolder("tcli-complete-");
  const yard = join(folder.path, "yard");
  writeFileSync(yard, `#!/bin/sh\nexec ${shellWords(YARD_COMMAND)} "$@"\n`);
  chmodSync(yard, 0o755);
  for (const name of ["office.yard.yaml", "other.txt"]) writeFileSync(join(folder.path, name), "");
  env = {
    ...childEnvironment(),
    PATH: `${folder.path}:${process.env.PATH}`,
    HOME: folder.path,
    SWITCHYARD_RUN_DIR: join(folder.path, "run"),
  };
});
afterAll(() => folder[Symbol.asyncDispose]());

/** What bash's completion comes to for words, the last of which is being typed. */
async function bash(...words: readonly string[]): Promise<string[]> {
  const script = `${completionScript("bash")}
compopt() { :; }
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_yard
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const out = await run(["bash", "-c", script, "bash", "yard", ...words], { env, cwd: folder.path });
  return out.split("\n").filter((line) => line !== "");
}

describe("completion in bash", () => {
  test("completes verbs, options and values", async () => {
    expect(await bash("ins")).toEqual(["inspect"]);
    expect(await bash("-y", "x", "do")).toEqual(["down", "doctor", "docker-driver"]);
    expect(await bash("up", "--ch")).toEqual(["--check"]);
    expect(await bash("completion", "f")).toEqual(["fish"]);
  });

  test("completes names of files where a file is meant", async () => {
    expect(await bash("up", "off")).toEqual(["office.yard.yaml"]);
  });

  test("goes on behind a colon and an equals sign, at which readline parts words", async () => {
    const line = "yard impair web:eth0 del";
    const at = (typed: string) => `${completionScript("bash")}
compopt() { echo "$@"; }
COMP_LINE='${typed}' COMP_POINT=${typed.length} COMP_WORDBREAKS=' :='
_yard
printf '%s\\n' "\${COMPREPLY[@]}"`;
    const complete = (typed: string) => run(["bash", "-c", at(typed)], { env, cwd: folder.path });
    expect(await complete(line)).toBe("-o nospace\ndelay=\n");
    writeFileSync(join(folder.path, "a:b.yard.yaml"), "");
    expect(await complete("yard up a:")).toBe("-o filenames\nb.yard.yaml\n");
  });

  test("says nothing where there is nothing to say, and never an error", async () => {
    expect(await bash("inspect", "w")).toEqual([]);
    expect(await bash("nope", "")).toEqual([]);
  });

  test("the script is taken by a shell that has no completion library", async () => {
    const out = await run(["bash", "--norc", "-c", 'eval "$(yard completion bash)"; complete -p yard'], { env });
    expect(out.trim()).toBe("complete -F _yard yard");
  });
});

describe.skipIf(!requires("zsh"))("completion in zsh", () => {
  test("the script is taken, and asks for the words typed", async () => {
    const script = `autoload -Uz compinit; compinit -D; eval "$(yard completion zsh)"
_describe() { print -l -- "\${candidates[@]}" }
words=(yard ins) CURRENT=2
_yard`;
    const out = await run(["zsh", "-fc", script], { env, cwd: folder.path });
    expect(out.trim()).toBe("inspect:show all there is to know about a node");
  });
});

describe.skipIf(!requires("fish"))("completion in fish", () => {
  const fish = async (line: string) => {
    const script = `yard completion fish | source; complete -C '${line}'`;
    const out = await run(["fish", "--no-config", "-c", script], { env, cwd: folder.path });
    return out.split("\n").filter((text) => text !== "");
  };

  test("completes verbs with their meanings, and files where a file is meant", async () => {
    expect(await fish("yard ins")).toEqual(["inspect\tshow all there is to know about a node"]);
    expect(await fish("yard up off")).toEqual(["office.yard.yaml"]);
  });
});
