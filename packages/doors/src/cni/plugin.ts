/** The plugin: one call of a runtime, answered on standard output (CNI SPEC 1.1.0, section 2). */
import { YardError } from "@switchyard/base";
import { removeLinkNow } from "@switchyard/linux";
import { add } from "./add.ts";
import type { SwitchChoice } from "./attachment.ts";
import type { Call } from "./call.ts";
import { check, status } from "./check.ts";
import { type PluginType, readConfig, versionOf } from "./config.ts";
import { collect, del } from "./del.ts";
import { Elsewhere, errorReport } from "./errors.ts";
import { addMirrors, checkMirrors, removeMirrors, sweepMirrors } from "./mirror.ts";
import { type OpenedSwitch, openForCall, placeOf, type SwitchPlace } from "./place.ts";
import { checkCommandVersion, commandOf, requestOf } from "./request.ts";
import { renderResult } from "./result.ts";
import { versionReport } from "./version-report.ts";
import { VERSIONS } from "./versions.ts";

export interface PluginCall {
  /** The name that it was called by, which is the dialect's. */
  readonly type: PluginType;
  readonly env: NodeJS.ProcessEnv;
  /** Reads standard input to its end. */
  readonly input: () => Promise<string>;
  /** A line for the runtime's log: standard error. */
  readonly warn: (line: string) => void;
  readonly signal?: AbortSignal;
  /** In place of what a host has. @throws Elsewhere */
  readonly placeOf?: (choice: SwitchChoice) => SwitchPlace;
  /** A database that is open already, in place of one for this call. It need not have caught up. */
  readonly open?: (place: SwitchPlace) => Promise<OpenedSwitch>;
  /** For a process that lives on: deletes a link in a shorter time. */
  readonly removeLink?: Call["removeLink"];
  /** Milliseconds that the switch may take; 20,000 by default. */
  readonly timeout?: number;
  /** `/sys`, where nobody says otherwise. */
  readonly sysfs?: string;
  /** Called after each step of ADD; what it throws is undone as any failure is. */
  readonly step?: (name: string) => void;
}

export interface PluginAnswer {
  readonly output: string;
  readonly exitCode: 0 | 1;
}

/** Does what CNI_COMMAND says. @throws Elsewhere only, before anything was done */
export async function runPlugin(options: PluginCall): Promise<PluginAnswer> {
  const { env } = options;
  if ((env.CNI_COMMAND ?? "") === "") {
    options.warn(
      `CNI plugin ${options.type} of Switchyard, for CNI ${VERSIONS.join(", ")}; a container runtime calls it`,
    );
    return { output: "", exitCode: 0 };
  }
  let input = "";
  try {
    input = await options.input().catch((cause) => {
      throw new YardError("cni.io", "standard input cannot be read", { cause });
    });
    return { output: await answer(options, input), exitCode: 0 };
  } catch (error) {
    if (error instanceof Elsewhere) throw error;
    return { output: errorReport(error, versionOf(input), env.CNI_COMMAND), exitCode: 1 };
  }
}

async function answer(options: PluginCall, input: string): Promise<string> {
  const { env, type, warn, signal, timeout, step, open, removeLink } = options;
  const command = commandOf(env);
  if (command === "VERSION") return versionReport(input);
  const request = requestOf(command, env);
  const config = readConfig(input, type, request, { note: warn, forgiving: command === "DEL" });
  checkCommandVersion(command, config.version);
  const limits = { ...(signal === undefined ? {} : { signal }), ...(timeout === undefined ? {} : { timeout }) };
  const openAsIs = open ?? ((at: SwitchPlace) => openForCall(at, signal));
  const call: Call = {
    env,
    warn,
    signal,
    limits,
    placeOf: options.placeOf ?? ((choice) => placeOf(choice, env)),
    openAsIs,
    open: async (place) => {
      const opened = await openAsIs(place);
      await opened.catchUp();
      return opened;
    },
    removeLink: removeLink ?? (async (namespace, name) => removeLinkNow(namespace, name)),
    sysfs: options.sysfs ?? "/sys",
    step: step ?? (() => {}),
  };
  const mirrors = config.mirroring !== undefined;
  switch (command) {
    case "ADD":
      return renderResult(await (mirrors ? addMirrors : add)(call, request, config), config.version);
    case "DEL":
      await (mirrors ? removeMirrors : del)(call, request, config);
      return "";
    case "CHECK":
      await (mirrors ? checkMirrors : check)(call, request, config);
      return "";
    case "GC":
      await (mirrors ? sweepMirrors : collect)(call, config);
      return "";
    case "STATUS":
      await status(call, config);
      return "";
  }
}
