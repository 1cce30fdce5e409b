import { overlaps, parseCidr, parseMac, YardError } from "@switchyard/base";
import { type LinkOp, type NamespaceView, viewNamespace } from "@switchyard/linux";
import { type Action, type ActionOf, only } from "./action.ts";
import type { Blame } from "./blame.ts";
import { defaultRouteDevices } from "./host-network.ts";
import { useOf } from "./host-use.ts";
import { LinkWork } from "./link-work.ts";
import { formatAlias } from "./mark.ts";
import { MEMBER, parseMember } from "./observe-host.ts";
import type { Site } from "./site.ts";

/** Makes, changes and removes bridges of the kernel's own, and moves NICs of the host into them and out. */
export async function applyBridges(site: Site, actions: readonly Action[], blame: Blame): Promise<void> {
  const [set, gone] = [only(actions, "host-bridge-set"), only(actions, "host-bridge-delete")];
  const [added, removed] = [only(actions, "member-add"), only(actions, "member-remove")];
  if (set.length + gone.length + added.length + removed.length === 0) return;
  const host = viewNamespace("self");
  const batch = new LinkWork(site);
  for (const { nic, subject } of removed) {
    const own = parseMember(site.paths.yard, host.links.get(nic)?.alias ?? "");
    if (own) batch.add(subject, "self", { op: "set", name: nic, master: "", alias: own.alias });
  }
  for (const { bridge, subject } of gone) batch.add(subject, "self", { op: "delete", name: bridge });
  for (const action of set) {
    const obstacle = action.there ? undefined : bridgeObstacle(action, host);
    if (obstacle) blame.add(action.subject, obstacle, obstacle.code);
    else for (const op of bridgeOps(site.paths.yard, action)) batch.add(action.subject, "self", op);
  }
  for (const { nic, bridge, subject } of added) {
    if (blame.blocks(subject)) continue;
    const own = parseMember(site.paths.yard, host.links.get(nic)?.alias ?? "");
    const obstacle = own ? undefined : memberObstacle(nic, bridge, host);
    const alias = `${MEMBER}${bridge} ${own?.alias ?? host.links.get(nic)?.alias ?? ""}`.trimEnd();
    if (obstacle) blame.add(subject, obstacle, obstacle.code);
    else
      batch.add(subject, "self", { op: "set", name: nic, master: bridge, alias: formatAlias(site.paths.yard, alias) });
  }
  await batch.run(blame);
}

function bridgeOps(yard: string, { bridge, state, there, gone }: ActionOf<"host-bridge-set">): LinkOp[] {
  const { up, group } = state;
  const name = bridge;
  const mac = parseMac(state.mac);
  const made: LinkOp = there
    ? { op: "set", name, mac, up, group }
    : { op: "bridge", name, mac, up, group, alias: formatAlias(yard, state.purpose) };
  return [
    made,
    ...gone.map((address): LinkOp => ({ op: "address-delete", name, address: parseCidr(address) })),
    ...state.addresses.map((address): LinkOp => ({ op: "address-add", name, address: parseCidr(address) })),
  ];
}

/** What of the host is in the way of a new bridge. */
function bridgeObstacle({ bridge, state }: ActionOf<"host-bridge-set">, host: NamespaceView): YardError | undefined {
  if (host.links.has(bridge))
    return new YardError("bridge.foreign", `the host has a link ${bridge} already, which is not the yard's`, {
      hint: "remove that one, or choose another name",
    });
  for (const own of state.addresses)
    for (const { name, addresses } of host.links.values()) {
      const other = addresses.find(({ address }) => overlaps(parseCidr(own), address));
      if (other !== undefined)
        return new YardError(
          "bridge.overlaps-host",
          `${own} overlaps ${other.address}, which the host has on ${name}`,
          {
            hint: "take another subnet",
          },
        );
    }
  return undefined;
}

/** Why the host cannot do without a NIC outside a bridge. */
function memberObstacle(nic: string, bridge: string, host: NamespaceView): YardError | undefined {
  const link = host.links.get(nic);
  if (link === undefined)
    return new YardError("bridge.nic-absent", `the host has no NIC ${nic} that could be in bridge ${bridge}`, {
      hint: "`ip link` lists those it has",
    });
  const use = useOf(link, host, defaultRouteDevices());
  if (use === undefined) return undefined;
  const message = `${nic} cannot be in bridge ${bridge}: ${use}`;
  return new YardError("bridge.nic-in-use", message, { hint: "take another NIC, or free this one first" });
}
