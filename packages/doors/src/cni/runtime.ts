/** A runtime's side of CNI: a network's plugins called one after another, as libcni does (CNI SPEC 1.1.0, section 3). */
import { childEnvironment, tryRun, YardError } from "@switchyard/base";
import { findPlugin } from "./delegate.ts";
import { isRecord, type JsonRecord } from "./fields.ts";
import type { Command } from "./request.ts";

/** Milliseconds that one plugin may take. */
const LIMIT = 90_000;

/** A network as a .conf or .conflist file has it. */
export interface NetworkList {
  readonly cniVersion: string;
  readonly name: string;
  readonly plugins: readonly JsonRecord[];
}

/** What plugins are called for. */
export interface RuntimeCall {
  readonly containerId: string;
  /** Path of the container's namespace; empty: it is gone. */
  readonly netns: string;
  readonly ifname: string;
  /** CNI_ARGS. */
  readonly args?: string;
  /** Folders of plugins. */
  readonly path: readonly string[];
  /** Values of capabilities, for those plugins that have them. */
  readonly capabilities?: JsonRecord;
  readonly env?: NodeJS.ProcessEnv;
  /** Gets what plugins say on standard error. */
  readonly log: (line: string) => void;
}

/** A plugin's answer to the last of a network's calls: `undefined` where it has none. */
export type RuntimeAnswer = JsonRecord | undefined;

/** @throws YardError `cni.bad-network` */
export function readNetwork(text: string, file: string): NetworkList {
  const wrong = (problem: string, cause?: unknown) => new YardError("cni.bad-network", `${file} ${problem}`, { cause });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw wrong("is not JSON", cause);
  }
  if (!isRecord(value)) throw wrong("is not a JSON object");
  const { name, plugins = [value] } = value;
  const cniVersion = value.cniVersion ?? "0.1.0";
  if (typeof name !== "string" || name === "") throw wrong("has no name: that of the network");
  if (typeof cniVersion !== "string") throw wrong("has a cniVersion that is no string");
  if (!Array.isArray(plugins) || plugins.length === 0) throw wrong("has no plugins");
  const items: readonly unknown[] = plugins;
  return {
    cniVersion,
    name,
    plugins: items.map((plugin) => {
      if (isRecord(plugin) && typeof plugin.type === "string" && /^[A-Za-z0-9_.-]+$/.test(plugin.type)) return plugin;
      throw wrong("has a plugin without a type");
    }),
  };
}

/**
 * Calls the plugins of a network: forwards for ADD and CHECK, backwards for DEL. An ADD that fails is taken back.
 *
 * @param previous the result of ADD, for CHECK and DEL
 * @param more further fields of the configuration: `cni.dev/valid-attachments` of GC
 * @returns the result of ADD
 * @throws YardError `cni.plugin-failed`, `cni.no-plugin`
 */
export async function callNetwork(
  command: Exclude<Command, "VERSION">,
  network: NetworkList,
  call: RuntimeCall,
  previous?: RuntimeAnswer,
  more: JsonRecord = {},
): Promise<RuntimeAnswer> {
  const plugins = command === "DEL" ? network.plugins.toReversed() : network.plugins;
  let result = previous;
  for (const plugin of plugins) {
    try {
      const answer = await callPlugin(command, network, plugin, call, { ...more, ...prevResult(result) });
      if (command === "ADD") result = answer;
    } catch (error) {
      if (command === "ADD") await callNetwork("DEL", network, call).catch(() => {});
      throw error;
    }
  }
  return command === "ADD" ? result : undefined;
}

function prevResult(result: RuntimeAnswer): JsonRecord {
  return result === undefined ? {} : { prevResult: result };
}

async function callPlugin(
  command: Command,
  { cniVersion, name }: NetworkList,
  plugin: JsonRecord,
  call: RuntimeCall,
  more: JsonRecord,
): Promise<RuntimeAnswer> {
  const type = String(plugin.type);
  const { capabilities: declared, ...conf } = plugin;
  const wanted = isRecord(declared) ? declared : {};
  const runtimeConfig = Object.fromEntries(
    Object.entries(call.capabilities ?? {}).filter(([capability]) => wanted[capability] === true),
  );
  const input = JSON.stringify({
    ...conf,
    ...more,
    name,
    cniVersion,
    ...(Object.keys(runtimeConfig).length === 0 ? {} : { runtimeConfig }),
  });
  const env = {
    ...childEnvironment(call.env),
    CNI_COMMAND: command,
    CNI_CONTAINERID: call.containerId,
    CNI_NETNS: call.netns,
    CNI_IFNAME: call.ifname,
    CNI_ARGS: call.args ?? "",
    CNI_PATH: call.path.join(":"),
  };
  const { code, stdout, stderr } = await tryRun([findPlugin(type, call.path)], { input, env, timeout: LIMIT });
  for (const line of stderr.split("\n")) if (line.trim() !== "") call.log(`${type}: ${line}`);
  const answer = parseAnswer(stdout);
  if (code === 0) return answer;
  const { code: number, msg, details } = answer ?? {};
  throw new YardError("cni.plugin-failed", `the plugin ${type} failed: ${msg ?? "it does not say why"}`, {
    hint: [details, number === undefined ? undefined : `CNI's code is ${number}`].filter(Boolean).join("; "),
  });
}

function parseAnswer(text: string): RuntimeAnswer {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
