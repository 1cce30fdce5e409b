/** Into a virtual machine by ssh(1), over a network that the host is on. */
import { existsSync } from "node:fs";
import { PassThrough, type Readable, type Writable } from "node:stream";
import {
  addressOf,
  childEnvironment,
  contains,
  type Ip,
  parseCidr,
  parseIp,
  shellWords,
  YardError,
} from "@switchyard/base";
import {
  collectText,
  type ExecOptions,
  type ExecStreams,
  type GuestShell,
  spawnInteractive,
} from "@switchyard/runtime";
import type { YardPaths } from "../agent/paths.ts";
import { findRunningNode } from "../view/find.ts";
import { withLeased } from "../view/leased.ts";
import type { NodeView, YardView } from "../view/types.ts";

/** As whom, with which private key (ssh looks for one itself without it), and where the guest's server listens. */
export interface SshWay {
  readonly user: string;
  readonly key?: string | undefined;
  readonly port?: number | undefined;
}

/** Seconds that a server has to answer, which may still be booting. */
const PATIENCE = 10;

/**
 * The address by which the host reaches a node: on a network that has the host on it, by a node of kind nat or tap on
 * one of its networks.
 *
 * @throws YardError `node.unknown`, `node.not-running`, `ssh.no-way`
 */
export async function hostsWay(view: YardView, name: string, paths: Pick<YardPaths, "run">): Promise<Ip> {
  const node = findRunningNode(view, name);
  const shared = new Set(view.networks.filter(({ gateway }) => gateway.length > 0).map((it) => it.name));
  const [first] = node.nics.flatMap(({ network, addresses }) =>
    network !== null && shared.has(network) ? addresses : [],
  );
  if (first !== undefined) return addressOf(parseCidr(first));
  const beside = view.nodes.filter((it) => meets(it, node));
  for (const { kind, subnets, leased, nics } of await withLeased(paths, view, beside)) {
    const own = node.nics.flatMap(({ addresses }) => addresses.map((it) => addressOf(parseCidr(it))));
    const lent = kind === "nat" ? subnets : kind === "tap" ? nics.flatMap(({ addresses }) => addresses) : [];
    const there = own.find((ip) => lent.some((subnet) => contains(parseCidr(subnet), ip)));
    if (there !== undefined) return there;
    const lease = leased?.find((it) => it.node === name);
    if (lease !== undefined) return parseIp(lease.address);
  }
  throw new YardError("ssh.no-way", `the host reaches ${name} by no network`, {
    hint: `attach it to one that has the host on it: yard attach ${name} default`,
  });
}

function meets(a: NodeView, b: NodeView): boolean {
  const networks = new Set(a.nics.flatMap(({ network }) => network ?? []));
  return a.name !== b.name && b.nics.some(({ network }) => network !== null && networks.has(network));
}

/**
 * The command line of ssh. Keys of hosts are neither asked for nor kept: machines of a lab come and go, and others have
 * their addresses after them. Nor is a password where nobody could type it.
 */
export function sshCommand(
  { user, key, port }: SshWay,
  address: Ip,
  command: readonly string[],
  tty: boolean,
): readonly [string, ...string[]] {
  const options = {
    StrictHostKeyChecking: "no",
    UserKnownHostsFile: "/dev/null",
    LogLevel: "ERROR",
    ConnectTimeout: String(PATIENCE),
    ...(tty ? {} : { BatchMode: "yes" }),
    ...(key === undefined ? {} : { IdentitiesOnly: "yes" }),
  };
  return [
    "ssh",
    ...Object.entries(options).flatMap(([name, value]) => ["-o", `${name}=${value}`]),
    ...(key === undefined ? [] : ["-i", key]),
    ...(port === undefined ? [] : ["-p", String(port)]),
    tty ? "-t" : "-T",
    ...["-l", user, "--", address],
    // The other end has a shell put the words together again.
    ...(command.length === 0 ? [] : [shellWords(command)]),
  ];
}

/**
 * Runs a command by ssh; without one, the user's shell.
 *
 * @returns the exit code of the command; 255 where ssh itself failed, which has said why
 * @throws YardError `ssh.missing`, `ssh.key-absent`, `runtime.exec-failed`
 */
export async function execBySsh(way: SshWay, address: Ip, options: ExecOptions, streams: ExecStreams): Promise<number> {
  const { tty, signal } = options;
  if (way.key !== undefined && !existsSync(way.key))
    throw new YardError("ssh.key-absent", `the private key ${way.key} is not there`);
  if (Bun.which("ssh") === null)
    throw new YardError("ssh.missing", "the program ssh is not installed", { hint: "apt-get install openssh-client" });
  if (options.user !== undefined)
    throw new YardError("vm.exec-unsupported", `by ssh a command is run as ${way.user}`, { hint: "leave --user out" });
  const argv = sshCommand(way, address, wordsOf(options), tty);
  const env = { ...childEnvironment(), ...(options.env?.TERM === undefined ? {} : { TERM: options.env.TERM }) };
  return await spawnInteractive({ argv, env, ...(signal === undefined ? {} : { signal }) }, tty, streams);
}

/** The environment that a server takes is its own matter, so it is set by the command. */
function wordsOf({ command, env = {}, workdir, tty }: ExecOptions): readonly string[] {
  if (command.length === 0) return [];
  const own = Object.entries(env).filter(([name]) => !(tty && name === "TERM"));
  const words = own.length === 0 ? command : ["env", ...own.map(([name, value]) => `${name}=${value}`), ...command];
  return workdir === undefined ? words : ["sh", "-c", 'cd "$0" && exec "$@"', workdir, ...words];
}

/** A guest by ssh, for copying. */
export function sshShell(way: SshWay, address: Ip): GuestShell {
  const run = async (command: readonly string[], signal?: AbortSignal, stdin?: Readable, stdout?: Writable) => {
    const told = collectText();
    const options = { command, tty: false, ...(signal === undefined ? {} : { signal }) };
    const code = await execBySsh(way, address, options, { stdin, stdout: stdout ?? told.stream, stderr: told.stream });
    const said = told.text();
    if (code === SSH_FAILED)
      throw new YardError("ssh.failed", `ssh to ${way.user}@${address} failed: ${said.trim() || "it said nothing"}`);
    return { code, said };
  };
  const tarFailed = ({ code, said }: { readonly code: number; readonly said: string }) =>
    new YardError("vm.copy-failed", `tar in the guest ended with exit code ${code}: ${said.trim()}`);
  return {
    run: (command, signal) => run(command, signal),
    async unpack(folder, archive, signal) {
      const ended = await run(["tar", "-x", "-f", "-", "-C", folder], signal, archive);
      if (ended.code !== 0) throw tarFailed(ended);
    },
    async pack(folder, name, take, signal) {
      const archive = new PassThrough();
      const packed = run(["tar", "-c", "-f", "-", "-C", folder, name], signal, undefined, archive).then((ended) => {
        if (ended.code !== 0) throw tarFailed(ended);
        archive.end();
      });
      packed.catch((error) => archive.destroy(error));
      await Promise.all([packed, take(archive)]);
    },
  };
}

/** ssh(1): the exit code of its own failures. */
export const SSH_FAILED = 255;
