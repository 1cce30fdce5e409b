/** What the engine has removed while it could not tell the driver: networks, and ends of containers in them. */
import type { Logger } from "@switchyard/base";
import type Docker from "dockerode";
import { deleteEndpoint } from "./endpoints.ts";
import { isAtIt } from "./journal.ts";
import type { LiveYard } from "./live.ts";
import { deleteNetwork, ENDPOINT_ID, NETWORK_ID } from "./networks.ts";

/**
 * Removes what of the yard's networks and ends the engine does not know any more. What it is just making it may not list
 * yet: that is known by the calls under way, of ours and of a predecessor that has died in one.
 */
export async function removeForgotten(live: LiveYard, docker: Docker, log: Logger): Promise<void> {
  const store = await live.store();
  // Before the engine is asked: what comes later it may well know.
  const networks = idsOf(store.db.table("Network"), NETWORK_ID);
  const ends = idsOf(store.db.table("Node"), ENDPOINT_ID);
  if (networks.length === 0) return;
  const known = new Set((await docker.listNetworks()).map(({ Id }) => Id));
  const kept = networks.filter((id) => known.has(id));
  const told = await Promise.all(kept.map((id) => endsIn(docker, id)));
  // One that has gone meanwhile tells nothing; its ends are looked at the next time.
  if (told.some((ids) => ids === undefined)) return;
  const joined = new Set(told.flatMap((ids) => ids ?? []));
  const isForgotten = (id: string, ids: ReadonlySet<string>) =>
    !ids.has(id) && !live.made.has(id) && !isAtIt(store, id);
  for (const id of networks.filter((it) => isForgotten(it, known))) {
    log.info({ network: id }, "removed, as the engine has it no more");
    await deleteNetwork(live, id);
  }
  for (const id of ends.filter((it) => isForgotten(it, joined))) {
    log.info({ endpoint: id }, "removed, as the engine has it no more");
    await deleteEndpoint(live, { NetworkID: "", EndpointID: id });
  }
}

function idsOf(rows: Iterable<{ readonly external_ids: ReadonlyMap<string, string> }>, key: string): string[] {
  return [...rows].flatMap(({ external_ids }) => external_ids.get(key) ?? []);
}

/** The ends in a network, those too whose container does not run; undefined: it has gone. */
async function endsIn(docker: Docker, network: string): Promise<string[] | undefined> {
  try {
    const { Containers = {} } = await docker.getNetwork(network).inspect();
    return Object.values<{ readonly EndpointID?: string }>(Containers).flatMap(({ EndpointID }) => EndpointID ?? []);
  } catch (error) {
    if (error instanceof Error && "statusCode" in error && error.statusCode === 404) return undefined;
    throw error;
  }
}
