/** Into a virtual machine by ssh(1), over a network that the host is on. */
import { addressOf, childEnvironment, type Ip, parseCidr, YardError } from "@switchyard/base";
import type { YardView } from "@switchyard/yard/view";
import { findRunningNode } from "@switchyard/yard/view";
import { type Session, shellWords } from "./session.ts";

/** As whom, and with which private key; without one ssh looks for it itself. */
export interface SshWay {
  readonly user: string;
  readonly key?: string;
}

/**
 * The address by which the host reaches a node.
 *
 * @throws YardError `node.unknown`, `node.not-running`, `ssh.no-way`
 */
export function hostsWay(view: YardView, node: string): Ip {
  const shared = new Set(view.networks.filter(({ gateway }) => gateway.length > 0).map(({ name }) => name));
  const { nics } = findRunningNode(view, node);
  const [first] = nics.flatMap(({ network, addresses }) => (network !== null && shared.has(network) ? addresses : []));
  if (first !== undefined) return addressOf(parseCidr(first));
  throw new YardError("ssh.no-way", `the host is on no network of ${node}`, {
    hint: `attach it to one that has the host on it: yard attach ${node} default`,
  });
}

/**
 * The command line of ssh. Keys of hosts are neither asked for nor kept: machines of a lab come and go, and others have
 * their addresses after them.
 */
export function sshCommand(
  { user, key }: SshWay,
  address: Ip,
  command: readonly string[],
  tty: boolean,
): readonly [string, ...string[]] {
  return [
    "ssh",
    ...["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"],
    ...(key === undefined ? [] : ["-i", key, "-o", "IdentitiesOnly=yes"]),
    tty ? "-t" : "-T",
    ...["-l", user, "--", address],
    // The other end has a shell put the words together again.
    ...(command.length === 0 ? [] : [shellWords(command)]),
  ];
}

/** @returns the exit code of the command, or of the shell where there is none @throws YardError `ssh.missing`, `ssh.no-way` */
export async function ssh(
  session: Session,
  view: YardView,
  node: string,
  way: SshWay,
  command: readonly string[],
  { tty, input }: { readonly tty: boolean; readonly input: boolean },
): Promise<number> {
  const argv = sshCommand(way, hostsWay(view, node), command, tty);
  if (Bun.which("ssh") === null)
    throw new YardError("ssh.missing", "the program ssh is not installed", { hint: "apt-get install openssh-client" });
  const child = Bun.spawn([...argv], {
    stdin: input ? "inherit" : "ignore",
    stdout: "inherit",
    stderr: "inherit",
    env: childEnvironment(),
    signal: session.signal,
  });
  return await child.exited;
}
