import type { EditOptions, Switch } from "@switchyard/vswitch";
import type { SwitchPlace } from "./place.ts";

/** The value of external_ids:switchyard-owner on what these commands make. */
export const OVS_OWNER = "ovs";

/** What a command works with. */
export interface OvsContext {
  readonly db: Switch;
  readonly place: SwitchPlace;
  /** A line for people: an argument that was ignored, what still has to be done. */
  readonly warn: (line: string) => void;
  /** Owners whose ports go with the bridge that they are on, when it is deleted. */
  readonly along?: readonly string[];
  readonly signal?: AbortSignal;
  /** Milliseconds that database and switch together may take; 20,000 by default. */
  readonly timeout?: number;
}

/** How an edit of ours is committed. */
export function editOptions({ signal, timeout }: OvsContext): EditOptions {
  return { owner: OVS_OWNER, timeout: timeout ?? 20_000, ...(signal === undefined ? {} : { signal }) };
}
