import { addressOf, type Cidr, family, type Ip, parseIp, parseMac, YardError } from "@switchyard/base";
import { NIC_NAME } from "./fields.ts";
import { readImpair } from "./impair.ts";
import { impliedByName, impliedNetwork, isMeant } from "./implied.ts";
import { DEFAULT_NETWORK } from "./making.ts";
import { suggest } from "./nearest.ts";
import { checkIpv6Mtu, isHost } from "./networks.ts";
import { respell, type Spelled } from "./nic-spelling.ts";
import type { Path } from "./places.ts";
import type { Reading, Written } from "./reading.ts";
import { readRoutes } from "./routes.ts";
import type { NicFile } from "./schema-nics.ts";
import { nicAddress } from "./segments.ts";
import type { NetworkSpec, NicSpec } from "./types.ts";
import { checkZerotierNic, readIdentity } from "./zerotier.ts";

/** What nics are read with. */
export interface NicContext {
  readonly reading: Reading;
  /** Those that nobody declares are added. */
  readonly networks: Map<string, NetworkSpec>;
  /** The node's `count`. */
  readonly count: number;
}

/** Reads a node's `nics`. Those whose network is wrong have neither network nor link. */
export function readNics(written: readonly (string | NicFile)[], path: Path, context: NicContext): Written<NicSpec>[] {
  const names = new Map<string, Path>();
  return written.map((entry, index) => {
    const at = [...path, index];
    const file: NicFile = typeof entry === "string" ? { network: entry } : entry;
    const nic = readNic(file, at, index, context);
    const before = names.get(nic.name);
    if (before !== undefined)
      context.reading.places.report(
        [...at, "name"],
        () =>
          new YardError("nic.duplicate-name", `the node has a nic "${nic.name}" already`, {
            hint: `the first is at ${context.reading.places.where(before)}; a nic without a name is called eth<n> by its place, from 0`,
          }),
      );
    names.set(nic.name, at);
    return { value: nic, path: at };
  });
}

function readNic(written: NicFile, path: Path, index: number, context: NicContext): NicSpec {
  const { reading } = context;
  const spelled = named(respell(written, path, reading), path, reading);
  const { file, at } = spelled;
  const defaults = reading.data.defaults?.nic;
  const network = file.network === undefined ? undefined : findNetwork(file.network, path, context);
  const name = reading.parse([...path, "name"], file.name ?? `eth${index}`, parseNicName) ?? `eth${index}`;
  const shared = checkCounted(spelled, context);
  checkWire(file, path, reading);
  checkPortless(file, path, network, reading);
  checkWireImpair(file, at("impair"), reading);
  const dnsPath = file.dns === undefined ? ["defaults", "nic", "dns"] : at("dns");
  checkDhcp(spelled, network, reading);
  checkZerotierNic(spelled, network, reading);
  const ip = shared || network?.type === "zerotier" ? [] : readAddresses(spelled, network, context);
  const mtu = file.mtu ?? defaults?.mtu;
  const ipv6 = (ip ?? network?.cidr ?? []).some((address) => family(address) === 6);
  const ofNetwork = network?.cidr.some((subnet) => family(subnet) === 6) ? undefined : network?.mtu;
  checkIpv6Mtu(mtu ?? ofNetwork, ipv6, file.mtu === undefined ? path : at("mtu"), reading);
  return {
    name,
    network: network?.name,
    link: undefined,
    mac: file.mac === undefined || shared ? undefined : reading.parse(at("mac"), file.mac, parseMac),
    ip,
    slot: file.slot,
    gateway: readGateways(spelled, reading),
    dns: reading.each(dnsPath, file.dns ?? defaults?.dns, parseIp).map(({ value }) => value),
    dhcp: file.dhcp ?? false,
    mtu,
    vlan: file.vlan,
    trunks: [...new Set(file.trunks)],
    routes: readRoutes(file.routes, [...path, "routes"], name, reading).map(({ value }) => value),
    spy: file.spy ?? defaults?.spy ?? false,
    monitor: file.monitor ?? false,
    identity: readIdentity(file, path, context.count, reading),
    impair: readImpair(file.impair, [...path, "impair"], reading),
  };
}

