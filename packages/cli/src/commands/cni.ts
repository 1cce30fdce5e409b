import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { YardError } from "@switchyard/base";
import {
  callNetwork,
  installPlugins,
  type NetworkList,
  type RuntimeAnswer,
  type RuntimeCall,
  readNetwork,
  uninstallPlugins,
} from "@switchyard/doors/cni";
import { Argument, type Command } from "commander";
import { FOLDER, FOLDERS, tryId, withOwnPlugins } from "../cni/own-plugins.ts";
import { examples, JSON_HELP } from "../help.ts";
import { repeated } from "../options.ts";
import { subcommand } from "../program.ts";
import { isCompiled } from "../self.ts";
import { type CommonOptions, needRoot, print, printJson, type Session, say } from "../session.ts";
import { defineMarker } from "./cni-marker.ts";

const COMMANDS = ["add", "check", "del", "gc", "status", "all"] as const;

interface InstallOptions extends CommonOptions {
  readonly copy?: boolean;
  readonly force?: boolean;
}

interface TryOptions extends CommonOptions {
  readonly ifname: string;
  readonly id?: string;
  readonly args?: string;
  readonly path?: string;
  readonly result?: string;
  readonly capability: readonly string[];
}

/** `yard cni install|uninstall|try|marker …` */
export function define(command: Command, session: Session): void {
  command.description(
    "The CNI plugin: containers of podman, containerd and Kubernetes on Open vSwitch. This executable is\n" +
      "it when it is called switchyard, ovs or userspace; `install` puts the names in place, `try` does what\n" +
      "a runtime would.",
  );
  command.argument("[what]", "install, uninstall, try or marker").action((what?: string) => {
    throw new YardError("usage.wrong", what === undefined ? "there is nothing to do" : `cni cannot ${what}`, {
      hint: "yard cni install, uninstall, try or marker; `yard help cni` shows examples",
    });
  });
  defineInstall(subcommand(command, "install", "put the plugin where runtimes look for it", session), session);
  defineUninstall(subcommand(command, "uninstall", "take the plugin away from there", session), session);
  defineTry(subcommand(command, "try", "call a network's plugins for a namespace", session), session);
  defineMarker(subcommand(command, "marker", "tell Kubernetes which bridges a node has", session), session);
  examples(
    command,
    ["sudo yard cni install", `into ${FOLDER}`],
    ["sudo yard cni try office.conflist /run/netns/box", "add a nic, check it, take it away"],
    ["sudo systemctl enable --now switchyard@system", "the agent, by which calls are quicker"],
  );
}

function defineInstall(command: Command, session: Session): void {
  command
    .argument("[folder]", "of plugins", FOLDER)
    .option("--copy", "files of their own, for a folder that is used where this executable is not")
    .option("--force", "also in place of another program of one of the names")
    .option("--json", JSON_HELP)
    .action((folder: string, { copy = false, force = false, json }: InstallOptions) => {
      const files = installPlugins(resolve(session.cwd, folder), { executable: ownExecutable(), copy, force });
      told(session, json, "installed", files);
    });
  examples(command, ["sudo yard cni install", ""], ["sudo yard cni install --copy /mnt/node/opt/cni/bin", ""]);
}

function defineUninstall(command: Command, session: Session): void {
  command
    .argument("[folder]", "of plugins", FOLDER)
    .option("--json", JSON_HELP)
    .action((folder: string, { json }: CommonOptions) => {
      told(session, json, "removed", uninstallPlugins(resolve(session.cwd, folder)));
    });
  examples(command, ["sudo yard cni uninstall", "others' plugins stay"]);
}

function told(session: Session, json: boolean | undefined, what: string, files: readonly string[]): void {
  if (json) printJson(session, files);
  else print(session, ...files.map((file) => `${what} ${file}`));
}

