/** Makes, changes and removes the nics that are no ports of the switch. */
import { parseMac, YardError } from "@switchyard/base";
import { type Link, type LinkOp, type NamespaceView, viewNamespace, viewNamespaces } from "@switchyard/linux";
import { type Action, type ActionOf, only } from "./action.ts";
import type { Blame } from "./blame.ts";
import { parentAbsent } from "./desire-phy.ts";
import { defaultRouteDevices } from "./host-network.ts";
import { useOf } from "./host-use.ts";
import { LinkWork } from "./link-work.ts";
import { formatAlias } from "./mark.ts";
import { namespaceRef, nicDevice } from "./names.ts";
import { BRIDGED, MACVLAN } from "./observe-links.ts";
import { FAR_END } from "./observe-veths.ts";
import { parsePassed, returnNic, takeNic } from "./passthrough.ts";
import type { Site } from "./site.ts";
import { HOST, type LinkState } from "./state.ts";

export async function applyNics(site: Site, actions: readonly Action[], blame: Blame): Promise<void> {
  for (const action of only(actions, "link-return")) attempt(action, blame, () => giveBack(site, action.state));
  const made = only(actions, "link-create");
  const host = made.length === 0 ? undefined : viewNamespace("self");
  const batch = new LinkWork(site);
  for (const action of only(actions, "link-delete")) {
    const { link, state, subject } = action;
    if (state.making.kind === "bridged")
      batch.add(subject, "self", { op: "delete", name: nicDevice(site.paths.yard, link) });
    else batch.add(subject, namespaceRef(state.namespace), { op: "delete", name: state.name });
  }
  for (const action of only(actions, "link-set")) {
    const { link, namespace, name, mac, mtu, up, bridge, both, subject } = action;
    const alike = { ...(mtu === undefined ? {} : { mtu }), ...(up === undefined ? {} : { up }) };
    const near = nicDevice(site.paths.yard, link);
    const master = bridge === undefined ? {} : { master: bridge };
    if (both) batch.add(subject, "self", { op: "set", name: near, ...alike, ...master });
    const own = mac === undefined ? {} : { mac: parseMac(mac) };
    batch.add(subject, namespaceRef(namespace), { op: "set", name, ...alike, ...own });
  }
  for (const action of made) {
    const { making } = action.state;
    if (host === undefined) break;
    const parent = making.kind === "bridged" ? undefined : host.links.get(making.parent);
    const obstacle = making.kind === "bridged" ? undefined : parentObstacle(making.kind, making.parent, parent, host);
    if (obstacle) blame.add(action.subject, obstacle, obstacle.code);
    else if (making.kind === "passthrough" && parent) attempt(action, blame, () => take(site, action, parent));
    else batch.add(action.subject, "self", linkOp(site.paths.yard, action));
  }
  await batch.run(blame);
}

function attempt(action: Action, blame: Blame, part: () => void): void {
  try {
    part();
  } catch (error) {
    blame.add(action.subject, error, "nic.refused");
  }
}

function linkOp(yard: string, { link, state }: ActionOf<"link-create">): LinkOp {
  const { making, namespace, name, mac, mtu, up } = state;
  const settings = { ...(mac === "" ? {} : { mac: parseMac(mac) }), ...(mtu === 0 ? {} : { mtu }), up };
  if (making.kind !== "bridged")
    return {
      op: "macvlan",
      name,
      parent: making.parent,
      namespace: namespaceRef(namespace),
      alias: formatAlias(yard, `${MACVLAN}${link}`),
      ...settings,
    };
  const { mtu: size, ...ofPeer } = { mtu: undefined, ...settings };
  return {
    op: "veth",
    name: nicDevice(yard, link),
    alias: formatAlias(yard, `${BRIDGED}${link}`),
    ...(size === undefined ? {} : { mtu: size }),
    up,
    port: true,
    master: making.bridge,
    peer: { name, namespace: namespaceRef(namespace), alias: formatAlias(yard, `${FAR_END}${link}`), ...ofPeer },
  };
}

/** Why a NIC of the host's cannot be a nic's parent, or a nic itself. Nothing has been touched then. */
export function parentObstacle(
  kind: "macvlan" | "passthrough",
  name: string,
  parent: Link | undefined,
  host: NamespaceView,
): YardError | undefined {
  if (parent === undefined) return parentAbsent(name);
  const loopback = name === "lo" ? "it is the host's loopback" : undefined;
  const use = kind === "macvlan" ? loopback : useOf(parent, host, defaultRouteDevices());
  if (use === undefined) return undefined;
  return new YardError("nic.parent-in-use", `the NIC ${name} cannot be given away: ${use}`, {
    hint: "take a NIC that the host does not use itself, or a network of type macvlan",
  });
}

function take(site: Site, { link, state }: ActionOf<"link-create">, parent: Link): void {
  const { namespace, name, mac, mtu } = state;
  site.views.forget([namespaceRef(namespace), "self"]);
  takeNic(
    site.paths.yard,
    { link, name: parent.name, mac: parseMac(parent.mac), mtu: parent.mtu, up: parent.up, alias: parent.alias },
    {
      namespace: namespaceRef(namespace),
      name,
      mac: mac === "" ? undefined : parseMac(mac),
      mtu: mtu === 0 ? undefined : mtu,
    },
  );
}

function giveBack(site: Site, { namespace, name }: LinkState): void {
  const ref = namespace === HOST ? "self" : namespaceRef(namespace);
  site.views.forget([ref, "self"]);
  const view = [...viewNamespaces([ref]).values()][0];
  const passed = parsePassed(site.paths.yard, view?.links.get(name)?.alias ?? "");
  if (passed) returnNic(site.paths.yard, passed, { namespace: ref, name });
}
