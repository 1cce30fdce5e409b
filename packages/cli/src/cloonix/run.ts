/** This executable called as one of cloonix's commands. */
import { existsSync } from "node:fs";
import { childEnvironment, YardError } from "@switchyard/base";
import {
  type CloonixCommand,
  type CloonixName,
  type Ground,
  netOf,
  parseCommand,
  runCommand,
  USAGE,
  yardOf,
} from "@switchyard/doors/cloonix";
import { listYards, natLeasesFile, readNatLeases } from "@switchyard/yard/agent";
import { switchRemote, type YardPaths, yardPaths } from "@switchyard/yard/paths";
import { findNode } from "@switchyard/yard/view";
import { commit } from "../commanded.ts";
import { openLiveYard } from "../converge.ts";
import { runProgram } from "../program.ts";
import { selfCommand } from "../self.ts";
import { isRoot, print, type Session } from "../session.ts";
import { version } from "../version.ts";
import { readYard } from "../view/open.ts";

/** @throws YardError those of the door, and of what it comes to */
export async function runCloonix(name: CloonixName, session: Session, argv: readonly string[]): Promise<void> {
  const [net, ...words] = argv;
  if (net === undefined || net === "-h" || net === "--help") {
    if (net === undefined && (name === "cloonix_cli" || name === "cloonix_net")) await printNets(session);
    print(session, USAGE[name]);
    return;
  }
  const yard = yardOf(net);
  if (name === "cloonix_net") return await start(session, yard, words);
  if (words.length === 0 && name === "cloonix_cli") return print(session, USAGE[name]);
  if (words.length === 0 && name !== "cloonix_ovs")
    throw new YardError("cloonix.bad-word", `${name} ${net}: more words are missing`, { hint: USAGE[name] });
  // Words that are wrong are told of whether the net runs or not.
  const command = name === "cloonix_cli" ? parseCommand(words, session.cwd) : undefined;
  needNet(session, net, yard);
  const call = (...verb: readonly string[]) => runProgram(session, ["-y", yard, ...verb]);
  const [first = "", ...more] = words;
  switch (name) {
    case "cloonix_cli":
      if (command !== undefined) await control(session, net, yard, command);
      return;
    case "cloonix_ovs":
      return await hand(session, yardPaths(yard, session.env), words);
    case "cloonix_ssh":
      return more.length === 0
        ? await call("shell", first)
        : await call("exec", ...(session.streams.stdin.isTTY ? [] : ["-i"]), first, "--", "sh", "-c", more.join(" "));
    case "cloonix_scp":
      return await call("cp", ...words.filter((word) => word !== "-r").map(fromHome));
    case "cloonix_shk": {
      const { kind } = findNode(await readYard(session, yard), first);
      return await call(kind === "vm" ? "console" : "shell", first);
    }
    case "cloonix_wsk":
      return await watch(session, yard, words);
  }
}

/** `cloonix_net NAME` */
async function start(session: Session, yard: string, words: readonly string[]): Promise<void> {
  if (words.length > 0) throw new YardError("cloonix.bad-word", `cloonix_net: "${words[0]}" is one word too many`);
  await using live = await openLiveYard(session, yard);
  void live;
  print(session, "UML_CLOONIX_SWITCH NOW RUNNING");
}

async function printNets(session: Session): Promise<void> {
  for (const { name, running, nodes } of await listYards()) {
    const net = netOf(name);
    if (net !== undefined) print(session, `${net}: ${running ? "running" : "not running"}, ${nodes} items`);
  }
}

/** @throws YardError `cloonix.not-running` */
function needNet(session: Session, net: string, yard: string): void {
  if (existsSync(yardPaths(yard, session.env).database)) return;
  throw new YardError("cloonix.not-running", `the net ${net} does not run`, {
    hint: `start it: ${isRoot() ? "" : "sudo "}cloonix_net ${net}`,
  });
}

