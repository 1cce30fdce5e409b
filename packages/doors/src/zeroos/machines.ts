/** Virtual machines, each a node of the yard; what the model has no word for is noted in its row. */
import { YardError } from "@switchyard/base";
import { containerName } from "@switchyard/yard/agent";
import type { NodeEntry } from "@switchyard/yard/store";
import { z } from "zod";
import type { Target } from "./commands/forwards.ts";
import { type Ground, note, notedNodes } from "./ground.ts";
import { type PlacedNic, placedNicSchema } from "./nics.ts";

const noteSchema = z.object({
  machine: z.string(),
  tags: z.array(z.string()),
  arguments: z.object({
    name: z.string(),
    media: z.array(z.object({ url: z.string(), type: z.string() })),
    flist: z.string(),
    cmdline: z.string(),
    cpu: z.number(),
    memory: z.number(),
    port: z.record(z.string(), z.number()),
  }),
  nics: z.array(placedNicSchema),
});

/** What is kept of a machine. */
export type MachineNote = Omit<z.output<typeof noteSchema>, "nics"> & { readonly nics: readonly PlacedNic[] };

export interface Machine {
  readonly uuid: string;
  readonly note: MachineNote;
  readonly node: NodeEntry;
}

export function machineNote(name: string, value: MachineNote) {
  return note("Node", name, value);
}

/** All machines, in the order in which they were made. */
export function machinesOf(ground: Ground): readonly Machine[] {
  return notedNodes(ground, "vm").map(({ node, noted }) => {
    const kept: MachineNote = noteSchema.parse(noted);
    return { uuid: kept.machine, note: kept, node };
  });
}

/** @throws YardError `zeroos.no-machine` */
export function machineOf(ground: Ground, uuid: string): Machine {
  const found = machinesOf(ground).find((machine) => machine.uuid === uuid);
  if (found !== undefined) return found;
  throw new YardError("zeroos.no-machine", `couldn't find domain with the uuid ${uuid}`);
}

/** As what ports of the host lead to. */
export function targetOf({ note: kept, node }: Machine): Target {
  const { port, ...given } = kept.arguments;
  return {
    node: node.name,
    nics: kept.nics,
    ports: port,
    noted: (ports) => machineNote(node.name, { ...kept, arguments: { ...given, port: ports } }),
  };
}

/** The engine's name for it. */
export function engineName({ yard }: Ground, { node }: Machine): string {
  return containerName(yard, node.name);
}

/** The nics that it has, each with its row. */
export function livingNics({ note: kept, node }: Machine) {
  return kept.nics.flatMap((nic, at) => {
    const row = node.nics.find(({ name }) => name === nic.interface);
    return nic.destroyed || row === undefined ? [] : [{ nic, row, at }];
  });
}

/** A machine as clients are told of it. */
export function machineJson(machine: Machine, state: string): object {
  const { uuid, note: kept, node } = machine;
  const living = livingNics(machine);
  const ofDefault = living.find(({ nic }) => nic.type === "default")?.row.addresses[0];
  return {
    id: node.objId,
    uuid,
    name: kept.arguments.name,
    state,
    vnc: -1,
    tags: kept.tags,
    ifctargets: living.map(({ nic, row }) => ({ type: nic.type, id: nic.id, mac: row.mac, name: row.name })),
    default_ip: ofDefault === undefined ? "" : ofDefault.replace(/\/.*/, ""),
    params: {
      ...kept.arguments,
      tags: kept.tags,
      nics: living.map(({ nic: { type, id, hwaddr } }) => ({ type, id, hwaddr })),
    },
  };
}
