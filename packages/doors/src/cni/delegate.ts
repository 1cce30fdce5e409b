/** Calling other plugins: those that give addresses (CNI SPEC 1.1.0, section 4). */
import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import { childEnvironment, tryRun, YardError } from "@switchyard/base";
import type { NetworkConfig } from "./config.ts";
import { DelegateError } from "./errors.ts";
import { isRecord, type Problems } from "./fields.ts";
import { type Command, pluginFolders } from "./request.ts";
import { parseResult, type Result } from "./result.ts";

/** Milliseconds: the `dhcp` plugin waits for a lease. */
const LIMIT = 60_000;

export interface DelegateCall {
  readonly env: NodeJS.ProcessEnv;
  /** Gets what the plugin says on standard error. */
  readonly warn: (line: string) => void;
}

/**
 * Runs the configuration's IPAM plugin, with the same configuration and environment.
 *
 * @returns what it printed; undefined where the configuration has no such plugin
 * @throws YardError `cni.no-plugin`; DelegateError with its own number
 */
async function callIpam(command: Command, config: NetworkConfig, call: DelegateCall): Promise<string | undefined> {
  if (config.ipam === undefined) return undefined;
  const program = findPlugin(config.ipam, pluginFolders(call.env));
  const env = { ...childEnvironment(call.env), CNI_COMMAND: command };
  const { code, stdout, stderr } = await tryRun([program], { input: config.text, env, timeout: LIMIT });
  for (const line of stderr.split("\n")) if (line.trim() !== "") call.warn(`${config.ipam}: ${line}`);
  if (code !== 0) throw failure(config.ipam, stdout, code);
  return stdout;
}

/** Has the IPAM plugin give addresses; what it may have given before it failed it has to take back. */
export async function addAddresses(config: NetworkConfig, call: DelegateCall): Promise<Result | undefined> {
  let output: string | undefined;
  try {
    output = await callIpam("ADD", config, call);
  } catch (error) {
    if (error instanceof DelegateError) await callIpam("DEL", config, call).catch(() => {});
    throw error;
  }
  if (output === undefined || config.ipam === undefined) return undefined;
  const problems: Problems = { wrong: [], unsupported: [] };
  let result: Result | undefined;
  try {
    result = parseResult(JSON.parse(output), "result", problems);
  } catch {
    problems.wrong.push("it answered with no JSON");
  }
  if (result !== undefined && result.ips.length === 0) problems.wrong.push("it gave no address");
  if (result === undefined || problems.wrong.length > 0) {
    await callIpam("DEL", config, call).catch(() => {});
    throw new DelegateError(config.ipam, 999, problems.wrong.join("; "));
  }
  return result;
}

/** DEL, CHECK, GC or STATUS of the IPAM plugin. @throws as its failure is */
export async function forward(command: Command, config: NetworkConfig, call: DelegateCall): Promise<void> {
  await callIpam(command, config, call);
}

/** The file of a plugin. @throws YardError `cni.no-plugin` */
export function findPlugin(name: string, folders: readonly string[]): string {
  for (const folder of folders) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {}
  }
  throw new YardError("cni.no-plugin", `there is no plugin ${name} in the folders of CNI_PATH`, {
    hint: `install it into ${folders.join(" or ")}`,
  });
}

function failure(plugin: string, output: string, exitCode: number): DelegateError {
  try {
    const value: unknown = JSON.parse(output);
    if (isRecord(value) && typeof value.code === "number" && typeof value.msg === "string") {
      const details = typeof value.details === "string" && value.details !== "" ? ` (${value.details})` : "";
      return new DelegateError(plugin, value.code, `${value.msg}${details}`);
    }
  } catch {}
  return new DelegateError(plugin, 999, `it ended with exit code ${exitCode} and no word of why`);
}
