/** VLANs as network configurations write them. */
import type { Vlan, VlanMode } from "./attachment.ts";
import type { Fields } from "./fields.ts";

const MOST = 4095;
const modes: readonly VlanMode[] = ["access", "trunk", "native-tagged", "native-untagged", "dot1q-tunnel"];

/**
 * `vlan`, `trunk` and `vlan_mode`. A VLAN alone is an access port, a trunk alone a trunk; both together a trunk whose
 * untagged frames are in that VLAN. Neither: all VLANs.
 */
export function readVlan(config: Fields): Vlan {
  const tag = config.integer("vlan", 0, MOST);
  const trunks = readTrunk(config, "trunk");
  const cvlans = readTrunk(config, "cvlans");
  const mode = config.choice("vlan_mode", modes) ?? config.choice("vlanMode", modes);
  const wanted = mode ?? impliedMode(tag, trunks);
  if (tag === undefined && (wanted === "access" || wanted?.startsWith("native") || wanted === "dot1q-tunnel"))
    config.wrong("vlan_mode", `${wanted} needs a vlan`);
  if (tag !== undefined && wanted === "trunk")
    config.wrong("vlan_mode", "trunk has no vlan of its own: take native-untagged");
  if (trunks.length > 0 && (wanted === "access" || wanted === "dot1q-tunnel"))
    config.wrong("trunk", `does not go with vlan_mode ${wanted}`);
  if (cvlans.length > 0 && wanted !== "dot1q-tunnel") config.wrong("cvlans", "goes with vlan_mode dot1q-tunnel only");
  return { tag, trunks, cvlans, mode: wanted };
}

function impliedMode(tag: number | undefined, trunks: readonly number[]): VlanMode | undefined {
  if (tag === undefined) return trunks.length > 0 ? "trunk" : undefined;
  return trunks.length > 0 ? "native-untagged" : "access";
}

/** `[{"id": 10}, {"minID": 20, "maxID": 30}]`: in ascending order, each once. */
function readTrunk(config: Fields, name: string): number[] {
  const ids = new Set<number>();
  for (const item of config.objects(name)) {
    const id = item.integer("id", 0, MOST);
    const least = item.integer("minID", 0, MOST);
    const most = item.integer("maxID", 0, MOST);
    if (item.has("minID") !== item.has("maxID")) item.wrong("minID", "and maxID go together");
    if (!item.has("id") && !item.has("minID") && !item.has("maxID")) item.wrong("id", "is missing");
    if (id !== undefined) ids.add(id);
    if (least === undefined || most === undefined) continue;
    if (least > most) item.wrong("minID", `${least} is above maxID ${most}`);
    for (let vlan = least; vlan <= most; vlan++) ids.add(vlan);
  }
  return [...ids].sort((a, b) => a - b);
}
