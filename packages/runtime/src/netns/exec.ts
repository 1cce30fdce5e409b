import { accessSync, constants, existsSync, statSync } from "node:fs";
import { childEnvironment, YardError } from "@switchyard/base";
import { checkNamespaceName, NETNS_DIR } from "@switchyard/linux";
import { checkCommand, complain, NOT_EXECUTABLE, NOT_FOUND, spawnInteractive } from "../streams/spawn.ts";
import type { ExecOptions, ExecStreams } from "../types.ts";

const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * Runs a command in the named network namespace, as `ip netns exec` does: in a mount namespace of its own whose
 * `/etc` shows the files of `/etc/netns/<namespace>/` and whose `/sys` is that of the network namespace. The process
 * keeps its pid through all of this, so signals and the exit code are the command's own.
 *
 * @returns the exit code; 127 no such command, 126 not executable, 128 + n ended by signal n
 * @throws YardError `runtime.namespace-absent`, `runtime.bad-command`, `runtime.exec-failed`, `namespace.bad-name`
 */
export async function execInNamespace(namespace: string, options: ExecOptions, streams: ExecStreams): Promise<number> {
  checkNamespaceName(namespace);
  const [name, ...args] = checkCommand(options.command);
  if (!existsSync(`${NETNS_DIR}/${namespace}`))
    throw new YardError("runtime.namespace-absent", `there is no network namespace ${namespace}`, {
      hint: "the node is not up; bring its lab up",
    });
  const env: Record<string, string> = { PATH: DEFAULT_PATH, ...childEnvironment(), ...options.env };
  const found = findProgram(name, env.PATH ?? DEFAULT_PATH, options.workdir ?? process.cwd());
  if (typeof found === "number") {
    complain(streams, options.tty, `${name}: ${found === NOT_FOUND ? "command not found" : "permission denied"}`);
    return found;
  }
  const asUser = options.user === undefined ? [] : asUserArguments(options.user);
  return spawnInteractive(
    {
      argv: ["ip", "netns", "exec", namespace, ...asUser, found, ...args],
      env,
      ...(options.workdir === undefined ? {} : { cwd: options.workdir }),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    },
    options.tty,
    streams,
  );
}

/** setpriv(1) changes the user and then executes, where `su` and `runuser` would stay as a parent. */
function asUserArguments(user: string): string[] {
  const [name = "", group] = user.split(":");
  const word = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/;
  if (!word.test(name) || (group !== undefined && !word.test(group)))
    throw new YardError("runtime.user-unknown", `"${user}" is not USER or USER:GROUP`);
  const groups = group === undefined ? "--init-groups" : "--clear-groups";
  return ["setpriv", `--reuid=${name}`, `--regid=${group ?? name}`, groups, "--"];
}

/** The file that `name` stands for (execvp(3)), or the exit code that a shell would give. */
function findProgram(name: string, path: string, folder: string): string | number {
  const candidates = name.includes("/")
    ? [name.startsWith("/") ? name : `${folder}/${name}`]
    : path.split(":").map((part) => `${part === "" ? "." : part}/${name}`);
  let code = NOT_FOUND;
  for (const candidate of candidates) {
    if (!existsSync(candidate)) continue;
    if (statSync(candidate).isFile() && isExecutable(candidate)) return candidate;
    code = NOT_EXECUTABLE;
  }
  return code;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
