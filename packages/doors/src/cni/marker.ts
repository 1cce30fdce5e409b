/**
 * The bridges of a node's switch as extended resources of the node, so that pods which want a nic on one are placed
 * where it is.
 */
import { existsSync } from "node:fs";
import { asYardError, backoff, type Logger, YardError } from "@switchyard/base";
import { type Database, openDatabase } from "@switchyard/ovsdb";
import { type OpenVSwitchTables, schema } from "@switchyard/vswitch";
import type { Kubernetes, PatchOperation } from "./kubernetes.ts";

/** As ovs-cni's marker has it, which networks' `k8s.v1.cni.cncf.io/resourceName` name. */
export const RESOURCE_PREFIX = "ovs-cni.network.kubevirt.io";

/** Resources are counted; this many pods are more than a node has. */
const PODS = "1000";

/** A qualified name's second part (Kubernetes' rules for names of resources). */
const NAME = /^[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/;

/** Milliseconds until what failed is tried again: at first, and at most. */
const RETRY = [500, 30_000] as const;

/** A switch of which the names of bridges are followed, and no more. */
export type Bridges = Database<OpenVSwitchTables>;

/** @param remote of the switch's database. @throws YardError `cni.switch-away`, and those of ovsdb's openDatabase */
export async function openBridges(remote: string, signal: AbortSignal): Promise<Bridges> {
  const away = (cause?: unknown) =>
    new YardError("cni.switch-away", `the Open vSwitch at ${remote} does not run`, { cause, where: remote });
  const socket = /^unix:(.*)$/.exec(remote)?.[1];
  if (socket !== undefined && !existsSync(socket)) throw away();
  try {
    return await openDatabase({ remote, schema, signal, timeout: 10_000, monitor: { Bridge: ["name"] } });
  } catch (cause) {
    signal.throwIfAborted();
    throw away(cause);
  }
}

export interface MarkerOptions {
  readonly kubernetes: Kubernetes;
  readonly node: string;
  readonly db: Bridges;
  readonly prefix: string;
  /** Milliseconds between two looks at a node whose bridges stay as they are: its resources may be changed by others, as kubelet does when it registers anew. */
  readonly interval: number;
  readonly signal: AbortSignal;
  readonly log: Logger;
  /** Called each time that the node is as it shall be. */
  readonly onMarked?: (bridges: readonly string[]) => void;
}

/** Runs until `signal` aborts; the marks stay then. */
export async function runMarker(options: MarkerOptions): Promise<void> {
  const { db, signal, log, interval } = options;
  let wake = Promise.withResolvers<void>();
  const changed = () => wake.resolve();
  signal.addEventListener("abort", changed, { once: true });
  let names = "";
  using _changes = db.subscribe(() => {
    const now = bridges(db).join();
    // Most changes of a switch are of ports.
    if (now !== names) changed();
  });
  using _again = db.on("reconnected", changed);
  let retries = backoff(...RETRY);
  const refused = new Set<string>();
  while (!signal.aborted) {
    wake = Promise.withResolvers();
    if (signal.aborted) break;
    let pause = interval;
    names = bridges(db).join();
    for (const name of bridges(db).filter((name) => !NAME.test(name) && !refused.has(name))) {
      refused.add(name);
      log.info({ bridge: name }, "cannot be the name of a resource, and is left out");
    }
    try {
      const wanted = offeredBridges(db);
      await markNode(options, wanted);
      retries = backoff(...RETRY);
      options.onMarked?.(wanted);
    } catch (error) {
      if (signal.aborted) break;
      log.error({ error: asYardError(error).message }, "the node could not be marked");
      pause = Math.min(interval, retries.next().value ?? interval);
    }
    const next = setTimeout(changed, pause);
    await wake.promise;
    clearTimeout(next);
  }
}

/** Makes a node's resources of the prefix these bridges, and no others. @throws those of {@link Kubernetes} */
export async function markNode(
  { kubernetes, node, prefix }: Pick<MarkerOptions, "kubernetes" | "node" | "prefix">,
  wanted: readonly string[],
): Promise<void> {
  const { status } = await kubernetes.readNode(node);
  const operations = marks(status?.capacity, wanted, prefix);
  if (operations.length > 0) await kubernetes.patchNodeStatus(node, operations);
}

/** What makes the resources of a prefix these: nothing where they are so. */
export function marks(
  capacity: Readonly<Record<string, string>> | undefined,
  wanted: readonly string[],
  prefix: string,
): PatchOperation[] {
  // RFC 6901: a slash in a name is ~1.
  const at = (name: string) => `/status/capacity/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
  const names = wanted.map((bridge) => `${prefix}/${bridge}`);
  const held = Object.entries(capacity ?? {}).filter(([name]) => name.startsWith(`${prefix}/`));
  const missing = names.filter((name) => !held.some(([one, count]) => one === name && count !== "0"));
  return [
    ...(capacity === undefined && missing.length > 0
      ? [{ op: "add", path: "/status/capacity", value: {} } as const]
      : []),
    ...missing.map((name) => ({ op: "add", path: at(name), value: PODS }) as const),
    ...held.filter(([name]) => !names.includes(name)).map(([name]) => ({ op: "remove", path: at(name) }) as const),
  ];
}

/** Those whose names can be names of resources. A switch that is away has none to offer. */
export function offeredBridges(db: Bridges): string[] {
  return db.connected ? bridges(db).filter((name) => NAME.test(name)) : [];
}

function bridges(db: Bridges): string[] {
  return [...db.table("Bridge")].map(({ name }) => name).sort();
}
