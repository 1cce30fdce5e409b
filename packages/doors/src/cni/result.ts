/** The result of ADD, read and written as each version of CNI has it (CNI SPEC, section 5; earlier versions' SPEC.md). */
import { YardError } from "@switchyard/base";
import { Fields, isRecord, type JsonRecord, type Problems } from "./fields.ts";
import { isAtLeast, type Version } from "./versions.ts";

export interface ResultInterface {
  readonly name: string;
  readonly mac?: string;
  /** Path of the namespace; undefined: on the host. */
  readonly sandbox?: string;
  readonly mtu?: number;
  readonly socketPath?: string;
  readonly pciID?: string;
}

export interface ResultIp {
  /** With its prefix length. */
  readonly address: string;
  readonly gateway?: string;
  /** Index into the interfaces. */
  readonly interface?: number;
}

export interface ResultRoute {
  readonly dst: string;
  readonly gw?: string;
  readonly mtu?: number;
  readonly advmss?: number;
  readonly priority?: number;
  readonly table?: number;
  readonly scope?: number;
}

export interface Result {
  readonly interfaces: readonly ResultInterface[];
  readonly ips: readonly ResultIp[];
  readonly routes: readonly ResultRoute[];
  readonly dns: JsonRecord;
}

const MOST = 2 ** 32 - 1;

/** A result of any version. What is wrong is added to `problems`. */
export function parseResult(value: unknown, path: string, problems: Problems): Result {
  if (!isRecord(value)) {
    problems.wrong.push(`${path} should be an object`);
    return { interfaces: [], ips: [], routes: [], dns: {} };
  }
  const fields = new Fields(value, path, problems);
  const old = [fields.object("ip4"), fields.object("ip6")].filter((one) => one !== undefined);
  const dns = fields.any("dns");
  return {
    interfaces: fields.objects("interfaces").map(readInterface),
    ips: [
      ...fields.objects("ips").flatMap((one) => readIp(one, "address")),
      ...old.flatMap((one) => readIp(one, "ip")),
    ],
    routes: [fields, ...old].flatMap((one) => one.objects("routes").flatMap(readRoute)),
    dns: isRecord(dns) ? dns : {},
  };
}

function readInterface(fields: Fields): ResultInterface {
  return without({
    name: fields.string("name") ?? "",
    mac: fields.string("mac"),
    sandbox: fields.string("sandbox"),
    mtu: fields.integer("mtu", 0, MOST),
    socketPath: fields.string("socketPath"),
    pciID: fields.string("pciID"),
  });
}

function readIp(fields: Fields, name: "address" | "ip"): ResultIp[] {
  const address = fields.string(name);
  if (address === undefined) {
    fields.wrong(name, "is missing");
    return [];
  }
  const at = fields.integer("interface", -1, MOST);
  return [
    without({ address, gateway: fields.string("gateway"), interface: at === undefined || at < 0 ? undefined : at }),
  ];
}

function readRoute(fields: Fields): ResultRoute[] {
  const dst = fields.string("dst");
  if (dst === undefined) {
    fields.wrong("dst", "is missing");
    return [];
  }
  const number = (name: string) => fields.integer(name, 0, MOST);
  return [
    without({
      dst,
      gw: fields.string("gw"),
      mtu: number("mtu"),
      advmss: number("advmss"),
      priority: number("priority"),
      table: number("table"),
      scope: number("scope"),
    }),
  ];
}

/**
 * The JSON of a result in a version.
 *
 * @throws YardError `cni.incompatible-version` where the version has no way to say it: those before 0.3.0 speak of
 * addresses only
 */
export function renderResult(result: Result, version: Version): string {
  const { dns } = result;
  if (!isAtLeast(version, "0.3.0"))
    return JSON.stringify({ cniVersion: version, ...oldAddresses(result, version), dns });
  const { interfaces, ips, routes } = result;
  const newest = isAtLeast(version, "1.1.0");
  const body = {
    ...(interfaces.length === 0 ? {} : { interfaces: interfaces.map((one) => (newest ? one : plainInterface(one))) }),
    ...(ips.length === 0 ? {} : { ips: ips.map((ip) => (isAtLeast(version, "1.0.0") ? ip : versioned(ip))) }),
    ...(routes.length === 0 ? {} : { routes: routes.map((one) => (newest ? one : plainRoute(one))) }),
  };
  return JSON.stringify({ cniVersion: version, ...body, dns });
}

function plainInterface({ name, mac, sandbox }: ResultInterface): ResultInterface {
  return without({ name, mac, sandbox });
}

function plainRoute({ dst, gw }: ResultRoute): ResultRoute {
  return without({ dst, gw });
}

function versioned(ip: ResultIp): JsonRecord {
  return { version: ip.address.includes(":") ? "6" : "4", ...ip };
}

function oldAddresses({ ips, routes }: Result, version: Version): JsonRecord {
  const of = (six: boolean) => {
    const [first] = ips.filter(({ address }) => address.includes(":") === six);
    if (first === undefined) return undefined;
    const along = routes.filter(({ dst }) => dst.includes(":") === six).map(plainRoute);
    const gateway = first.gateway === undefined ? {} : { gateway: first.gateway };
    return { ip: first.address, ...gateway, ...(along.length === 0 ? {} : { routes: along }) };
  };
  const [ip4, ip6] = [of(false), of(true)];
  if (ip4 === undefined && ip6 === undefined) refuseWithoutAddress(version);
  return { ...(ip4 === undefined ? {} : { ip4 }), ...(ip6 === undefined ? {} : { ip6 }) };
}

/** @throws YardError `cni.incompatible-version` */
export function refuseWithoutAddress(version: Version): never {
  throw new YardError("cni.incompatible-version", `a result of CNI ${version} cannot be without an address`, {
    hint: "set cniVersion to 0.3.0 or later, or give the network an ipam",
  });
}

/** Without the fields that are undefined. */
function without<T extends object>(fields: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
