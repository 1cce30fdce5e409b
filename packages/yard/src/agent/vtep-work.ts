import { parseCidr, parseIp, YardError } from "@switchyard/base";
import { type LinkOp, viewNamespace } from "@switchyard/linux";
import { multicastGroup } from "@switchyard/vswitch";
import { type Action, type ActionOf, only } from "./action.ts";
import type { Blame } from "./blame.ts";
import { LinkWork } from "./link-work.ts";
import { formatAlias } from "./mark.ts";
import type { Site } from "./site.ts";
import type { State } from "./state.ts";
import { parsePurpose } from "./subject.ts";

/** Makes the kernel's own VXLAN devices, and sets up what they send by: first that, as they hang on it. */
export async function applyVteps(site: Site, actions: readonly Action[], blame: Blame): Promise<void> {
  const { links } = viewNamespace(site.namespace);
  const batch = new LinkWork(site);
  for (const { device, gone, subject } of only(actions, "underlay-clear"))
    for (const address of links.has(device) ? gone : [])
      batch.near(subject, { op: "address-delete", name: device, address: parseCidr(address) });
  for (const { device, state, gone, subject } of only(actions, "underlay-set")) {
    if (!links.has(device)) continue;
    if (state.up) batch.near(subject, { op: "set", name: device, up: true });
    for (const address of gone)
      batch.near(subject, { op: "address-delete", name: device, address: parseCidr(address) });
    for (const address of state.addresses)
      batch.near(subject, { op: "address-add", name: device, address: parseCidr(address) });
  }
  for (const action of only(actions, "vtep-set")) {
    const { lower, remote } = action.state;
    if (links.has(lower)) batch.near(action.subject, vtepOp(site.paths.yard, action));
    // A tunnel that has just ended is begun again, and this then too.
    else if (remote === "") {
      const message = `the VXLAN's master, the bridge ${lower}, is not there`;
      const hint = "name a network of the yard, or make the bridge: yard ovs bridge-add NAME";
      blame.add(action.subject, new YardError("switch.no-bridge", message, { hint }), "switch.no-bridge");
    }
  }
  await batch.run(blame);
}

function vtepOp(yard: string, { vtep, state, there }: ActionOf<"vtep-set">): LinkOp {
  const { id, lower, remote, mtu, port } = state;
  if (there) return { op: "set", name: vtep, up: true, mtu };
  // The kernel's time to live is 1 to a group.
  const group = remote === "" ? multicastGroup(id) : parseIp(remote);
  const vxlan = { id, group, dev: lower, dstport: port, ttl: 0, learning: true };
  return { op: "vxlan", name: vtep, mtu, up: true, alias: formatAlias(yard, state.purpose), vxlan };
}

/** Blames the networks whose VXLAN sends by a link without an IPv4 address: the kernel sends nothing then. */
export function checkVteps(site: Site, desired: State, blame: Blame): void {
  if (desired.vteps.size === 0) return;
  const { links } = viewNamespace(site.namespace);
  for (const { lower, remote, purpose } of desired.vteps.values()) {
    if (remote !== "") continue;
    const subject = parsePurpose(purpose);
    const link = links.get(lower);
    if (link === undefined || link.addresses.some(({ address }) => !address.includes(":"))) continue;
    const message = `the host has no address on ${lower}, by which the VXLAN goes out, so nothing passes`;
    const hint = 'give the network an "address", one for each host';
    blame.add(
      subject,
      new YardError("network.underlay-unaddressed", message, { hint }),
      "network.underlay-unaddressed",
    );
  }
}
