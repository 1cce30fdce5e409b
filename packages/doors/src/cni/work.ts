import type { Switch } from "@switchyard/vswitch";
import type { Call } from "./call.ts";
import type { NetworkConfig } from "./config.ts";
import type { SwitchPlace } from "./place.ts";
import type { Request } from "./request.ts";
import type { Result } from "./result.ts";

/** What the ways of attaching work with. */
export interface Work {
  readonly call: Call;
  readonly request: Request;
  readonly config: NetworkConfig;
  readonly place: SwitchPlace;
  readonly db: Switch;
  /** What IPAM gives; it may still be at it. */
  readonly given: Promise<Result | undefined>;
  /** What is to be done if anything later fails, in reverse order. */
  readonly undo: AsyncDisposableStack;
}

/** Notes what takes a step back. What fails in that hides neither the failure that it is for nor the steps before. */
export function later(undo: AsyncDisposableStack, call: Call, body: () => void | Promise<void>): void {
  undo.defer(async () => {
    try {
      await body();
    } catch (error) {
      call.warn(`could not be undone: ${error instanceof Error ? error.message : error}`);
    }
  });
}
