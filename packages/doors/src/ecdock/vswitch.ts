/** `create-vswitch`, and what is to be known of a vswitch: its bridge's row says it. */
import { existsSync } from "node:fs";
import {
  addressOf,
  type Cidr,
  family,
  networkOf,
  overlaps,
  parseCidr,
  prefixOf,
  toNumber,
  YardError,
} from "@switchyard/base";
import { applyLinks, type LinkOp } from "@switchyard/linux";
import { type BridgeRow, bestDatapath, commitEdit, type SwitchEdit } from "@switchyard/vswitch";
import { allowIpv6 } from "./ipv6.ts";
import { EC_OWNER, type EcPlace } from "./place.ts";
import { DEVICE_OFPORT, ipv6, slotOfPort, type Vswitch, vswitchMac } from "./slots.ts";

/** The entries of a bridge's `external_ids` that hold its address and IPv6 prefix. */
const ADDRESS = "ec-address";
const PREFIX = "ec-ipv6-prefix";

/** Slots' ports, `<name>-s<nn>`, must be names of interfaces. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,9}$/;

export interface NewVswitch {
  readonly name: string;
  readonly address: string;
  readonly ipv6Prefix: string;
  readonly device: string | undefined;
  readonly usermode: boolean;
}

/**
 * Makes a switch with its address; the same again is no error.
 *
 * @returns its datapath
 * @throws YardError `ec.bad-name`, `ec.vswitch-taken`, `ec.address-taken`, `address.bad-cidr`, `switch.port-failed`
 */
export async function createVswitch(place: EcPlace, wanted: NewVswitch, warn: (line: string) => void): Promise<string> {
  const { name, device } = wanted;
  if (!NAME.test(name))
    throw new YardError("ec.bad-name", `"${name}" cannot be a vswitch's name`, {
      hint: "up to 10 letters, digits, `-`, `_` and `.`, the first a letter or digit",
    });
  const vswitch: Vswitch = { name, address: ipv4(wanted.address), ipv6Prefix: wanted.ipv6Prefix };
  ipv6(vswitch.ipv6Prefix, addressOf(vswitch.address));
  for (const other of vswitches(place)) if (other.name !== name) compareSubnets(vswitch, other, warn);
  const best = await bestDatapath(place.db);
  if (!wanted.usermode && best === "netdev") warn("this host has no openvswitch module: the switch works in userspace");
  const datapath = wanted.usermode ? "netdev" : best;
  await commitEdit(place.db, (edit) => writeVswitch(edit, vswitch, datapath, device), { owner: EC_OWNER });
  addressVswitch(place, vswitch);
  return datapath;
}

/** @throws YardError `ec.address-taken` */
function compareSubnets({ address }: Vswitch, other: Vswitch, warn: (line: string) => void): void {
  if (addressOf(address) === addressOf(other.address))
    throw new YardError("ec.address-taken", `${addressOf(address)} is the address of ${other.name}`, {
      hint: "give this one a subnet of its own",
    });
  if (overlaps(address, other.address))
    warn(`its subnet and that of ${other.name}, ${other.address}, overlap: only one of them is reached from outside`);
}

function writeVswitch(edit: SwitchEdit, vswitch: Vswitch, datapath: string, device: string | undefined): void {
  const { name, address, ipv6Prefix } = vswitch;
  const row = edit.bridge(name);
  if (row !== undefined) {
    const same = row.external_ids.get(ADDRESS) === address && row.external_ids.get(PREFIX) === ipv6Prefix;
    if (edit.ownerOf(row) !== EC_OWNER || !same || row.datapath_type !== datapath)
      throw new YardError("ec.vswitch-taken", `there is a bridge ${name} already, which is made otherwise`, {
        hint: edit.ownerOf(row) === EC_OWNER ? `remove it first: ec delete-vswitch ${name}` : "choose another name",
      });
  }
  const bridge =
    row?._uuid ??
    edit.addBridge(
      name,
      {
        datapath_type: datapath,
        other_config: { hwaddr: vswitchMac(vswitch) ?? "" },
        external_ids: { [ADDRESS]: address, [PREFIX]: ipv6Prefix },
      },
      "vswitch",
    );
  if (device === undefined || edit.port(device)?.bridge._uuid === bridge) return;
  edit.addPort(bridge, device, {}, [{ name: device, ofport_request: DEVICE_OFPORT }], "device");
}

