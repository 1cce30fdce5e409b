import { describe, expect, test } from "bun:test";
import { PassThrough } from "node:stream";
import { shellWords, YardError } from "@switchyard/base";
import { parseCopy } from "./commands/cp.ts";

import { environment } from "./commands/exec.ts";
import { describeProgram, isUsageError, runProgram } from "./program.ts";
import { createSession, type Session } from "./session.ts";
import { parseNicPath } from "./target.ts";
import { verbOf, verbs } from "./verbs.ts";

/** A session whose output is collected. */
function session(env: NodeJS.ProcessEnv = {}): { session: Session; out: () => string; err: () => string } {
  const collect = () => {
    const chunks: string[] = [];
    const stream = new PassThrough();
    stream.on("data", (chunk: Buffer) => chunks.push(chunk.toString("utf8")));
    return { stream, text: () => chunks.join("") };
  };
  const stdout = collect();
  const stderr = collect();
  // Only what the verbs use of a terminal's stream is there: no terminal.
  const streams = {
    stdin: process.stdin,
    stdout: stdout.stream,
    stderr: stderr.stream,
  } as unknown as Session["streams"];
  return {
    session: createSession(streams, env, "/", new AbortController().signal),
    out: stdout.text,
    err: stderr.text,
  };
}

async function failure(argv: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<YardError> {
  try {
    await runProgram(session(env).session, argv);
  } catch (error) {
    if (error instanceof YardError) return error;
    throw error;
  }
  throw new Error(`yard ${argv.join(" ")} did not fail`);
}

const nowhere = { SWITCHYARD_RUN_DIR: "/nonexistent/run", SWITCHYARD_STATE_DIR: "/nonexistent/state" };

describe("the command line", () => {
  test.each([
    [["ps"], "ps"],
    [["-y", "ps", "down"], "down"],
    [["--yard=x", "--system", "up"], "up"],
    [["--help"], undefined],
  ])("%j calls %p", (argv, verb) => expect(verbOf(argv)).toBe(verb));

  test.each([
    [["nope"], "unknown command"],
    [["ps", "--nope"], "unknown option"],
    [["exec"], "missing required argument"],
    [["exec", "web"], "missing required argument"],
    [["exec", "web", "--"], "no command to run"],
    [["yards", "extra"], "too many arguments"],
    [["completion", "tcsh"], "Allowed choices are bash, zsh, fish"],
    [["iperf", "a", "b", "-t", "x"], "whole number"],
    [["down", "--all", "x.yard.yaml"], "--all"],
  ])("%j is wrong usage", async (argv, message) => {
    const error = await failure(argv, nowhere);
    expect(error.message).toContain(message);
    expect(isUsageError(error)).toBe(true);
    expect(error.hint).toBeDefined();
  });

  test("a mistyped verb or option is answered with the nearest one", async () => {
    expect((await failure(["inspekt"])).hint).toContain("did you mean inspect?");
    expect((await failure(["ps", "--jsno"])).hint).toContain("did you mean --json?");
  });

  test.each([[["-y", "two", "inspect", "web"]], [["inspect", "-y", "two", "web"]], [["inspect", "web", "-y", "two"]]])(
    "the yard stands before or after the verb: %j",
    async (argv) => {
      const error = await failure(argv, nowhere);
      expect(error.code).toBe("yard.not-running");
      expect(error.message).toContain('"two"');
      expect(error.hint).toContain("-y two up");
    },
  );

  test("SWITCHYARD_YARD names the yard unless the command does", async () => {
    expect((await failure(["inspect", "web"], { ...nowhere, SWITCHYARD_YARD: "env" })).message).toContain('"env"');
    expect((await failure(["inspect", "web", "--system"], { ...nowhere, SWITCHYARD_YARD: "env" })).message).toContain(
      '"system"',
    );
  });

  test("two yards in one command are wrong usage", async () => {
    expect((await failure(["-y", "a", "inspect", "web", "-y", "b"], nowhere)).code).toBe("yard.two-names");
    expect((await failure(["-y", "a", "--system", "ps"], nowhere)).code).toBe("yard.two-names");
  });

  test("a yard's name with a shell's characters is refused", async () => {
    const error = await failure(["-y", "a;reboot", "inspect", "web"], nowhere);
    expect(error.code).toBe("yard.bad-name");
    expect(isUsageError(error)).toBe(true);
  });

  test("an option of a verb stands behind it, and the hint says how", async () => {
    const error = await failure(["-y", "x", "--json", "ps", "-l", "a"]);
    expect(error.hint).toBe("only -y and --system may stand before the verb: yard -y x ps --json -l a");
  });

  test("listing a yard that does not run is no failure", async () => {
    const { session: own, out } = session(nowhere);
    await runProgram(own, ["ps"]);
    expect(out()).toBe("no nodes in yard main\n");
  });
});

describe("help", () => {
  test("without a verb all verbs are listed by group", async () => {
    const { session: own, out } = session();
    await runProgram(own, []);
    expect(out()).toMatchSnapshot();
  });

  test.each(verbs.map(({ name }) => [name]))("%s has a description and examples", async (name) => {
    const { session: own, out } = session();
    await runProgram(own, ["help", name]);
    expect(out()).toContain(`Usage: yard ${name}`);
    expect(out()).toContain("Examples:\n");
    expect(out()).toContain("--system");
  });

  test("fills the lines of the terminal", async () => {
    const { session: own, out } = session();
    await runProgram(own, ["help", "impair"]);
    const [, description = ""] = out().split("\n\n");
    const lines = description.split("\n");
    expect(lines.length).toBeGreaterThan(2);
    for (const line of lines.slice(0, -1)) expect(line.length).toBeWithin(80, 101);
  });

  test("of a verb below a verb is that one's", async () => {
    const { session: own, out } = session();
    await runProgram(own, ["help", "vm", "start"]);
    expect(out()).toContain("Usage: yard vm start [options] <node>");
  });

  test("a verb below a verb has its own, and one that is none is told", async () => {
    const { session: own, out } = session();
    await runProgram(own, ["help", "ovs", "vlan_ensure"]);
    expect(out()).toStartWith("Usage: yard ovs vlan-ensure");
    expect(await failure(["help", "pss"])).toMatchObject({ code: "usage.wrong", message: "unknown command 'pss'" });
  });

  test("every option of every verb says what it does", async () => {
    const program = await describeProgram(session().session);
    for (const verb of program.commands)
      for (const option of verb.options)
        if (!option.hidden)
          expect({ verb: verb.name(), option: option.flags, text: option.description }).not.toMatchObject({ text: "" });
  });
});

test("a copy has one side in a node", () => {
  expect(parseCopy("a.txt", "web:/www/", "/home")).toEqual({
    node: "web",
    inside: "/www/",
    outside: "/home/a.txt",
    into: true,
  });
  expect(parseCopy("web:/etc/hosts", ".", "/home")).toEqual({
    node: "web",
    inside: "/etc/hosts",
    outside: "/home",
    into: false,
  });
  expect(parseCopy("./a:b", "web:/x", "/home")).toMatchObject({ node: "web", outside: "/home/a:b" });
  for (const [from, to] of [
    ["a", "b"],
    ["a:/x", "b:/y"],
    ["web:x", "."],
  ] as const)
    expect(() => parseCopy(from, to, "/")).toThrow(YardError);
});

test("NODE:NIC names a nic, and nothing else does", () => {
  expect(parseNicPath("web:eth0")).toEqual({ node: "web", nic: "eth0" });
  for (const text of ["web", ":eth0", "web:", "a:b:c"]) expect(() => parseNicPath(text)).toThrow("does not name a nic");
});

test("an environment variable's value may hold an equals sign", () => {
  expect(environment(["A=b=c", "EMPTY="])).toEqual({ A: "b=c", EMPTY: "" });
  expect(() => environment(["=x"])).toThrow(YardError);
});

test("a command in a hint can be pasted into a shell", () => {
  expect(shellWords(["yard", "up", "my lab.yaml", "it's"])).toBe("yard up 'my lab.yaml' 'it'\\''s'");
});
