/**
 * What the protocol does not tell, asked of the engine itself: what networks and containers are called. And what an
 * engine that found no driver when it started has left undone.
 */
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { backoff, delay, type Logger } from "@switchyard/base";
import { changeForeignNode, foreignNetwork, foreignNode, renameForeignNetwork, rowsOf } from "@switchyard/yard/store";
import Docker from "dockerode";
import { z } from "zod";
import { removeForgotten } from "./forgotten.ts";
import type { LiveYard } from "./live.ts";
import { ENDPOINT_ID, NETWORK_ID } from "./networks.ts";

/** Milliseconds between attempts to reach an engine that is away: the first, and the most. */
const RETRY = [250, 5_000] as const;

export interface EngineFollowing {
  /** What `docker network create -d` calls the driver. */
  readonly name: string;
  /** In the form of DOCKER_HOST; undefined is the engine's default. */
  readonly engine: string | undefined;
  readonly signal: AbortSignal;
  readonly log: Logger;
}

const eventSchema = z.object({
  Type: z.string(),
  Action: z.string(),
  Actor: z.object({ ID: z.string(), Attributes: z.record(z.string(), z.string()).default({}) }),
});
type Event = z.infer<typeof eventSchema>;

interface Following {
  readonly live: LiveYard;
  readonly docker: Docker;
  /** Its address, as others find it by. */
  readonly engine: string | undefined;
}

/** What one names things: as a network and as a node. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/;

/** Follows the engine's events, over its restarts, until the signal aborts. */
export async function followEngine(live: LiveYard, options: EngineFollowing): Promise<void> {
  const { signal, log } = options;
  const docker = new Docker({
    socketPath: (options.engine ?? "unix:///var/run/docker.sock").replace(/^unix:\/\//, ""),
  });
  const at = { live, docker, engine: options.engine };
  let waits = backoff(...RETRY);
  while (!signal.aborted) {
    try {
      // The events come first, so that nothing is missed between them and the look at what is there.
      const stream = await docker.getEvents({
        filters: { type: ["network"], event: ["create", "connect"] },
        abortSignal: signal,
      });
      waits = backoff(...RETRY);
      await lookAtAll(at, options);
      for await (const line of createInterface({ input: Readable.from(stream) })) {
        const event = eventSchema.safeParse(JSON.parse(line));
        if (event.success) await take(at, event.data).catch((error) => log.warn({ err: error }, "not named"));
      }
    } catch (error) {
      if (!signal.aborted) log.debug({ err: error }, "the engine is away");
    }
    if (!signal.aborted) await delay(waits.next().value, signal).catch(() => undefined);
  }
}

async function take(at: Following, { Action, Actor }: Event): Promise<void> {
  if (Action === "create") await nameNetwork(at.live, Actor.ID, Actor.Attributes.name ?? "");
  else await nameContainer(at, Actor.Attributes.container ?? "");
}

/** What happened while nobody followed. */
async function lookAtAll(at: Following, { name, log }: EngineFollowing): Promise<void> {
  const { live, docker } = at;
  const networks = await docker.listNetworks({ filters: { driver: [name] } });
  if (networks.length > 0 || live.runs) await removeForgotten(live, docker, log);
  if (networks.length === 0) return;
  for (const { Id, Name } of networks) await nameNetwork(live, Id, Name);
  const ours = new Set(networks.map(({ Name }) => Name));
  for (const { Id, State, NetworkSettings } of await docker.listContainers({ all: true })) {
    if (!Object.keys(NetworkSettings.Networks).some((network) => ours.has(network))) continue;
    if (State === "running") await nameContainer(at, Id);
    else await revive(docker, Id, log);
  }
}

/** The store's name follows the engine's; where that is taken, or none of ours, the provisional one stays. */
async function nameNetwork(live: LiveYard, id: string, name: string): Promise<void> {
  const store = await live.store();
  const row = foreignNetwork(store, NETWORK_ID, id);
  if (row === undefined || row.name === name || !NAME.test(name)) return;
  if (store.db.table("Network").find({ name }) === undefined) await renameForeignNetwork(store, row, name);
}

async function nameContainer({ live, docker, engine }: Following, id: string): Promise<void> {
  const { Id, Name, NetworkSettings } = await docker.getContainer(id).inspect();
  const store = await live.store();
  const name = Name.replace(/^\//, "");
  for (const [network, { EndpointID }] of Object.entries(NetworkSettings.Networks)) {
    const row = EndpointID === "" ? undefined : foreignNode(store, ENDPOINT_ID, EndpointID);
    const spec = rowsOf(store.db).nodes.find(({ uuid }) => uuid === row?._uuid)?.spec;
    if (row === undefined || spec?.kind !== "guest" || spec.container === Id) continue;
    const free = [name, `${name}.${network}`].find(
      (one) => NAME.test(one) && store.db.table("Node").find({ name: one }) === undefined,
    );
    await changeForeignNode(store, row, { ...spec, name: free ?? row.name, container: Id, engine });
  }
}

/**
 * Starts a container that the engine was to start by itself when it came up, and could not for want of the driver: it has
 * a restart policy, was not stopped by anybody, and its start failed.
 */
async function revive(docker: Docker, id: string, log: Logger): Promise<void> {
  const container = docker.getContainer(id);
  const { Name, State, HostConfig } = await container.inspect();
  const policy = HostConfig.RestartPolicy?.Name ?? "";
  if (State.Running || State.Error === "" || (policy !== "always" && policy !== "unless-stopped")) return;
  log.info({ container: Name }, "started, as the engine could not");
  await container.start().catch((error) => log.warn({ err: error, container: Name }, "could not be started"));
}
