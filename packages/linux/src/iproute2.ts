/**
 * The same work by iproute2's `ip -batch`, one process a namespace: for hosts where libc cannot be called, and to
 * compare. It tells errors as far as `ip` does, marks no addresses (ip of Debian 12 cannot), and knows our addresses
 * as those that are permanent and global.
 */
import { spawnSync } from "node:child_process";
import { existsSync, statfsSync, unlinkSync } from "node:fs";
import { childEnvironment, YardError } from "@switchyard/base";
import type { LinkWork, NetworkBackend } from "./backend.ts";
import { NETNS_DIR, namespaceKey, namespacePath } from "./excursion.ts";
import { viewFromJson } from "./iproute2-json.ts";
import { linesOf, type OffloadSetting, type OpLine, offloadOf } from "./iproute2-lines.ts";
import { checkNamespaceRef } from "./link-op.ts";
import { checkNamespaceName } from "./names.ts";
import { listNamespaces, NSFS_MAGIC } from "./namespaces.ts";
import { ROUTE_PROTOCOL } from "./netlink/address.ts";
import type { LinkFailure, LinkOp, NamespaceFailure, NamespaceRef, NamespaceView } from "./types.ts";

/** {@link NetworkBackend} by running `ip`. */
export const iproute2: NetworkBackend = {
  createNamespaces,
  deleteNamespaces,
  linkWork: () => new IpLinkWork(),
  viewNamespaces,
};

interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** @throws YardError `linux.no-iproute2` */
function ip(argv: readonly [string, ...string[]], input = ""): Finished {
  const [program, ...args] = argv;
  const result = spawnSync(program, args, {
    input,
    encoding: "utf8",
    env: { ...childEnvironment(), LC_ALL: "C" },
    maxBuffer: 1 << 28,
  });
  if (result.error !== undefined)
    throw new YardError("linux.no-iproute2", `${program} cannot be run`, {
      cause: result.error,
      hint: "install iproute2, util-linux and ethtool",
    });
  return { code: result.status ?? 1, stdout: result.stdout, stderr: result.stderr };
}

/** `ip` acting in a namespace. */
function within(ref: NamespaceRef, args: readonly string[]): [string, ...string[]] {
  if (ref === "self") return ["ip", ...args];
  if ("name" in ref) return ["ip", "-n", ref.name, ...args];
  return ["nsenter", `--net=${namespacePath(ref)}`, "ip", ...args];
}

/** A process for each: `ethtool` has no batch. @throws YardError `linux.no-iproute2` */
function ethtool(ref: NamespaceRef, { name, on }: OffloadSetting): Finished {
  const args = ["ethtool", "-K", name, "tx", on ? "on" : "off"] as const;
  if (ref === "self") return ip(args);
  return ip(["nsenter", `--net=${namespacePath(ref)}`, ...args]);
}

function createNamespaces(names: readonly string[]): NamespaceFailure[] {
  for (const name of names) checkNamespaceName(name);
  const present = new Set(listNamespaces());
  const missing = [...new Set(names)].filter((name) => {
    if (!present.has(name)) return true;
    if (isNamespace(name)) return false;
    unlinkSync(`${NETNS_DIR}/${name}`);
    return true;
  });
  const failures = batch(
    "self",
    missing.map((name) => ({ about: name, line: `netns add ${name}` })),
  ).map((failure) => ({
    name: failure.about,
    errno: failure.errno,
    message: failure.message,
  }));
  const failed = new Set(failures.map(({ name }) => name));
  for (const name of names) {
    if (failed.has(name)) continue;
    const { code, stderr } = ip(within({ name }, ["link", "set", "dev", "lo", "up"]));
    if (code !== 0) failures.push({ name, ...explain(stderr) });
  }
  return failures;
}

function isNamespace(name: string): boolean {
  try {
    return statfsSync(`${NETNS_DIR}/${name}`).type === NSFS_MAGIC;
  } catch {
    return false;
  }
}

function deleteNamespaces(names: readonly string[]): NamespaceFailure[] {
  for (const name of names) checkNamespaceName(name);
  const present = new Set(listNamespaces());
  // One that is not mounted is only a file, which `ip netns del` takes for a failure after removing it.
  const there = names.filter((name) => present.has(name));
  const mounted: string[] = [];
  for (const name of there) {
    if (isNamespace(name)) mounted.push(name);
    else unlinkSync(`${NETNS_DIR}/${name}`);
  }
  return batch(
    "self",
    mounted.map((name) => ({ about: name, line: `netns delete ${name}` })),
  ).map(({ about, errno, message }) => ({ name: about, errno, message }));
}

/** A far end's settings, applied in its own namespace. */
interface Due {
  readonly namespace: NamespaceRef;
  readonly lines: { about: Owned; line: string }[];
  readonly offloads: { about: Owned; setting: OffloadSetting }[];
}

interface Owned {
  readonly near: NamespaceRef;
  readonly op: LinkOp;
}

class IpLinkWork implements LinkWork {
  readonly failures: LinkFailure[] = [];
  readonly #failed = new Set<LinkOp>();
  readonly #dues = new Map<string, Due>();

