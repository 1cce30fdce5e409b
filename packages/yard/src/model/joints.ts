/** Nodes that nothing runs in: they join networks to each other, to the host, and to other yards. */
import { family, networkOf, parseCidr, parseIp, prefixOf, YardError } from "@switchyard/base";
import { NAME, NIC_NAME } from "./fields.ts";
import { readImpair } from "./impair.ts";
import { nicDenial, readNicOfHost } from "./making.ts";
import { readNics } from "./nics.ts";
import type { Path } from "./places.ts";
import { type PublishedPorts, parseNatPort, readPorts } from "./ports.ts";
import type { Reading, Written } from "./reading.ts";
import type { C2cFile, JointFile, NatFile, NodeEntryFile } from "./schema-nodes.ts";
import type { JointSpec, NatSpec, NetworkSpec, NicSpec, NodeSpec, RouteSpec } from "./types.ts";

/** The most nics that each kind has. */
const NICS = { a2b: 2, tap: 1, nat: 1, c2c: 1, phy: 1 } as const satisfies Record<JointSpec["kind"], number>;

/** The keys of a nic that mean something at a port which no node has the other end of. */
const OF_A_PORT = ["network", "name", "mtu", "vlan", "trunks", "spy", "monitor"];
const KEYS: Readonly<Record<JointSpec["kind"], readonly string[]>> = {
  a2b: OF_A_PORT,
  tap: [...OF_A_PORT, "impair", "ip", "slot", "mac"],
  nat: [...OF_A_PORT, "impair"],
  c2c: [...OF_A_PORT, "impair"],
  phy: [...OF_A_PORT, "impair"],
};

/** The assigned UDP port of VXLAN (RFC 7348). */
const VXLAN_PORT = 4789;

/** What a yard is called (see agent/paths.ts). */
const YARD = /^[a-z][a-z0-9-]{0,30}$/;

export function isJointFile(file: NodeEntryFile): file is JointFile {
  return file.kind in NICS;
}

/** Whether nothing runs in a node, which has no inside. */
export function isJoint<T extends { readonly kind: string }>(spec: T): spec is Extract<T, { kind: JointSpec["kind"] }> {
  return spec.kind in NICS;
}

/** A node with one more nic than there is room for. */
export function tooManyNics({ kind, name }: Pick<NodeSpec, "kind" | "name">, count: number): YardError | undefined {
  const most =
    kind === "a2b" || kind === "tap" || kind === "nat" || kind === "c2c" || kind === "phy" ? NICS[kind] : Infinity;
  if (count <= most) return undefined;
  return new YardError("node.too-many-nics", `"${name}" is of kind ${kind}, which has ${most} nics at most`, {
    hint: most === 2 ? "one for each side" : "it has one side within the yard",
  });
}

export interface ReadJoint {
  readonly spec: JointSpec;
  /** The array that `spec.nics` is. */
  readonly nics: NicSpec[];
  readonly paths: Path[];
  readonly routes: readonly Written<RouteSpec>[];
}

/** Reads one; what is wrong is reported. */
export function readJoint(
  name: string,
  file: JointFile,
  networks: Map<string, NetworkSpec>,
  published: PublishedPorts,
  reading: Reading,
): ReadJoint {
  const path = ["nodes", name];
  const written = file.nics ?? [];
  for (const [index, nic] of written.entries()) refuseKeys(nic, file.kind, [...path, "nics", index], reading);
  const named = file.kind === "tap" ? written.map((nic) => namedAfter(name, nic)) : written;
  const read = readNics(named, [...path, "nics"], { reading, networks, count: 1 });
  for (const { value, path: at } of read) {
    const type = value.network === undefined ? undefined : networks.get(value.network)?.type;
    const denied = type === undefined ? undefined : nicDenial(file.kind, type, `nic "${value.name}" of "${name}"`);
    if (denied !== undefined) reading.places.report([...at, "network"], () => denied);
  }
  // None of them is given an address that it does not ask for.
  const nics = read.map(({ value }) => (value.slot === undefined ? { ...value, ip: value.ip ?? [] } : value));
  const common = { name, nics, routes: [], sysctls: {}, env: {}, ports: [], exec: [] };
  return {
    spec: jointSpec(common, file, path, published, reading),
    nics,
    paths: read.map((it) => it.path),
    routes: [],
  };
}

function jointSpec(
  common: Omit<Extract<JointSpec, { kind: "tap" }>, "kind">,
  file: JointFile,
  path: Path,
  published: PublishedPorts,
  reading: Reading,
): JointSpec {
  switch (file.kind) {
    case "tap":
      return { ...common, kind: file.kind };
    case "a2b":
      return { ...common, kind: file.kind, impair: readImpair(file.impair, [...path, "impair"], reading) };
    case "nat":
      return { ...common, kind: file.kind, ...readNat(file, path, published, reading) };
    case "c2c":
      return { ...common, kind: file.kind, to: readTarget(common.name, file, path, reading) };
    case "phy": {
      const parent = file.parent ?? common.name;
      const read = reading.parse([...path, "parent"], parent, readNicOfHost);
      return { ...common, kind: file.kind, parent: read ?? parent, mode: file.mode ?? "absorb" };
    }
  }
}

/** The host's end of a tap has the node's name unless the nic says otherwise. */
function namedAfter(name: string, nic: NonNullable<JointFile["nics"]>[number]) {
  const file = typeof nic === "string" ? { network: nic } : nic;
  return file.name === undefined && NIC_NAME.test(name) ? { ...file, name } : file;
}

