/**
 * Addresses for Docker networks that are created with `--ipam-driver`: chosen so that they meet neither those of the
 * yard's nics nor its gateways. What is given out stands in the yard's database, an entry of `Yard.external_ids` for each
 * pool and each address.
 *
 * The engine repeats a call whose answer it has not seen, and nothing tells that from another one for the same: so what is
 * asked for by name is given again as long as nobody uses it, and an address that was chosen and that no nic has after a
 * minute is free again.
 */
import {
  addressOf,
  type Cidr,
  contains,
  family,
  fromNumber,
  type Ip,
  networkOf,
  overlaps,
  parseCidr,
  parseIp,
  prefixOf,
  toNumber,
  YardError,
} from "@switchyard/base";
import { chooseSubnet, hostSubnets, type Rows, rowsOf, type Store } from "@switchyard/yard/store";
import type { LiveYard } from "./live.ts";

const POOL = "docker-pool ";
const ADDRESS = "docker-address ";

/** Milliseconds in which an address that was chosen must have come to a nic. */
const GRACE = 60_000;

export interface PoolRequest {
  /** Undefined: one that nobody uses. */
  readonly Pool: Cidr | undefined;
  /** The part of the pool that addresses are chosen from. */
  readonly SubPool: Cidr | undefined;
  readonly V6: boolean;
}

/** The option that says what an address is for, and what it says of a gateway's. */
const TYPE = "RequestAddressType";
const GATEWAY = "com.docker.network.gateway";

export interface AddressRequest {
  readonly PoolID: string;
  /** Undefined: one that is free. */
  readonly Address: Ip | undefined;
  readonly Options: Readonly<Record<string, unknown>>;
}

/** `IpamDriver.RequestPool`. @throws YardError `dockernet.pool-overlaps`, `dockernet.bad-request`, `network.no-subnet` */
export async function requestPool(live: LiveYard, request: PoolRequest) {
  if (request.Pool === undefined && request.V6)
    throw new YardError("dockernet.bad-request", "no IPv6 subnet is chosen by itself", { hint: "name one: --subnet" });
  const store = await live.store();
  return await store.db.transact((tx) => {
    const yard = tx.single("Yard");
    const rows = rowsOf(store.db);
    const pools = poolsOf(yard?.external_ids ?? new Map());
    const pool = networkOf(request.Pool ?? free(live.place.yard, rows, pools));
    const used = rows.networks.flatMap(({ cidr }) => cidr);
    const other = pools.find((one) => overlaps(one, pool) && (one !== pool || used.includes(one)));
    if (other !== undefined)
      throw new YardError("dockernet.pool-overlaps", `${pool} overlaps ${other}, which another Docker network has`);
    const set = [[`${POOL}${pool}`, request.SubPool ?? ""] as const];
    if (yard === undefined)
      tx.insert("Yard", { name: live.place.yard, next_cfg: 0, next_obj_id: 1, external_ids: new Map(set) });
    else tx.mutate("Yard", yard._uuid, { external_ids: { set } });
    return { PoolID: pool, Pool: pool, Data: {} };
  });
}

/** `IpamDriver.ReleasePool`, with all that was given out of it. */
export async function releasePool(live: LiveYard, id: string): Promise<void> {
  const store = await live.store();
  await store.db.transact((tx) => {
    const yard = tx.single("Yard");
    if (yard === undefined) return;
    const own = [...yard.external_ids.keys()].filter(
      (key) => key === `${POOL}${id}` || key.startsWith(`${ADDRESS}${id} `),
    );
    if (own.length > 0) tx.mutate("Yard", yard._uuid, { external_ids: { delete: own } });
  });
}

/**
 * `IpamDriver.RequestAddress`: the one that is asked for, or else the lowest that is free.
 *
 * @throws YardError `dockernet.unknown-pool`, `dockernet.address-taken`, `dockernet.pool-exhausted`
 */
