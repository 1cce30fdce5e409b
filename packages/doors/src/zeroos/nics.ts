/** The `nics` of a container: as a client writes them, and the rules that hold between them. */
import { parseMac, YardError } from "@switchyard/base";
import type { FilePart } from "@switchyard/yard/model";
import { z } from "zod";

const text = z
  .string()
  .nullish()
  .transform((it) => it || undefined);

/** A number, as number or text: the Python client only lets text through, others send what they have. */
const id = z
  .union([z.string(), z.number().int()])
  .nullish()
  .transform((it) => (it === null || it === undefined ? "" : String(it)));

const nicConfigSchema = z
  .object({
    dhcp: z.boolean().nullish(),
    cidr: text,
    /** The documents call it `gw`. */
    gateway: text,
    gw: text,
    dns: z.array(z.string()).nullish(),
  })
  .nullish()
  .transform((config) => ({
    dhcp: config?.dhcp ?? false,
    cidr: config?.cidr ?? "",
    gateway: config?.gateway ?? config?.gw ?? "",
    dns: config?.dns ?? [],
  }));

/** One nic. */
export const nicSchema = z.object({
  type: z.enum(["default", "bridge", "vlan", "vxlan", "macvlan", "passthrough", "zerotier"], {
    error: (issue) => `unsupported network type '${String(issue.input)}'`,
  }),
  id,
  hwaddr: z
    .string()
    .nullish()
    .transform((it) => it ?? ""),
  name: text,
  config: nicConfigSchema,
  monitor: z
    .boolean()
    .nullish()
    .transform((it) => it ?? false),
});
/** Those of a container or a machine. */
export const nicsSchema = z
  .array(nicSchema)
  .nullish()
  .transform((nics) => nics ?? []);
export type ZeroosNic = z.output<typeof nicSchema>;

/** A nic that a container has, or had: its place in the list is its number for ever. */
export interface PlacedNic extends ZeroosNic {
  /** Its name in the container. */
  readonly interface: string;
  /** It was removed; the place stays taken. */
  readonly destroyed: boolean;
}

/** A nic that has its place, as it is kept. */
export const placedNicSchema = nicSchema.extend({ interface: z.string(), destroyed: z.boolean() });

/**
 * Gives nics their places, behind those that a container has.
 *
 * @throws YardError `zeroos.bad-nic` when one cannot stand beside the others
 */
export function placeNics(before: readonly PlacedNic[], added: readonly ZeroosNic[]): readonly PlacedNic[] {
  const all = [...before];
  for (const nic of added) {
    const placed = { ...nic, interface: interfaceOf(nic, all.length), destroyed: false };
    checkName(nic.name);
    checkOnce(
      placed,
      all.filter(({ destroyed }) => !destroyed),
    );
    all.push(placed);
  }
  return all;
}

/** What a nic is called in its container, by its place; ZeroTier's are not for the client to name. */
function interfaceOf({ type, name }: ZeroosNic, place: number): string {
  return type === "zerotier" ? `zt${place}` : (name ?? `eth${place}`);
}

function checkName(name: string | undefined): void {
  // The kernel's own rules are the model's to check.
  if (name !== undefined && (/^(eth|zt)/.test(name) || name === "default"))
    throw new YardError("zeroos.bad-nic", `the nic name ${JSON.stringify(name)} cannot be used`, {
      hint: "names that begin with eth or zt are given by themselves",
    });
}

function checkOnce(nic: PlacedNic, others: readonly PlacedNic[]): void {
  const refuse = (message: string) => {
    throw new YardError("zeroos.bad-nic", message);
  };
  if (others.some((other) => other.interface === nic.interface)) refuse(`the nic name ${nic.interface} is used twice`);
  const twin = others.some((other) => other.type === nic.type && other.id === nic.id);
  switch (nic.type) {
    case "default":
      if (others.some(({ type }) => type === "default")) refuse("only one default network is allowed");
      return;
    case "bridge":
      if (nic.id === "core0" || nic.id === "kvm0") refuse(`use the type default in place of the bridge ${nic.id}`);
      if (twin) refuse(`connecting to bridge '${nic.id}' more than one time is not allowed`);
      return;
    case "macvlan":
    case "passthrough":
      if (twin) refuse(`connecting to link '${nic.id}' more than one time is not allowed`);
      return;
    case "vlan":
    case "vxlan":
    case "zerotier":
      return;
  }
}

/** The number of a VLAN or VXLAN. @throws YardError `zeroos.bad-nic` */
export function segmentId({ type, id: written }: Pick<ZeroosNic, "type" | "id">): number {
  const [least, most] = type === "vlan" ? [0, 4_094] : [1, 2 ** 24 - 1];
  const value = Number(written);
  if (/^\d{1,8}$/.test(written) && value >= least && value <= most) return value;
  throw new YardError("zeroos.bad-nic", `a ${type} has an id from ${least} to ${most}, not ${JSON.stringify(written)}`);
}

/** A nic on a network, in the words of a lab file. @throws YardError `address.bad-mac` */
export function nicPart(nic: PlacedNic, network: string): FilePart {
  const { config, hwaddr } = nic;
  const common = {
    name: nic.interface,
    network,
    ...(hwaddr === "" ? {} : { mac: parseMac(hwaddr) }),
    ...(nic.monitor ? { monitor: true } : {}),
  };
  // The default network gives addresses itself.
  if (nic.type === "default") return common;
  // All but its name is decided by the network's controller.
  if (nic.type === "zerotier") return { name: nic.interface, network };
  return {
    ...common,
    ...(config.dhcp ? { dhcp: true } : {}),
    ...(config.cidr === "" && config.dhcp ? {} : { ip: config.cidr === "" ? "none" : config.cidr }),
    ...(config.gateway === "" && config.dhcp ? {} : { gateway: config.gateway === "" ? "none" : config.gateway }),
    ...(config.dns.length === 0 ? {} : { dns: config.dns }),
  };
}