function refuseKeys(
  nic: NonNullable<JointFile["nics"]>[number],
  kind: JointSpec["kind"],
  path: Path,
  reading: Reading,
): void {
  if (typeof nic === "string") return;
  for (const key of Object.keys(nic))
    if (!KEYS[kind].includes(key))
      reading.places.reportKey(
        [...path, key],
        () =>
          new YardError("nic.not-of-kind", `"${key}" means nothing at the nic of a node of kind ${kind}`, {
            hint: `what can stand here: ${KEYS[kind].join(", ")}`,
          }),
      );
}

/** Narrower ones have no room for leases. */
const NARROWEST = 28;

/** Clients derive their addresses (RFC 4862) in no other. */
const WIDTH6 = 64;

function readNat(
  file: NatFile,
  path: Path,
  published: PublishedPorts,
  reading: Reading,
): Pick<NatSpec, "cidr" | "ports"> {
  const at = [...path, "cidr"];
  const read = reading.each(at, file.cidr, (text) => {
    const cidr = parseCidr(text);
    const fits = family(cidr) === 4 ? prefixOf(cidr) <= NARROWEST : prefixOf(cidr) === WIDTH6;
    if (fits && networkOf(cidr) === cidr) return cidr;
    throw new YardError("nat.bad-cidr", `${text} is no subnet of IPv4 of /${NARROWEST} or more, nor a /64 of IPv6`, {
      hint: "for instance 10.30.0.0/24, or fd00:30::/64",
    });
  });
  const cidr = read.map(({ value }) => value);
  if (new Set(cidr.map(family)).size < cidr.length || file.cidr.length === 0)
    reading.places.report(
      at,
      () => new YardError("nat.bad-cidr", "a nat has one subnet, or one of IPv4 and one of IPv6"),
    );
  const ports = readPorts(file.ports, [...path, "ports"], published, reading, (text) => parseNatPort(text, cidr));
  return { cidr, ports };
}

function readTarget(
  name: string,
  file: C2cFile,
  path: Path,
  reading: Reading,
): Extract<JointSpec, { kind: "c2c" }>["to"] {
  const wrong = (message: string, hint: string) =>
    reading.places.report(path, () => new YardError("c2c.bad-target", message, { hint }));
  const { yard, peer, id } = file;
  if ((yard === undefined) === (peer === undefined))
    wrong(`"${name}" leads to ${yard === undefined ? "nowhere" : "two places"}`, "give it either a yard or a peer");
  if (peer === undefined) {
    const foreign = (["id", "port", "encrypt"] as const).find((key) => file[key] !== undefined);
    if (foreign !== undefined) wrong(`"${foreign}" is for a link over VXLAN`, "give it a peer in place of a yard");
    const at = reading.parse([...path, "yard"], yard ?? "main", (text) => {
      if (YARD.test(text)) return text;
      throw new YardError("c2c.bad-target", `"${text}" is not the name of a yard`);
    });
    const node = reading.parse([...path, "node"], file.node ?? name, (text) => {
      if (NAME.test(text)) return text;
      throw new YardError("c2c.bad-target", `"${text}" is not the name of a node`);
    });
    return { type: "yard", yard: at ?? "main", node: node ?? name };
  }
  if (file.node !== undefined) wrong('"node" is for a link to another yard of this host', "leave it out");
  if (id === undefined && !reading.unsure([...path, "id"]))
    wrong(`"${name}" needs an "id", the same at both ends`, "a number from 1 to 16777215");
  const ip = reading.parse([...path, "peer"], peer, parseIp);
  if (file.encrypt !== undefined && file.port !== undefined)
    wrong('"port" is that of a VXLAN in clear', "write the port of WireGuard: encrypt: { key: …, port: … }");
  return {
    type: "vxlan",
    peer: ip ?? parseIp("0.0.0.0"),
    id: id ?? 1,
    port: file.port ?? VXLAN_PORT,
    encrypt: readEncrypt(file, path, reading),
  };
}

/**
 * Each encrypted link has a port of its own, as it has a device.
 *
 * @param known the nodes that have one, by UDP port
 */
export function checkTunnel(spec: JointSpec, known: Map<number, string>, reading: Reading): void {
  if (spec.kind !== "c2c" || spec.to.type !== "vxlan" || spec.to.encrypt === undefined) return;
  const { port } = spec.to.encrypt;
  const other = known.get(port);
  if (other !== undefined)
    reading.places.reportKey(["nodes", spec.name, "encrypt"], () => tunnelPortTaken(spec.name, other, port));
  known.set(port, spec.name);
}

/** Why a node cannot have the port that it wants: another one has it. */
export function tunnelPortTaken(node: string, other: string, port: number): YardError {
  return new YardError("c2c.port-taken", `"${node}" and "${other}" have one UDP port for WireGuard, ${port}`, {
    hint: "give one of them another, here and at its other end: encrypt: { key: …, port: … }",
  });
}

/** 32 bytes in base64, as wg(8) writes keys. */
const KEY = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/;
/** What WireGuard is used by where nobody says otherwise. */
const WIREGUARD_PORT = 51_820;

function readEncrypt({ encrypt }: C2cFile, path: Path, reading: Reading): { key: string; port: number } | undefined {
  if (encrypt === undefined) return undefined;
  const { key, port = WIREGUARD_PORT } = typeof encrypt === "string" ? { key: encrypt } : encrypt;
  if (!KEY.test(key))
    reading.places.report(
      [...path, "encrypt"],
      () =>
        new YardError("c2c.bad-key", `"${key}" is no public key of WireGuard`, {
          hint: "44 characters, as `yard key` tells them on the other host",
        }),
    );
  return { key, port };
}
