import type { SwitchPlace } from "./place.ts";
import type { SwitchLimits } from "./rows.ts";

/** One run of the plugin: what it takes from the world. */
export interface Call {
  readonly env: NodeJS.ProcessEnv;
  /** A line for the runtime's log. */
  readonly warn: (line: string) => void;
  readonly signal: AbortSignal | undefined;
  readonly limits: SwitchLimits;
  /** The switch, whatever the configuration says. */
  readonly place: SwitchPlace | undefined;
  /** Called after each step that a failure later on has to undo. */
  readonly step: (name: string) => void;
}
