import type { Logger } from "@switchyard/base";
import type { FdbEntry, Switch } from "@switchyard/vswitch";
import type { Inside, Runners } from "@switchyard/yard/inside";
import type { YardPaths } from "@switchyard/yard/paths";
import type { Store } from "@switchyard/yard/store";
import type { YardView } from "@switchyard/yard/view";
import type { z } from "zod";
import type { Feed } from "./feed.ts";
import type { History } from "./history.ts";

/** What the interface stands on. */
export interface Ground {
  readonly yard: string;
  readonly paths: YardPaths;
  readonly store: Store;
  /** The name of this host in the database. */
  readonly host: string;
  readonly runners: Runners;
  /** How to call ourselves, for the agent's start. */
  readonly executable: readonly string[];
  /** What says which engines are meant. */
  readonly environment: NodeJS.ProcessEnv;
  readonly version: string;
  readonly log: Logger;
  /** Aborts when the server is to end. */
  readonly signal: AbortSignal;
  /** The page, where there is one. */
  readonly page?: Page;
  /** What other doors can do, that it can be asked for here too. */
  readonly lent?: readonly LentCommand[];
}

/** A command of another door, with that door's own arguments. */
export interface LentCommand {
  /** `ovs`, `cni`, `ec`: also how its path begins. */
  readonly door: string;
  /** `bridge-add`; empty: the door has one command only. */
  readonly name: string;
  readonly summary: string;
  /** GET: it only looks, and takes nothing. */
  readonly method: "GET" | "POST";
  /** Its arguments, where it takes any. */
  readonly schema?: z.ZodType;
  /** @param warn takes a line for people */
  call(input: unknown, how: { readonly signal: AbortSignal; readonly warn: (line: string) => void }): Promise<unknown>;
}

/** Files of the page by path: `/index.html`. */
export type Page = ReadonlyMap<string, PageFile>;

export interface PageFile {
  readonly type: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** What the bytes are compressed by. */
  readonly encoding: "gzip";
  readonly etag: string;
  /** Whether its name changes with what is in it: a browser may keep it for ever. */
  readonly immutable: boolean;
}

/** What an operation works with, beside what it is asked. */
export interface Site extends Ground {
  /** The yard as it is now. */
  view(): YardView;
  /** A way into the nodes as they are now. */
  inside(): Inside;
  readonly feed: Feed;
  /** What was changed, to be undone. */
  readonly history: History;
  /** What captures have in common. */
  readonly captureDefaults: { readonly application: string; readonly buffer: number };
  /** The switch's database. */
  vswitch(): Promise<Switch>;
  /** A command to ovs-vswitchd. */
  appctl(command: string, args: readonly string[], signal: AbortSignal): Promise<string>;
  fdb(bridge: string, signal: AbortSignal): Promise<FdbEntry[]>;
}