/** The nic that a link makes where its node declares none. */
export function linkNic(
  name: string,
  link: string,
  mtu: number | undefined,
  defaults: { mtu?: number | undefined; spy?: boolean | undefined } | undefined,
): NicSpec {
  return {
    name,
    network: undefined,
    link,
    mac: undefined,
    ip: undefined,
    slot: undefined,
    gateway: undefined,
    dns: [],
    dhcp: false,
    mtu: mtu ?? defaults?.mtu,
    vlan: undefined,
    trunks: [],
    routes: [],
    spy: defaults?.spy ?? false,
    monitor: false,
    identity: undefined,
    impair: undefined,
  };
}

/** @throws YardError `nic.bad-name` */
export function parseNicName(name: string): string {
  if (!NIC_NAME.test(name))
    throw new YardError("nic.bad-name", `"${name}" cannot be the name of a nic`, {
      hint: "up to 15 letters, digits, `-`, `_` and `.`, the first a letter or digit",
    });
  if (name === "lo" || name === "all" || name === "default")
    throw new YardError("nic.bad-name", `the name "${name}" means something else to the kernel`, {
      hint: "take another one, such as eth0",
    });
  return name;
}

/** Type and id as the name of a network. */
function named(spelled: Spelled, path: Path, reading: Reading): Spelled {
  const { file } = spelled;
  if (file.type === undefined) {
    if (file.id !== undefined && !reading.unsure([...path, "type"]))
      reading.places.reportKey(
        [...path, "id"],
        () =>
          new YardError("nic.id-without-type", "an id without a type says nothing", {
            hint: 'say of what: type: vlan, id: "100"',
          }),
      );
    return spelled;
  }
  const { type, id, network } = file;
  const name = reading.parse(
    [...path, id === undefined ? "type" : "id"],
    type,
    (it) => impliedNetwork(it, id)?.name ?? DEFAULT_NETWORK.name,
  );
  if (network !== undefined && name !== undefined && network !== name)
    reading.places.reportKey(
      [...path, "type"],
      () =>
        new YardError("nic.two-networks", `"type" and "network" name two networks: ${name} and ${network}`, {
          hint: "write one of the two",
        }),
    );
  return { ...spelled, file: { ...file, network: name ?? network } };
}

/** What only a port of the switch has. */
function checkPortless(file: NicFile, path: Path, network: NetworkSpec | undefined, reading: Reading): void {
  if (network?.type !== "macvlan" && network?.type !== "passthrough") return;
  for (const key of ["vlan", "trunks", "spy", "impair"] as const)
    if (file[key] !== undefined && file[key] !== false)
      reading.places.reportKey(
        [...path, key],
        () =>
          new YardError("nic.no-port", `"${key}" is for ports of the switch, and a ${network.type} has none`, {
            hint: "take it out, or use a network of another type",
          }),
      );
}

/** In place of a network's name: the nic is there, and plugged into nothing. */
export const UNPLUGGED = "none";

function findNetwork(name: string, path: Path, { reading, networks }: NicContext): NetworkSpec | undefined {
  const network = networks.get(name);
  if (network !== undefined || name === UNPLUGGED) return network;
  if (name.includes(":")) {
    const implied = reading.parse([...path, "network"], name, impliedByName);
    if (implied === undefined) return undefined;
    const declared = [...networks.values()].find((it) => isMeant(it, implied));
    if (declared === undefined) networks.set(name, implied);
    return declared ?? implied;
  }
  if (!reading.unsure(["networks", name]) && !reading.unsure(["networks"])) {
    const hint = suggest(name, networks.keys()) ?? "declare it under `networks`";
    reading.places.report(
      [...path, "network"],
      () => new YardError("nic.network-unknown", `there is no network "${name}"`, { hint }),
    );
  }
  return undefined;
}

