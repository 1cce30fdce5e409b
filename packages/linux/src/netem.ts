/** The kernel's network emulator, tc-netem(8), as the qdisc of a device: what is sent by it is impaired. */
import { tryRun, YardError } from "@switchyard/base";
import { namespacePath } from "./excursion.ts";
import { checkLinkName } from "./names.ts";
import type { NamespaceRef } from "./types.ts";

/**
 * Whether the kernel has it, found out by trying in a namespace that is gone at once; a module is loaded for it if
 * there is one. Without tc(8) or unshare(1) it cannot be had either.
 */
export async function hasNetem(): Promise<boolean> {
  const tc = ["tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"];
  const { code } = await tryRun(["unshare", "--net", ...tc]).catch(() => ({ code: 1 }));
  return code === 0;
}

/**
 * Gives a device netem, or changes the one that it has; what waits there is kept.
 *
 * @param words as tc-netem(8) has them
 * @throws YardError `netem.refused`, `link.bad-name`
 */
export async function setNetem(namespace: NamespaceRef, device: string, words: readonly string[]): Promise<void> {
  checkLinkName(device);
  // `replace` would make it anew, and lose what waits.
  const change = await tryRun([...tc(namespace), "qdisc", "change", "dev", device, "root", "netem", ...words]);
  if (change.code === 0) return;
  const { code, stderr } = await tryRun([
    ...tc(namespace),
    ...["qdisc", "replace", "dev", device, "root", "netem"],
    ...words,
  ]);
  if (code !== 0)
    throw new YardError("netem.refused", `tc could not impair what ${device} sends: ${stderr.trim()}`, {
      where: words.join(" "),
    });
}

/** The devices of a namespace that have netem; none where that cannot be told. */
export async function netemDevices(namespace: NamespaceRef): Promise<Set<string>> {
  const { code, stdout } = await tryRun([...tc(namespace), "qdisc", "show"]);
  const lines = code === 0 ? stdout.matchAll(/^qdisc netem \S+ dev (\S+) root /gm) : [];
  return new Set(Array.from(lines, ([, device = ""]) => device));
}

function tc(namespace: NamespaceRef): [string, ...string[]] {
  if (namespace === "self") return ["tc"];
  if ("name" in namespace) return ["tc", "-n", namespace.name];
  return ["nsenter", `--net=${namespacePath(namespace)}`, "tc"];
}
