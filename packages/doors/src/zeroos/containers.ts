/** Containers, each a node of the yard; what the model has no word for is noted in its row. */
import { YardError } from "@switchyard/base";
import type { NamespaceRef } from "@switchyard/linux";
import type { NodeEntry } from "@switchyard/yard/store";
import { z } from "zod";
import type { Target } from "./commands/forwards.ts";
import { type Ground, hostNamespaces, note, notedNodes } from "./ground.ts";
import { type PlacedNic, placedNicSchema } from "./nics.ts";

/** The tag of the container that Open vSwitch is commanded through. */
export const OVS_TAG = "ovs";

/** How many containers there may be, as the original has it. */
export const MOST_CONTAINERS = 1_000;

const noteSchema = z.object({
  container: z.number().int(),
  tags: z.array(z.string()),
  arguments: z.object({
    root: z.string(),
    mount: z.record(z.string(), z.string()),
    host_network: z.boolean(),
    port: z.record(z.string(), z.number()),
    privileged: z.boolean(),
    hostname: z.string(),
    storage: z.string(),
    name: z.string(),
    env: z.record(z.string(), z.string()),
  }),
  nics: z.array(placedNicSchema),
});

/** What is kept of a container. */
export type ContainerNote = Omit<z.output<typeof noteSchema>, "nics"> & { readonly nics: readonly PlacedNic[] };

export interface Container {
  readonly id: number;
  readonly note: ContainerNote;
  readonly node: NodeEntry;
}

/** A container's node. */
export function nodeName(id: number): string {
  return `core-${id}`;
}

export function containerNote(name: string, value: ContainerNote) {
  return note("Node", name, value);
}

/** All containers, by id. */
export function containersOf(ground: Ground): readonly Container[] {
  return notedNodes(ground, "container")
    .map(({ node, noted }) => {
      const kept: ContainerNote = noteSchema.parse(noted);
      return { id: kept.container, note: kept, node };
    })
    .toSorted((a, b) => a.id - b.id);
}

/** @throws YardError `zeroos.no-container` */
export function containerOf(ground: Ground, id: number): Container {
  const found = containersOf(ground).find((container) => container.id === id);
  if (found !== undefined) return found;
  throw new YardError("zeroos.no-container", `there is no container ${id}`);
}

/** Those that have all of these tags. */
export function taggedContainers(ground: Ground, tags: readonly string[]): readonly Container[] {
  return containersOf(ground).filter(({ note: { tags: own } }) => tags.every((tag) => own.includes(tag)));
}

/** Where the links of a container are. @throws YardError `zeroos.no-container` */
export function namespacesOf(ground: Ground, { note: { arguments: given }, node }: Container): readonly NamespaceRef[] {
  if (given.host_network) return hostNamespaces(ground);
  const { namespace, state } = node.status;
  if (namespace === undefined)
    throw new YardError("zeroos.no-container", `the container ${node.name} does not run: it is ${state}`);
  return [{ name: namespace }];
}

/** As what ports of the host lead to. */
export function targetOf({ note: kept, node }: Container): Target {
  const { port, ...given } = kept.arguments;
  return {
    node: node.name,
    nics: kept.nics,
    ports: port,
    noted: (ports) => containerNote(node.name, { ...kept, arguments: { ...given, port: ports } }),
  };
}

/** A container as clients are told of it. */
export function containerJson({ id, note: { arguments: given, tags, nics }, node }: Container): object {
  return {
    cpu: 0,
    rss: 0,
    vms: 0,
    swap: 0,
    container: {
      id,
      root: node.spec.kind === "container" ? (node.spec.rootfs ?? node.spec.image ?? "") : "",
      pid: node.status.pid ?? 0,
      arguments: { ...given, tags, nics: nics.map((nic) => nicJson(nic, node)) },
    },
  };
}

/** The nic at one place, with what became of it. */
function nicJson({ interface: own, destroyed, ...nic }: PlacedNic, node: NodeEntry): object {
  const row = node.nics.find(({ name }) => name === own);
  const state = destroyed ? "destroyed" : stateOf(row?.status.state);
  const failure = row?.status.failure;
  return {
    ...nic,
    name: own,
    state,
    ...(failure === undefined ? {} : { error: `${failure.message} [${failure.code}]` }),
  };
}

function stateOf(state: NodeEntry["nics"][number]["status"]["state"] | undefined): string {
  switch (state) {
    case "up":
      return "configured";
    case "failed":
      return "error";
    case "pending":
    case "down":
    case undefined:
      return "unknown";
  }
}