/** What only one nic can have is not written for several; whether it is. */
function checkCounted({ file, at }: Spelled, { count, reading }: NicContext): boolean {
  if (count === 1) return false;
  const hint = "leave it out, or use `slot`: the nodes take consecutive ones";
  const ip = file.ip !== undefined && file.ip !== "none" && file.ip.length > 0;
  if (ip)
    reading.places.report(
      at("ip"),
      () => new YardError("nic.counted-ip", `${count} nodes cannot share one address`, { hint }),
    );
  if (file.mac !== undefined)
    reading.places.report(
      at("mac"),
      () => new YardError("nic.counted-mac", `${count} nodes cannot share one MAC address`, { hint }),
    );
  return ip || file.mac !== undefined;
}

/** VLANs are a switch's business; a wire has none. */
function checkWire(file: NicFile, path: Path, reading: Reading): void {
  if (file.network !== undefined) return;
  for (const key of ["vlan", "trunks"] as const)
    if (file[key] !== undefined)
      reading.places.reportKey(
        [...path, key],
        () =>
          new YardError(
            "nic.vlan-without-network",
            `"${key}" is for a nic on a network; a link passes every frame as it is`,
            { hint: "make the VLAN inside the node, or give the nic a network" },
          ),
      );
}

/** A server decides the address, and of a nat that is the network itself, which keeps one for each nic. */
function checkDhcp({ file, at }: Spelled, network: NetworkSpec | undefined, reading: Reading): void {
  if (file.dhcp !== true || network?.type === "nat") return;
  const listed = file.ip === undefined || file.ip === "none" ? [] : [file.ip].flat();
  const key = listed.some((ip) => !ip.includes(":")) ? "ip" : file.slot === undefined ? undefined : "slot";
  if (key === undefined) return;
  reading.places.reportKey(
    at(key),
    () =>
      new YardError("nic.dhcp-with-address", `"${key}" fixes an address, and "dhcp" asks a server for one`, {
        hint: "write one of the two",
      }),
  );
}

function checkWireImpair(file: NicFile, path: Path, reading: Reading): void {
  if (file.network !== undefined || file.impair === undefined) return;
  reading.places.reportKey(
    [...path, "impair"],
    () =>
      new YardError("impair.on-wire", "the nic of a link is impaired by the link", {
        hint: "write `impair` in the entry of `links`",
      }),
  );
}

function readAddresses(
  { file, at: placeOf }: Spelled,
  network: NetworkSpec | undefined,
  { reading }: NicContext,
): readonly Cidr[] | undefined {
  const served = file.dhcp === true && network?.type === "nat";
  if (file.ip === undefined) return file.dhcp === true && !served ? [] : undefined;
  if (file.ip === "none") return served ? undefined : [];
  const at = placeOf("ip");
  // Where the network or its subnet is in doubt, so is what could be said of the address.
  const doubtful = network === undefined && file.network !== UNPLUGGED;
  if (file.network !== undefined && (doubtful || reading.unsure(["networks", network?.name ?? "", "cidr"]))) return [];
  const addresses = reading.each(at, file.ip, (text) => nicAddress(text, network));
  const seen = new Set<Cidr>();
  for (const { value, path: where } of addresses) {
    if (!isHost(value, addressOf(value)))
      reading.places.report(
        where,
        () => new YardError("nic.ip-not-host", `${value} is the network's own or the broadcast address, not a host's`),
      );
    if (seen.has(value))
      reading.places.report(where, () => new YardError("nic.duplicate-ip", `the nic has the address ${value} already`));
    seen.add(value);
  }
  return [...seen];
}

function readGateways({ file, at }: Spelled, reading: Reading): readonly Ip[] | undefined {
  if (file.gateway === undefined) return undefined;
  if (file.gateway === "none") return [];
  const gateways = reading.each(at("gateway"), file.gateway, parseIp);
  for (const version of [4, 6] as const)
    if (gateways.filter(({ value }) => family(value) === version).length > 1)
      reading.places.report(
        at("gateway"),
        () =>
          new YardError("nic.two-gateways", `a nic has at most one IPv${version} gateway`, {
            hint: "write other next hops as `routes`",
          }),
      );
  return gateways.map(({ value }) => value);
}
