/** Whether a userspace datapath takes packets whose checksums and segments are still to be made. */
import { readFileSync } from "node:fs";
import { YardError } from "@switchyard/base";
import { applySwitch } from "./apply.ts";
import type { ApplyOptions, Switch } from "./types.ts";

/** <linux/if_tun.h> */
const IFF_VNET_HDR = 0x4000;
/** The device that every userspace datapath has for itself, and the bridge that {@link probeUserspaceTso} makes. */
const DATAPATH = "ovs-netdev";
const PROBE = "_probe";

/**
 * Whether the switch in the caller's own network namespace was started with `userspace-tso-enable`. Its database
 * cannot tell: the option counts at a start only (ovs-vswitchd.conf.db(5)). But its devices can: with it they carry
 * the header that says what is unfinished in a packet.
 *
 * @returns undefined while it has no bridge in userspace
 */
export function userspaceTso(): boolean | undefined {
  return carriesHeader(DATAPATH);
}

/**
 * As {@link userspaceTso}, by making a bridge for a moment.
 *
 * @throws YardError `switch.bridge-failed` where it makes none, and as `applySwitch`
 */
export async function probeUserspaceTso(
  options: { readonly db: Switch } & Pick<ApplyOptions, "owner" | "signal" | "timeout">,
): Promise<boolean> {
  const { db, ...common } = options;
  const state = { datapath: "netdev", otherConfig: {}, hub: false, purpose: "probe" };
  try {
    const [failure] = (await applySwitch(db, { setBridges: new Map([[PROBE, state]]) }, common)).failures;
    if (failure)
      throw new YardError("switch.bridge-failed", `the switch makes no userspace bridge: ${failure.message}`);
    return carriesHeader(PROBE) ?? false;
  } finally {
    await applySwitch(db, { deleteBridges: [PROBE] }, { ...common, wait: false });
  }
}

function carriesHeader(device: string): boolean | undefined {
  try {
    return (Number(readFileSync(`/sys/class/net/${device}/tun_flags`, "utf8")) & IFF_VNET_HDR) !== 0;
  } catch {
    return undefined;
  }
}