function defineTry(command: Command, session: Session): void {
  command
    .argument("<file>", "a network: .conf or .conflist")
    .argument("<namespace>", "file of the container's network namespace")
    .addArgument(new Argument("[command]", "what to call").choices(COMMANDS).default("all"))
    .option("--ifname <name>", "the nic in the container", "eth0")
    .option("--id <id>", "of the container; else one made of the namespace")
    .option("--args <args>", "CNI_ARGS: KEY=VALUE;KEY=VALUE")
    .option("--capability <name=json>", "a value of runtimeConfig, for plugins that have that capability", repeated, [])
    .option("--result <file>", "what ADD printed, for check and del")
    .option("--path <folders>", `where plugins are, parted by colons (CNI_PATH, else ${FOLDERS})`)
    .option("--json", JSON_HELP)
    .action((file: string, namespace: string, what: (typeof COMMANDS)[number], options: TryOptions) =>
      tryNetwork(session, file, resolve(session.cwd, namespace), what, options),
    );
  examples(
    command,
    ["sudo yard cni try office.conflist /run/netns/box", "add, check, del; the result is printed"],
    ["sudo yard cni try office.conflist /run/netns/box add >result.json", "stays until:"],
    ["sudo yard cni try office.conflist /run/netns/box del --result result.json", ""],
    ["sudo yard cni try n.conf /run/netns/box --capability mac='\"02:00:00:00:00:01\"'", ""],
  );
}

async function tryNetwork(
  session: Session,
  file: string,
  netns: string,
  what: (typeof COMMANDS)[number],
  options: TryOptions,
): Promise<void> {
  const network = readNetwork(readText(resolve(session.cwd, file)), file);
  const previous = options.result === undefined ? undefined : readResult(resolve(session.cwd, options.result));
  const capabilities = Object.fromEntries(options.capability.map(readCapability));
  needRoot(["cni", "try", file, netns, what], "a nic for a container");
  await withOwnPlugins(async (own) => {
    const call: RuntimeCall = {
      containerId: options.id ?? tryId(netns),
      netns,
      ifname: options.ifname,
      path: [...(options.path ?? session.env.CNI_PATH ?? FOLDERS).split(":"), own],
      capabilities,
      env: session.env,
      log: (line) => say(session, line),
      ...(options.args === undefined ? {} : { args: options.args }),
    };
    await callAll(session, what, network, call, previous);
  });
}

async function callAll(
  session: Session,
  what: (typeof COMMANDS)[number],
  network: NetworkList,
  call: RuntimeCall,
  previous: RuntimeAnswer,
): Promise<void> {
  switch (what) {
    case "add":
      printJson(session, await callNetwork("ADD", network, call));
      return;
    case "check":
      return void (await callNetwork("CHECK", network, call, previous));
    case "del":
      return void (await callNetwork("DEL", network, call, previous));
    case "status":
      return void (await callNetwork("STATUS", network, call));
    case "gc":
      // Nothing is valid but what the namespace has.
      return void (await callNetwork("GC", network, call, undefined, {
        "cni.dev/valid-attachments": [{ containerID: call.containerId, ifname: call.ifname }],
      }));
    case "all": {
      const result = await callNetwork("ADD", network, call);
      printJson(session, result);
      try {
        if (checks(network)) await callNetwork("CHECK", network, call, result);
      } finally {
        await callNetwork("DEL", network, call, result);
      }
    }
  }
}

/** CHECK came with 0.4.0. */
function checks({ cniVersion }: NetworkList): boolean {
  return !/^0\.[0-3]\./.test(cniVersion);
}

function readCapability(word: string): [string, unknown] {
  const at = word.indexOf("=");
  try {
    if (at > 0) return [word.slice(0, at), JSON.parse(word.slice(at + 1))];
  } catch {}
  throw new YardError("usage.wrong", `"${word}" is not of the form NAME=JSON`, {
    hint: "such as --capability 'mac=\"02:00:00:00:00:01\"'",
  });
}

function readResult(file: string): RuntimeAnswer {
  const value: unknown = JSON.parse(readText(file));
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
  throw new YardError("usage.wrong", `${file} is not what ADD printed`);
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new YardError("usage.wrong", `${file} cannot be read`, { cause });
  }
}

/** @throws YardError `cni.not-built` */
function ownExecutable(): string {
  if (isCompiled()) return process.execPath;
  throw new YardError("cni.not-built", "only the built executable is the CNI plugin", { hint: "build it: make build" });
}
