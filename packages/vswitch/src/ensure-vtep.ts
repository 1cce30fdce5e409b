import { fromNumber, type Ip, YardError } from "@switchyard/base";
import { applyLinks, type Link, type LinkOp, type NamespaceRef, viewNamespace } from "@switchyard/linux";
import { VXLAN_OVERHEAD } from "./tunnels.ts";

/** The UDP port that Linux took before 4789 was assigned; hosts that do as zero-os did use it. */
const MULTICAST_PORT = 8472;
const ALIAS = "switchyard ovs vtep";

/** A VXLAN device of the kernel's own over a multicast group. */
export interface Vtep {
  readonly name: string;
  /** Of the packets inside. */
  readonly mtu: number;
  /** Whether it was made now. */
  readonly made: boolean;
  /** Whether the link below has an address, without which the kernel sends nothing. */
  readonly addressed: boolean;
}

/** Where the switch's ports are, and how to name that place in a command. */
export interface VtepWant {
  readonly namespace: NamespaceRef;
  /** The link that the packets go out by. */
  readonly master: string;
  /** 1 to 2^24 - 1. */
  readonly vni: number;
}

export function vtepName(vni: number): string {
  return `vtep${vni}`;
}

/** @throws YardError `switch.bad-vni` unless 1 to 2^24 - 1 */
export function checkVni(vni: number): void {
  if (!Number.isInteger(vni) || vni < 1 || vni >= 2 ** 24)
    throw new YardError("switch.bad-vni", `the VXLAN identifier ${vni} is not between 1 and 16777215`);
}

/**
 * The group of a VXLAN, 256 of which share one: the three octets of ⌊vni / 256⌋ + 1 after 239. All hosts must agree.
 */
export function multicastGroup(vni: number): Ip {
  return fromNumber(BigInt(239 * 2 ** 24 + Math.floor(vni / 256) + 1), 4);
}

/**
 * The device `vtep<vni>` over `master`, made where it is missing; both are up then. Learning, UDP port 8472, the
 * kernel's time to live (1 to a group).
 *
 * @throws YardError `switch.bad-vni`, `switch.no-device`, `switch.other-master`, `switch.name-taken`,
 * `switch.device-refused`
 */
export function ensureVtep({ namespace, master, vni }: VtepWant): Vtep {
  checkVni(vni);
  const name = vtepName(vni);
  const { links } = viewNamespace(namespace);
  const lower = links.get(master);
  if (lower === undefined)
    throw new YardError("switch.no-device", `there is no network device ${master}${placeOf(namespace)}`, {
      hint: "the packets of a VXLAN go out by it: a bridge's own device has the bridge's name",
    });
  const mtu = lower.mtu - VXLAN_OVERHEAD[4];
  const existing = links.get(name);
  const ops: LinkOp[] = lower.up ? [] : [{ op: "set", name: master, up: true }];
  const group = multicastGroup(vni);
  const addressed = lower.addresses.some(({ address }) => !address.includes(":"));
  const keep = existing !== undefined && fits(existing, lower, links.values(), { vni, group, master });
  if (keep) {
    if (!existing.up || existing.mtu !== mtu) ops.push({ op: "set", name, up: true, mtu });
  } else {
    if (existing !== undefined) ops.push({ op: "delete", name });
    const vxlan = { id: vni, group, dev: master, dstport: MULTICAST_PORT, ttl: 0, learning: true };
    ops.push({ op: "vxlan", name, mtu, up: true, alias: ALIAS, vxlan });
  }
  if (ops.length > 0) {
    const [failure] = applyLinks([{ namespace, ops }]);
    if (failure !== undefined) {
      if (!keep) applyLinks([{ namespace, ops: [{ op: "delete", name }] }]);
      throw new YardError("switch.device-refused", `the kernel could not make ${name}: ${failure.message}`, {
        where: failure.errno,
      });
    }
  }
  return { name, mtu, made: !keep, addressed };
}

/**
 * Removes the device of a VXLAN.
 *
 * @param options `ours`: only one that was made by {@link ensureVtep}
 * @returns whether there was one
 * @throws YardError `switch.name-taken` for another kind of device of that name, `switch.device-refused`
 */
export function deleteVtep(namespace: NamespaceRef, vni: number, options: { readonly ours?: boolean } = {}): boolean {
  const name = vtepName(vni);
  const link = viewNamespace(namespace).links.get(name);
  if (link === undefined || (options.ours === true && link.alias !== ALIAS)) return false;
  if (link.kind !== "vxlan") throw new YardError("switch.name-taken", `${name} is no VXLAN device, but ${link.kind}`);
  const [failure] = applyLinks([{ namespace, ops: [{ op: "delete", name }] }]);
  if (failure !== undefined && failure.errno !== "ENODEV")
    throw new YardError("switch.device-refused", `the kernel did not remove ${name}: ${failure.message}`);
  return true;
}

/** Whether a device is what is wanted; false where it may be made anew. */
function fits(
  link: Link,
  lower: Link,
  all: Iterable<Link>,
  { vni, group, master }: { readonly vni: number; readonly group: string; readonly master: string },
): boolean {
  const { vxlan, name } = link;
  if (vxlan === undefined)
    throw new YardError("switch.name-taken", `${name} is no VXLAN device, but ${link.kind || "a device"}`);
  if (vxlan.lower !== lower.index && vxlan.lower !== 0) {
    const other = [...all].find(({ index }) => index === vxlan.lower)?.name ?? "another device";
    throw new YardError("switch.other-master", `VXLAN ${vni} belongs to the master ${other}, not ${master}`, {
      hint: `to give it another master, remove it first: yard ovs vtep-del ${vni}`,
    });
  }
  const same = vxlan.id === vni && vxlan.group === group && vxlan.dstport === MULTICAST_PORT && vxlan.learning;
  if (same && vxlan.lower === lower.index) return true;
  if (link.alias === ALIAS) return false;
  throw new YardError("switch.name-taken", `the device ${name} is there already, with other settings`, {
    hint: `it has id ${vxlan.id}, group ${vxlan.group || "none"}, port ${vxlan.dstport}; remove it first: yard ovs vtep-del ${vni}`,
  });
}

/** The place of the switch's devices, for a message. */
export function placeOf(namespace: NamespaceRef): string {
  return typeof namespace === "object" && "name" in namespace ? ` in the namespace ${namespace.name}` : "";
}
