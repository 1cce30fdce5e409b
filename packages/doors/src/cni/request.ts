/** What a runtime asks: the environment that it calls the plugin with (CNI SPEC 1.1.0, section 2). */
import { statSync } from "node:fs";
import { YardError } from "@switchyard/base";
import { checkLinkName, type NamespaceRef, namespaceId } from "@switchyard/linux";
import { isAtLeast, type Version } from "./versions.ts";

export const COMMANDS = ["ADD", "DEL", "CHECK", "GC", "STATUS", "VERSION"] as const;

export type Command = (typeof COMMANDS)[number];

/** A call of ADD, DEL or CHECK: one nic of one container. */
export interface Request {
  readonly containerId: string;
  readonly ifname: string;
  /** Empty: the runtime knows none any more (DEL only). */
  readonly netns: string;
  /** CNI_ARGS, as it came. */
  readonly args: string;
  readonly podUid: string | undefined;
}

const required: Readonly<Record<Command, readonly string[]>> = {
  ADD: ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"],
  CHECK: ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"],
  DEL: ["CNI_CONTAINERID", "CNI_IFNAME", "CNI_PATH"],
  GC: ["CNI_PATH"],
  STATUS: ["CNI_PATH"],
  VERSION: [],
};

/** The commands that later versions brought. */
const since: Readonly<Record<string, Version>> = { CHECK: "0.4.0", GC: "1.1.0", STATUS: "1.1.0" };

/** @throws YardError `cni.incompatible-version` for a command that the configuration's version does not have */
export function checkCommandVersion(command: Command, version: Version): void {
  const first = since[command];
  if (first !== undefined && !isAtLeast(version, first))
    throw new YardError(
      "cni.incompatible-version",
      `${command} came with CNI ${first}, and the network configuration is of ${version}`,
    );
}

/** The grammar of container ids and network names. */
export const IDENTIFIER = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;

/** @throws YardError `cni.bad-environment` for another command */
export function commandOf(env: NodeJS.ProcessEnv): Command {
  const command = COMMANDS.find((name) => name === env.CNI_COMMAND);
  if (command === undefined)
    throw new YardError(
      "cni.bad-environment",
      `CNI_COMMAND is "${env.CNI_COMMAND}", which is none of ${COMMANDS.join(", ")}`,
    );
  return command;
}

/** The nic that is meant. @throws YardError `cni.bad-environment` with all that is wrong */
export function requestOf(command: Command, env: NodeJS.ProcessEnv): Request {
  const missing = required[command].filter((name) => (env[name] ?? "") === "");
  if (missing.length > 0)
    throw new YardError("cni.bad-environment", `the environment lacks ${missing.join(", ")}, which ${command} needs`);
  const request: Request = {
    containerId: env.CNI_CONTAINERID ?? "",
    ifname: env.CNI_IFNAME ?? "",
    netns: env.CNI_NETNS ?? "",
    args: env.CNI_ARGS ?? "",
    podUid: undefined,
  };
  if (command === "GC" || command === "STATUS" || command === "VERSION") return request;
  const wrong: string[] = [];
  if (!IDENTIFIER.test(request.containerId))
    wrong.push(
      `CNI_CONTAINERID "${request.containerId}" is not letters, digits and _ . -, beginning with a letter or digit`,
    );
  try {
    checkLinkName(request.ifname);
  } catch (thrown) {
    wrong.push(`CNI_IFNAME: ${thrown instanceof Error ? thrown.message : thrown}`);
  }
  if (request.netns !== "" && !request.netns.startsWith("/"))
    wrong.push(`CNI_NETNS "${request.netns}" is not an absolute path`);
  if (wrong.length > 0) throw new YardError("cni.bad-environment", wrong.join("; "));
  return request;
}

/** The folders of CNI_PATH, where plugins are. */
export function pluginFolders(env: NodeJS.ProcessEnv): string[] {
  return (env.CNI_PATH ?? "").split(":").filter((folder) => folder !== "");
}

/**
 * The container's namespace.
 *
 * @throws YardError `cni.bad-namespace` where it is one that we ourselves, or the switch, live in; `namespace.missing`
 */
export function containerNamespace(request: Request, switchNamespace: NamespaceRef): NamespaceRef {
  const wanted = look(request.netns);
  if (wanted === undefined) throw new YardError("namespace.missing", `there is no network namespace ${request.netns}`);
  for (const [ref, whose] of [
    ["self", "the plugin's own"],
    [switchNamespace, "the switch's"],
  ] as const)
    if (namespaceId(ref) === wanted.ino)
      throw new YardError("cni.bad-namespace", `CNI_NETNS ${request.netns} is ${whose} network namespace`, {
        hint: "give that of the container",
      });
  return { path: request.netns };
}

function look(path: string) {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (cause) {
    throw new YardError("cni.bad-namespace", `the network namespace ${path} cannot be looked at`, { cause });
  }
}
