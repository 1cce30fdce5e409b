/** The networks that nobody declares by itself: each is there for as long as a nic is on it. */
import type { Uuid } from "@switchyard/ovsdb";
import { impliedByName, isMeant } from "../model/implied.ts";
import { DEFAULT_NETWORK } from "../model/making.ts";
import type { NetworkMaking, NetworkSpec } from "../model/types.ts";
import { parseMaking } from "./making.ts";
import type { NetworkRow, NicRow } from "./switchyard.gen.ts";

/** The network that a name stands for though nobody has declared it; undefined for a declared one's. */
export function undeclared(name: string): NetworkSpec | undefined {
  return name === DEFAULT_NETWORK.name ? DEFAULT_NETWORK : impliedByName(name);
}

/** The entry of external_ids that a network has which was made because a nic was plugged into it by name. */
export const PLUGGED = "plugged";

/** Whether a network was made because a nic asked for it. */
export function isUndeclared({
  name,
  lab,
  type,
  external_ids,
}: Pick<NetworkRow, "name" | "lab" | "type" | "external_ids">): boolean {
  if (lab !== undefined) return false;
  if (external_ids.has(PLUGGED)) return true;
  return name.includes(":") || (name === DEFAULT_NETWORK.name && type === DEFAULT_NETWORK.type);
}

/** The row of the network that a type and an id stand for, under whatever name. */
export function meantRow(rows: Iterable<NetworkRow>, implied: NetworkMaking): NetworkRow | undefined {
  return [...rows].find((row) => row.type === implied.type && isMeant(parseMaking(row), implied));
}

/** Which nics leave their networks in the course of a change. */
export class Departures {
  readonly #deleted = new Set<Uuid>();
  /** The networks of the nics that are written. */
  readonly #written = new Map<Uuid, Uuid | undefined>();

  deleted(nic: Uuid): void {
    this.#deleted.add(nic);
  }

  written(nic: Uuid, network: Uuid | undefined): void {
    this.#written.set(nic, network);
  }

  /** Whether some have left a network, and none is on it any more. @param nics those that were on it */
  desert(network: Uuid, nics: readonly NicRow[]): boolean {
    const stays = ({ _uuid }: NicRow) => !this.#deleted.has(_uuid) && !this.#written.has(_uuid);
    return nics.length > 0 && !nics.some(stays) && ![...this.#written.values()].includes(network);
  }
}