/** `delete-vswitch`. @throws YardError `ec.no-vswitch`, `ec.vswitch-in-use` */
export async function deleteVswitch(place: EcPlace, name: string): Promise<void> {
  await commitEdit(
    place.db,
    (edit) => {
      const row = edit.bridge(name);
      if (row === undefined || edit.ownerOf(row) !== EC_OWNER) throw noVswitch(name);
      const slots = edit.portsOf(row).filter((port) => slotOfPort(name, port.name) !== undefined);
      if (slots.length > 0)
        throw new YardError("ec.vswitch-in-use", `${slots.map((port) => port.name).join(", ")} are on ${name}`, {
          hint: "stop them first: ec stop SLOT",
        });
      edit.removeBridge(row);
    },
    { owner: EC_OWNER },
  );
}

/** All that there are. */
export function vswitches({ db }: EcPlace): Vswitch[] {
  return [...db.table("Bridge")].flatMap((row) => read(row) ?? []);
}

/** Those that the switch itself has. */
export function vswitchAddresses({ address, ipv6Prefix }: Vswitch): Cidr[] {
  return [address, ...ipv6(ipv6Prefix, addressOf(address))].slice(0, existsSync("/proc/net/if_inet6") ? 2 : 1);
}

/** A vswitch, with its address on the host, which a restart of the host forgets. @throws YardError `ec.no-vswitch` */
export function vswitchOf(place: EcPlace, name: string): Vswitch & { readonly datapath: string } {
  const row = place.db.table("Bridge").find({ name });
  const vswitch = row && read(row);
  if (vswitch === undefined) throw noVswitch(name);
  addressVswitch(place, vswitch);
  return { ...vswitch, datapath: row?.datapath_type ?? "" };
}

function read(row: BridgeRow): Vswitch | undefined {
  const address = row.external_ids.get(ADDRESS);
  if (address === undefined) return undefined;
  return { name: row.name, address: parseCidr(address), ipv6Prefix: row.external_ids.get(PREFIX) ?? "" };
}

/** @throws YardError `ec.nic-failed` */
function addressVswitch({ namespace }: EcPlace, { name, address, ipv6Prefix }: Vswitch): void {
  const addresses = [address, ...allowIpv6(namespace, name, ipv6(ipv6Prefix, addressOf(address)))];
  const ops: LinkOp[] = [
    { op: "set", name, up: true },
    ...addresses.map((one): LinkOp => ({ op: "address-add", name, address: one })),
  ];
  const failed = applyLinks([{ namespace, ops }]).find(({ errno }) => errno !== "EEXIST");
  if (failed !== undefined) throw new YardError("ec.nic-failed", `${name}: ${failed.message}`);
}

function ipv4(text: string): Cidr {
  const address = parseCidr(text);
  if (family(address) !== 4)
    throw new YardError("address.bad-cidr", `a vswitch needs an IPv4 address, not ${text}`, {
      hint: "its IPv6 addresses follow from it, under DEFAULT_IPV6_PREFIX",
    });
  const host = toNumber(addressOf(address)) - toNumber(addressOf(networkOf(address)));
  const size = 1n << BigInt(32 - prefixOf(address));
  if (size > 2n && (host === 0n || host === size - 1n))
    throw new YardError(
      "address.bad-cidr",
      `${text} is no host's address: it is ${host === 0n ? "the network" : "all hosts"} of its subnet`,
      {
        hint: `take another of ${networkOf(address)}, such as its last but one`,
      },
    );
  return address;
}

function noVswitch(name: string): YardError {
  return new YardError("ec.no-vswitch", `there is no vswitch ${name}`, {
    hint: `make it: ec create-vswitch ${name} 10.0.0.254/24`,
  });
}
