import type { Logger } from "@switchyard/base";
import type { NamespaceRef } from "@switchyard/linux";
import type { Database } from "@switchyard/ovsdb";
import type { OpenVSwitchTables } from "@switchyard/vswitch";
import type { Engines } from "./engines.ts";
import type { Hypervisor } from "./hypervisor.ts";
import type { YardPaths } from "./paths.ts";
import type { Service, Services } from "./services.ts";
import type { NamespaceViews } from "./views.ts";

/** What the observer looks at. */
export interface World {
  readonly paths: YardPaths;
  /** The boot id of the host. */
  readonly boot: string;
  /** The namespace of the switch's ports; the caller's own for the host's switch. */
  readonly namespace: NamespaceRef;
  readonly vswitch: Database<OpenVSwitchTables>;
  readonly engines: Engines;
  readonly hypervisor: Pick<Hypervisor, "get" | "list">;
  /** Reads namespaces, the named ones maybe from memory that events keep true. */
  readonly views: Pick<NamespaceViews, "read">;
  readonly services: { running(): ReadonlyMap<string, Service> };
}

/** What the executor works on, beside what the observer looks at. */
export interface Site extends World {
  readonly services: Services;
  readonly views: Pick<NamespaceViews, "read" | "forget">;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /**
   * Ends the switch's daemon, lets `meanwhile` take away what it held, and starts it again. Undefined where the switch
   * is not ours to stop.
   */
  readonly bounce: ((meanwhile: () => Promise<void>) => Promise<void>) | undefined;
}