export async function requestAddress(live: LiveYard, { PoolID: id, Address: wanted, Options }: AddressRequest) {
  // A gateway, or one that the user keeps for something else, may never be a nic's.
  const lasting = wanted !== undefined || Options[TYPE] === GATEWAY;
  const store = await live.store();
  return await store.db.transact((tx) => {
    const yard = tx.single("Yard");
    const part = yard?.external_ids.get(`${POOL}${id}`);
    if (yard === undefined || part === undefined)
      throw new YardError("dockernet.unknown-pool", `the yard keeps no pool ${id}`);
    const pool = parseCidr(id);
    const used = usedIn(pool, store);
    if (wanted !== undefined && used.has(wanted))
      throw new YardError("dockernet.address-taken", `${wanted} has been given to another`);
    const taken = new Set([...used, ...reservedIn(pool, yard.external_ids)]);
    const ip = wanted ?? lowest(pool, part === "" ? pool : parseCidr(part), taken);
    if (ip === undefined) throw new YardError("dockernet.pool-exhausted", `no address of ${id} is free`);
    tx.mutate("Yard", yard._uuid, {
      external_ids: { set: [[`${ADDRESS}${id} ${ip}`, lasting ? "" : String(Date.now())]] },
    });
    return { Address: `${ip}/${prefixOf(pool)}`, Data: {} };
  });
}

/** `IpamDriver.ReleaseAddress`; one that is free is no error. */
export async function releaseAddress(live: LiveYard, id: string, ip: Ip | undefined): Promise<void> {
  const store = await live.store();
  await store.db.transact((tx) => {
    const yard = tx.single("Yard");
    const key = `${ADDRESS}${id} ${ip}`;
    if (yard?.external_ids.has(key)) tx.mutate("Yard", yard._uuid, { external_ids: { delete: [key] } });
  });
}

function poolsOf(ids: ReadonlyMap<string, string>): Cidr[] {
  return [...ids.keys()].filter((key) => key.startsWith(POOL)).map((key) => parseCidr(key.slice(POOL.length)));
}

function free(yard: string, rows: Rows, pools: readonly Cidr[]): Cidr {
  const spec = { name: "Docker", type: "nat", cidr: [], gateway: [], mtu: undefined } as const;
  const { cidr } = chooseSubnet(spec, undefined, () => [
    ...pools,
    ...rows.networks.flatMap((network) => network.cidr),
    ...hostSubnets(yard).map((subnet) => subnet.cidr),
  ]);
  const [first] = cidr;
  if (first === undefined) throw new YardError("dockernet.pool-exhausted", "no subnet is free");
  return first;
}

/** What has been given out and may be on its way to a nic, or is to stay free. */
function reservedIn(pool: Cidr, ids: ReadonlyMap<string, string>): Ip[] {
  const prefix = `${ADDRESS}${pool} `;
  return [...ids]
    .filter(([key, since]) => key.startsWith(prefix) && (since === "" || Date.now() - Number(since) < GRACE))
    .map(([key]) => parseIp(key.slice(prefix.length)));
}

/** What nics and gateways have. */
function usedIn(pool: Cidr, store: Store): ReadonlySet<Ip> {
  const { networks, nodes } = rowsOf(store.db);
  const nics = nodes.flatMap((node) => node.nics.flatMap((nic) => nic.addresses.map(addressOf)));
  const gateways = networks.flatMap(({ gateway }) => gateway);
  return new Set([...nics, ...gateways].filter((ip) => contains(pool, ip)));
}

/** The lowest host address of `part` that is neither taken nor the pool's network or broadcast address. */
function lowest(pool: Cidr, part: Cidr, taken: ReadonlySet<Ip>): Ip | undefined {
  const version = family(pool);
  const range = (cidr: Cidr) => {
    const base = toNumber(addressOf(networkOf(cidr)));
    return [base, base + (1n << BigInt((version === 4 ? 32 : 128) - prefixOf(cidr))) - 1n] as const;
  };
  const [first, last] = range(part);
  const [network, broadcast] = range(pool);
  for (let n = first; n <= last; n++) {
    const ip = fromNumber(n, version);
    if (n !== network && (n !== broadcast || version === 6) && !taken.has(ip)) return ip;
  }
  return undefined;
}