  visit(namespace: NamespaceRef, ops: readonly LinkOp[]): void {
    const key = namespaceKey(namespace);
    const due = this.#dues.get(key);
    const lines = (due?.lines ?? []).filter(({ about }) => !this.#failed.has(about.op));
    const offloads = due?.offloads ?? [];
    this.#dues.delete(key);
    for (const op of ops) {
      const about = { near: namespace, op };
      const absent = farNamespaces(op).find((ref) => !exists(ref));
      if (absent !== undefined) {
        // To `ip` that is a wrong argument, at which it gives the whole batch up.
        this.#fail(about, "ENOENT", `there is no network namespace ${namespaceKey(absent)}`);
        continue;
      }
      let told: OpLine[];
      try {
        told = linesOf(op);
      } catch (error) {
        if (!(error instanceof YardError)) throw error;
        this.#fail(about, "EINVAL", error.message);
        continue;
      }
      for (const { far, line } of told) {
        if (far === undefined) lines.push({ about, line });
        else this.#due(far).lines.push({ about, line });
      }
      const setting = offloadOf(op);
      if (setting === undefined) continue;
      if (setting.far === undefined) offloads.push({ about, setting });
      else this.#due(setting.far).offloads.push({ about, setting });
    }
    for (const { about, errno, message } of batch(namespace, lines)) this.#fail(about, errno, message);
    for (const { about, setting } of offloads) {
      if (this.#failed.has(about.op)) continue;
      const { code, stderr } = ethtool(namespace, setting);
      if (code !== 0) this.#fail(about, explain(stderr).errno, `offloads: ${stderr.trim()}`);
    }
  }

  #due(namespace: NamespaceRef): Due {
    const due = this.#dues.get(namespaceKey(namespace)) ?? { namespace, lines: [], offloads: [] };
    this.#dues.set(namespaceKey(namespace), due);
    return due;
  }

  owed(): NamespaceRef[] {
    return Array.from(this.#dues.values(), ({ namespace }) => namespace);
  }

  #fail({ near, op }: Owned, errno: string, message: string): void {
    if (this.#failed.has(op)) return;
    this.#failed.add(op);
    this.failures.push({ namespace: near, op, errno, message });
  }

  [Symbol.dispose](): void {}
}

function farNamespaces(op: LinkOp): NamespaceRef[] {
  if (op.op === "veth") return [op.peer.namespace];
  return (op.op === "set" || op.op === "macvlan") && op.namespace !== undefined ? [op.namespace] : [];
}

function exists(ref: NamespaceRef): boolean {
  return ref === "self" || ("name" in ref ? isNamespace(ref.name) : existsSync(namespacePath(ref)));
}

/** Runs lines in a namespace, each whatever became of those before it, and tells which failed. */
function batch<T>(
  namespace: NamespaceRef,
  lines: readonly { about: T; line: string }[],
): { about: T; errno: string; message: string }[] {
  if (lines.length === 0) return [];
  const input = `${lines.map(({ line }) => line).join("\n")}\n`;
  const { code, stderr } = ip(within(namespace, ["-force", "-batch", "-"]), input);
  if (code === 0) return [];
  const failures: { about: T; errno: string; message: string }[] = [];
  let said: string[] = [];
  let last = 0;
  for (const text of stderr.split("\n")) {
    const number = /^Command failed -:(\d+)$/.exec(text)?.[1];
    if (number === undefined) {
      if (text !== "") said.push(text);
      continue;
    }
    const line = lines[Number(number) - 1];
    if (line !== undefined) failures.push({ about: line.about, ...explain(said.join("; ")) });
    said = [];
    last = Number(number);
  }
  // It gave up, at the first line when the namespace could not be entered: what follows may not have been done.
  if (said.length > 0) for (const { about } of lines.slice(last)) failures.push({ about, ...explain(said.join("; ")) });
  return failures;
}

/** The errno behind what `ip` says; it hides the number behind the kernel's sentence. */
function explain(said: string): { errno: string; message: string } {
  const message = said.replace(/^(Error: |RTNETLINK answers: )/, "").trim();
  return { errno: reasons.find(([pattern]) => pattern.test(said))?.[1] ?? "EINVAL", message };
}

const reasons: readonly (readonly [RegExp, string])[] = [
  // A tap device of that name; others say it with the first words.
  [/ioctl\(TUNSETIFF\): Device or resource busy/, "EEXIST"],
  [/File exists|already assigned|already exists/i, "EEXIST"],
  [/Cannot find device|No such device|Device does not exist/i, "ENODEV"],
  [/Cannot open network namespace|No such file|Invalid "netns"/i, "ENOENT"],
  [/not permitted|Permission denied/i, "EPERM"],
  [/No such process/i, "ESRCH"],
  [/invalid gateway|unreachable/i, "ENETUNREACH"],
  [/Cannot assign requested|Address not found/i, "EADDRNOTAVAIL"],
  [/resource busy/i, "EBUSY"],
  [/out of range/i, "ERANGE"],
  [/not supported/i, "EOPNOTSUPP"],
];

function viewNamespaces(refs: readonly NamespaceRef[]): Map<string, NamespaceView> {
  const views = new Map<string, NamespaceView>();
  for (const ref of refs) {
    checkNamespaceRef(ref);
    const links = ip(within(ref, ["-json", "-details", "address", "show"]));
    if (links.code !== 0) {
      if (explain(links.stderr).errno === "ENOENT") continue;
      throw new YardError("netlink.request-failed", `ip address show failed: ${links.stderr.trim()}`);
    }
    const routes = (["-4", "-6"] as const).map((version) => {
      const args = ["-json", version, "route", "show", "table", "main", "proto", String(ROUTE_PROTOCOL)];
      return { version, text: ip(within(ref, args)).stdout };
    });
    views.set(namespaceKey(ref), viewFromJson(links.stdout, routes));
  }
  return views;
}
