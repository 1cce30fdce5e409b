import type { LinkFailure, NamespaceRef } from "@switchyard/linux";
import type { SwitchChoice } from "./attachment.ts";
import type { OpenedSwitch, SwitchPlace } from "./place.ts";
import type { SwitchLimits } from "./rows.ts";

/** One run of the plugin: what it takes from the world. */
export interface Call {
  readonly env: NodeJS.ProcessEnv;
  /** A line for the runtime's log. */
  readonly warn: (line: string) => void;
  readonly signal: AbortSignal | undefined;
  readonly limits: SwitchLimits;
  /** Where the switch is that a configuration names. */
  readonly placeOf: (choice: SwitchChoice) => SwitchPlace;
  /** It need not have caught up. @throws YardError `cni.switch-away` */
  readonly openAsIs: (place: SwitchPlace) => Promise<OpenedSwitch>;
  /** The same, caught up. */
  readonly open: (place: SwitchPlace) => Promise<OpenedSwitch>;
  /** Deletes a link, as removeLink of the room linux does. */
  readonly removeLink: (namespace: NamespaceRef, name: string) => Promise<LinkFailure | undefined>;
  /** Where the kernel tells of devices. */
  readonly sysfs: string;
  /** Called after each step that a failure later on has to undo. */
  readonly step: (name: string) => void;
}
