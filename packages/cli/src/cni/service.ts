import { createLogger } from "@switchyard/base/log";
import type { CniServer } from "@switchyard/doors/cni";
import type { Method } from "@switchyard/yard/agent";
import { SYSTEM_YARD } from "@switchyard/yard/paths";

export interface CniService extends AsyncDisposable {
  readonly method: Method;
  /** To be called once the agent serves. */
  serving(): void;
}

/** The CNI plugin's calls, served by the agent of a yard. Most yards have none: it is loaded with the first. */
export function cniService(yard: string): CniService {
  let server: Promise<CniServer> | undefined;
  const load = () =>
    (server ??= import("@switchyard/doors/cni").then(({ serveCni }) => serveCni(yard, createLogger("cni"))));
  return {
    method: async (params, tell, gone) => (await load()).call(params, (warning) => tell({ warning }), gone),
    serving() {
      // The host's switch may have ports of an earlier boot.
      if (yard === SYSTEM_YARD) void load();
    },
    async [Symbol.asyncDispose]() {
      await (await server)?.[Symbol.asyncDispose]();
    },
  };
}
