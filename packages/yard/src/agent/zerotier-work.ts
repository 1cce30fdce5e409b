/** What zerotier-one is asked and told, by its own zerotier-cli(1), which reads port and password in the home. */
import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { deadline, run } from "@switchyard/base";
import { watchFolder } from "@switchyard/linux";
import { z } from "zod";
import type { ActionOf } from "./action.ts";
import type { Membership } from "./desire-zerotier.ts";
import { zerotierHome } from "./names.ts";
import type { MembershipState, ServiceState, State } from "./state.ts";

/** Milliseconds that a process may take to start serving, and to answer. */
const PATIENCE = 10_000;

/** What a process that serves has in its home. */
const SERVED = ["zerotier-one.port", "authtoken.secret"] as const;

const networksSchema = z.array(
  z.looseObject({
    nwid: z.string(),
    status: z.string().default(""),
    assignedAddresses: z.array(z.string()).default([]),
  }),
);

/** Makes the home of a process, with the identity that it shall have; another one that was there is replaced. */
export function prepareHome({ folder, identity }: NonNullable<ServiceState["home"]>): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  chmodSync(folder, 0o700);
  // What the process before it left would be taken for the new one's.
  for (const name of SERVED) rmSync(join(folder, name), { force: true });
  if (identity === undefined) return;
  const secret = join(folder, "identity.secret");
  if (existsSync(secret) && readFileSync(secret).equals(readFileSync(identity))) return;
  rmSync(join(folder, "identity.public"), { force: true });
  copyFileSync(identity, secret);
  chmodSync(secret, 0o600);
}

/**
 * Removes the homes of nodes that have no nics on ZeroTier's networks any more.
 *
 * @param away nodes that are stopped: they keep theirs
 */
export function forgetHomes(state: string, desired: State, away: readonly string[]): void {
  const members = [...desired.memberships.values()].map(({ home }) => home);
  const wanted = new Set([...members, ...away.map((node) => zerotierHome(state, node))]);
  const folder = zerotierHome(state, "");
  for (const name of existsSync(folder) ? readdirSync(folder) : [])
    if (!wanted.has(join(folder, name))) rmSync(join(folder, name), { recursive: true, force: true });
}

export async function joinNetwork(action: ActionOf<"zerotier-join">, signal: AbortSignal): Promise<void> {
  const { home, nwid } = action.state;
  await served(home, signal);
  await cli(action.state, ["join", nwid], signal);
}

export async function leaveNetwork(action: ActionOf<"zerotier-leave">, signal: AbortSignal): Promise<void> {
  await cli(action.state, ["leave", action.state.nwid], signal);
}

/** What the processes tell of their memberships, by home and network; of one that does not serve nothing. */
export async function listMemberships(
  homes: Iterable<Pick<MembershipState, "home" | "namespace">>,
  signal?: AbortSignal,
): Promise<Map<string, ReadonlyMap<string, Membership>>> {
  const told = new Map<string, ReadonlyMap<string, Membership>>();
  await Promise.all(
    [...homes].map(async (place) => {
      if (!SERVED.every((name) => existsSync(join(place.home, name)))) return;
      const text = await cli(place, ["-j", "listnetworks"], signal).catch(() => "");
      const list = networksSchema.safeParse(text === "" ? undefined : JSON.parse(text));
      if (list.success)
        told.set(
          place.home,
          new Map(
            list.data.map(({ nwid, status, assignedAddresses }) => [nwid, { status, addresses: assignedAddresses }]),
          ),
        );
    }),
  );
  return told;
}

async function cli(
  { home, namespace }: Pick<MembershipState, "home" | "namespace">,
  words: readonly string[],
  signal: AbortSignal | undefined,
): Promise<string> {
  const argv = ["nsenter", `--net=/run/netns/${namespace}`, "zerotier-cli", `-D${home}`, ...words] as const;
  return await run(argv, { timeout: PATIENCE, ...(signal === undefined ? {} : { signal }) });
}

/** Waits until a process has written down where it listens. */
async function served(home: string, parent: AbortSignal): Promise<void> {
  const there = () => SERVED.every((name) => existsSync(join(home, name)));
  using limit = deadline(PATIENCE, "service.not-reporting", `zerotier-one of ${home} did not come to serve`, parent);
  while (!there()) {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    using _watch = watchFolder(home, () => resolve());
    const aborted = () => reject(limit.reason);
    limit.addEventListener("abort", aborted, { once: true });
    if (there()) resolve();
    limit.throwIfAborted();
    await promise.finally(() => limit.removeEventListener("abort", aborted));
  }
}
