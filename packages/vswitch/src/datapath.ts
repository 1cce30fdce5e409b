import { applySwitch } from "./apply.ts";
import type { ApplyOptions, Switch } from "./types.ts";

/** Not a name that {@link bridgeName} makes. */
const PROBE = "_probe";

/**
 * The best datapath that this host really has, found by making a bridge of it for a moment: a switch without the
 * kernel module still lists `system` among its datapath types.
 *
 * @throws as {@link applySwitch}
 */
export async function probeDatapath(
  options: { readonly db: Switch } & Partial<Pick<ApplyOptions, "owner" | "signal" | "timeout">>,
): Promise<"system" | "netdev"> {
  const { db, ...given } = options;
  const common = { owner: "probe", ...given };
  const state = { datapath: "system", otherConfig: {}, hub: false, purpose: "probe" };
  let taken = false;
  try {
    const made = await applySwitch(db, { setBridges: new Map([[PROBE, state]]) }, common);
    taken = true;
    return made.failures.length === 0 ? "system" : "netdev";
  } finally {
    // Whoever tries next would find the kernel's device of that name still there, and take that for a datapath that fails.
    await applySwitch(db, { deleteBridges: [PROBE] }, { ...common, wait: taken });
  }
}
