/**
 * Addresses for Docker networks that are created with `--ipam-driver`: chosen so that they meet neither those of the
 * yard's nics nor its gateways. What is given out stands in the yard's database, an entry of `Yard.external_ids` for each
 * pool and each address.
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
  prefixOf,
  toNumber,
  YardError,
} from "@switchyard/base";
import { chooseSubnet, hostSubnets, type Rows, rowsOf, type Store } from "@switchyard/yard/store";
import type { LiveYard } from "./live.ts";

const POOL = "docker-pool ";
const ADDRESS = "docker-address ";

export interface PoolRequest {
  /** Undefined: one that nobody uses. */
  readonly Pool: Cidr | undefined;
  /** The part of the pool that addresses are chosen from. */
  readonly SubPool: Cidr | undefined;
  readonly V6: boolean;
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
    const other = pools.find((one) => overlaps(one, pool));
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
export async function requestAddress(live: LiveYard, id: string, wanted: Ip | undefined) {
  const store = await live.store();
  return await store.db.transact((tx) => {
    const yard = tx.single("Yard");
    const part = yard?.external_ids.get(`${POOL}${id}`);
    if (yard === undefined || part === undefined)
      throw new YardError("dockernet.unknown-pool", `the yard keeps no pool ${id}`);
    const pool = parseCidr(id);
    const taken = takenIn(pool, yard.external_ids, store);
    if (wanted !== undefined && taken.has(wanted))
      throw new YardError("dockernet.address-taken", `${wanted} has been given to another`);
    const ip = wanted ?? lowest(pool, part === "" ? pool : parseCidr(part), taken);
    if (ip === undefined) throw new YardError("dockernet.pool-exhausted", `no address of ${id} is free`);
    tx.mutate("Yard", yard._uuid, { external_ids: { set: [[`${ADDRESS}${id} ${ip}`, ""]] } });
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

function takenIn(pool: Cidr, ids: ReadonlyMap<string, string>, store: Store): ReadonlySet<Ip> {
  const prefix = `${ADDRESS}${pool} `;
  const given = [...ids.keys()].filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length));
  const { networks, nodes } = rowsOf(store.db);
  const nics = nodes.flatMap((node) => node.nics.flatMap((nic) => nic.addresses.map(addressOf)));
  const gateways = networks.flatMap(({ gateway }) => gateway);
  // Texts that were addresses when they were written.
  return new Set([...(given as Ip[]), ...[...nics, ...gateways].filter((ip) => contains(pool, ip))]);
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
