import { addressOf, type Cidr, family, type Ip, parseIp, parseMac, YardError } from "@switchyard/base";
import { NIC_NAME } from "./fields.ts";
import { suggest } from "./nearest.ts";
import { isHost } from "./networks.ts";
import type { Path } from "./places.ts";
import type { Reading, Written } from "./reading.ts";
import { readRoutes } from "./routes.ts";
import type { NicFile } from "./schema.ts";
import { nicAddress } from "./segments.ts";
import type { NetworkSpec, NicSpec } from "./types.ts";

/** What nics are read with. */
export interface NicContext {
  readonly reading: Reading;
  readonly networks: ReadonlyMap<string, NetworkSpec>;
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

function readNic(file: NicFile, path: Path, index: number, context: NicContext): NicSpec {
  const { reading } = context;
  const defaults = reading.data.defaults?.nic;
  const network = file.network === undefined ? undefined : findNetwork(file.network, path, context);
  const name = reading.parse([...path, "name"], file.name ?? `eth${index}`, parseNicName) ?? `eth${index}`;
  const shared = checkCounted(file, path, context);
  checkWire(file, path, reading);
  const dnsPath = file.dns === undefined ? ["defaults", "nic", "dns"] : [...path, "dns"];
  return {
    name,
    network: network?.name,
    link: undefined,
    mac: file.mac === undefined || shared ? undefined : reading.parse([...path, "mac"], file.mac, parseMac),
    ip: shared ? [] : readAddresses(file, path, network, context),
    slot: file.slot,
    gateway: readGateways(file, path, reading),
    dns: reading.each(dnsPath, file.dns ?? defaults?.dns, parseIp).map(({ value }) => value),
    mtu: file.mtu ?? defaults?.mtu,
    vlan: file.vlan,
    trunks: [...new Set(file.trunks)],
    routes: readRoutes(file.routes, [...path, "routes"], name, reading).map(({ value }) => value),
    spy: file.spy ?? defaults?.spy ?? false,
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
    mtu: mtu ?? defaults?.mtu,
    vlan: undefined,
    trunks: [],
    routes: [],
    spy: defaults?.spy ?? false,
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

function findNetwork(name: string, path: Path, { reading, networks }: NicContext): NetworkSpec | undefined {
  const network = networks.get(name);
  if (network !== undefined) return network;
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
function checkCounted(file: NicFile, path: Path, { count, reading }: NicContext): boolean {
  if (count === 1) return false;
  const hint = "leave it out, or use `slot`: the nodes take consecutive ones";
  const ip = file.ip !== undefined && file.ip !== "none" && file.ip.length > 0;
  if (ip)
    reading.places.report(
      [...path, "ip"],
      () => new YardError("nic.counted-ip", `${count} nodes cannot share one address`, { hint }),
    );
  if (file.mac !== undefined)
    reading.places.report(
      [...path, "mac"],
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

function readAddresses(
  file: NicFile,
  path: Path,
  network: NetworkSpec | undefined,
  { reading }: NicContext,
): readonly Cidr[] | undefined {
  if (file.ip === undefined) return undefined;
  if (file.ip === "none") return [];
  const at = [...path, "ip"];
  // Where the network or its subnet is in doubt, so is what could be said of the address.
  if (file.network !== undefined && (network === undefined || reading.unsure(["networks", network.name, "cidr"])))
    return [];
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

function readGateways(file: NicFile, path: Path, reading: Reading): readonly Ip[] | undefined {
  if (file.gateway === undefined) return undefined;
  if (file.gateway === "none") return [];
  const gateways = reading.each([...path, "gateway"], file.gateway, parseIp);
  for (const version of [4, 6] as const)
    if (gateways.filter(({ value }) => family(value) === version).length > 1)
      reading.places.report(
        [...path, "gateway"],
        () =>
          new YardError("nic.two-gateways", `a nic has at most one IPv${version} gateway`, {
            hint: "write other next hops as `routes`",
          }),
      );
  return gateways.map(({ value }) => value);
}
