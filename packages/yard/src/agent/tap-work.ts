/** Makes, changes and removes the devices of virtual machines' nics. */
import { parseMac, type YardError } from "@switchyard/base";
import { type LinkOp, viewNamespace } from "@switchyard/linux";
import { vmUser } from "@switchyard/runtime";
import type { ActionOf } from "./action.ts";
import type { Blame } from "./blame.ts";
import type { LinkWork } from "./link-work.ts";
import { formatAlias } from "./mark.ts";
import { parentObstacle } from "./nic-work.ts";
import { HOSTED } from "./observe-taps.ts";
import type { Site } from "./site.ts";
import type { TapState } from "./state.ts";

export function workOnTap(
  site: Site,
  action: ActionOf<"tap-delete" | "tap-create" | "tap-set">,
  batch: LinkWork,
  blame: Blame,
): void {
  const { tap, subject } = action;
  const { place } = action.do === "tap-delete" ? action : action.state;
  const where = place.kind === "port" ? site.namespace : "self";
  const { yard } = site.paths;
  switch (action.do) {
    case "tap-delete":
      batch.add(subject, where, { op: "delete", name: tap });
      return;
    case "tap-set":
      batch.add(subject, where, settings(yard, tap, action.state));
      return;
    case "tap-create": {
      const obstacle = place.kind === "macvtap" ? obstacleOn(place.parent) : undefined;
      if (obstacle) blame.add(subject, obstacle, obstacle.code);
      else batch.add(subject, where, creation(yard, tap, action.state));
      // A tap device is no member from its birth.
      if (place.kind === "bridged") batch.add(subject, where, settings(yard, tap, action.state));
    }
  }
}

function obstacleOn(parent: string): YardError | undefined {
  const host = viewNamespace("self");
  return parentObstacle("macvlan", parent, host.links.get(parent), host);
}

function creation(yard: string, name: string, state: TapState): LinkOp {
  const { place, mac, mtu, up } = state;
  const common = { name, alias: tapAlias(yard, state), up, ...(mtu === 0 ? {} : { mtu }) };
  if (place.kind === "macvtap")
    return { op: "macvlan", tap: true, parent: place.parent, ...common, ...(mac === "" ? {} : { mac: parseMac(mac) }) };
  return { op: "tap", owner: vmUser().uid, port: true, ...common };
}

function settings(yard: string, name: string, state: TapState): LinkOp {
  const { place, mac, mtu, up } = state;
  return {
    op: "set",
    name,
    up,
    alias: tapAlias(yard, state),
    ...(mtu === 0 ? {} : { mtu }),
    ...(mac === "" ? {} : { mac: parseMac(mac) }),
    ...(place.kind === "bridged" ? { master: place.bridge } : {}),
  };
}

function tapAlias(yard: string, { place, purpose }: TapState): string {
  return formatAlias(yard, place.kind === "port" ? purpose : `${HOSTED}${purpose}`);
}