async function control(session: Session, net: string, yard: string, command: CloonixCommand): Promise<void> {
  if (command.do === "yard") {
    const { argv, ok } = command;
    await runProgram(ok === undefined ? session : unheard(session), ["-y", yard, ...argv]);
    return ok === undefined ? undefined : print(session, ok);
  }
  const paths = yardPaths(yard, session.env);
  if (command.do === "config") {
    const { namespace, run, state, images, databaseSocket, agentLog } = paths;
    const lines = Object.entries({ version, net, yard, namespace, run, state, images, databaseSocket, agentLog });
    return print(session, ...lines.map(([key, value]) => `${key}: ${value}`));
  }
  await using ground = await openGround(session, net, yard);
  print(session, ...(await runCommand(command, ground)));
}

/** The same session, with what is printed lost. */
function unheard(session: Session): Session {
  const stdout = Object.assign(Object.create(session.streams.stdout), { write: () => true });
  return { ...session, streams: { ...session.streams, stdout } };
}

async function openGround(session: Session, net: string, yard: string): Promise<Ground & AsyncDisposable> {
  const { run, images } = yardPaths(yard, session.env);
  const live = await openLiveYard(session, yard);
  const { store, host } = live;
  return {
    ...{ net, yard, store, host, images },
    environment: session.env,
    signal: session.signal,
    leases: (nat) => readNatLeases(natLeasesFile(run, yard, nat)),
    commit: (title, write, scope) => commit(session, live, title, write, scope),
    distant: async (other) =>
      existsSync(yardPaths(other, session.env).database)
        ? await openGround(session, netOf(other) ?? other, other)
        : undefined,
    [Symbol.asyncDispose]: () => live[Symbol.asyncDispose](),
  };
}

/** `vm:file` is in root's home there, as with scp(1). */
function fromHome(word: string): string {
  const [, node, path] = /^([A-Za-z0-9][A-Za-z0-9_.-]*):(.*)$/s.exec(word) ?? [];
  return node === undefined || path === undefined || path.startsWith("/") ? word : `${node}:/root/${path}`;
}

/** Wireshark on what a capture writes. */
async function watch(session: Session, yard: string, [item = "", num, ...more]: readonly string[]): Promise<void> {
  if (num === undefined || more.length > 0)
    throw new YardError(
      "cloonix.bad-word",
      `cloonix_wsk: ${num === undefined ? "<num> is missing" : "a word too many"}`,
    );
  needProgram("wireshark", `yard -y ${yard} capture ${item}:${num} -w trace.pcapng writes what it would show`);
  const env = childEnvironment(session.env);
  const capture = Bun.spawn([...selfCommand(), "-y", yard, "capture", `${item}:${num}`], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
    env,
    signal: session.signal,
  });
  const shown = Bun.spawn(["wireshark", "-k", "-i", "-"], {
    stdin: capture.stdout,
    stdout: "inherit",
    stderr: "inherit",
    env,
    signal: session.signal,
  });
  const code = await shown.exited;
  capture.kill();
  session.exitCode = (await capture.exited) === 1 ? 1 : code;
}

/** Runs ovs-vsctl in our place, which is told where the log is that it names where the switch refuses something. */
async function hand(session: Session, paths: YardPaths, words: readonly string[]): Promise<void> {
  needProgram("ovs-vsctl", "apt-get install openvswitch-switch");
  const child = Bun.spawn(["ovs-vsctl", `--db=${switchRemote(paths)}`, ...words], {
    stdin: "inherit",
    stdout: "inherit",
    stderr: "inherit",
    env: { ...childEnvironment(session.env), OVS_LOGDIR: paths.run },
    signal: session.signal,
  });
  session.exitCode = await child.exited;
}

function needProgram(program: string, hint: string): void {
  if (Bun.which(program) !== null) return;
  throw new YardError("cloonix.no-program", `the program ${program} is not installed`, { hint });
}
