import { type Database, openDatabase, type WaitOptions } from "@switchyard/ovsdb";
import { type InterfaceRow, type OpenVSwitchTables, schema } from "../schema/open_vswitch.gen.ts";

/** What has passed a port since it was made, as the switch sees it: `rx` is what it was sent. */
export interface Counters {
  readonly rxPackets: number;
  readonly rxBytes: number;
  readonly rxDropped: number;
  readonly rxErrors: number;
  readonly txPackets: number;
  readonly txBytes: number;
  readonly txDropped: number;
  readonly txErrors: number;
}

/**
 * Reads the counters of ports once. The switch writes them to its database every five seconds
 * (`other_config:stats-update-interval`); nothing more is asked of it.
 *
 * @param remote as of {@link openSwitch}
 * @returns those of the ports that have any
 * @throws the errors of ovsdb's openDatabase
 */
export async function readCounters(
  remote: string,
  ports: ReadonlySet<string>,
  options: WaitOptions = {},
): Promise<Map<string, Counters>> {
  await using db = await openCounters(remote, options);
  return countersIn(db, ({ name }) => ports.has(name));
}

/** Counters that are being watched; disposed of, they are no longer. */
export type CountersWatch = AsyncDisposable;

/** Milliseconds between two readings of a switch that we may tell how often it is to count. */
const OFTEN = 1_000;
const INTERVAL = "stats-update-interval";

/**
 * Tells all counters, now and whenever the switch has written them.
 *
 * @param often whether the switch is to do that each second meanwhile, which is not to be asked of one that is others' too
 * @throws the errors of ovsdb's openDatabase
 */
export async function watchCounters(
  remote: string,
  listener: (counters: ReadonlyMap<string, Counters>) => void,
  options: { readonly often: boolean; readonly signal?: AbortSignal },
): Promise<CountersWatch> {
  const { often, ...limits } = options;
  const db = await openCounters(remote, limits);
  if (often) await setInterval(db, String(OFTEN));
  const tell = () => listener(countersIn(db, () => true));
  const subscription = db.subscribe(tell);
  tell();
  return {
    async [Symbol.asyncDispose]() {
      subscription[Symbol.dispose]();
      // A switch that has gone has nothing to be told.
      if (often && db.connected) await setInterval(db, undefined).catch(() => {});
      await db.close();
    },
  };
}

type CountersDatabase = Database<OpenVSwitchTables>;

function openCounters(remote: string, options: WaitOptions): Promise<CountersDatabase> {
  const monitor = { Interface: ["name", "statistics"], Open_vSwitch: ["other_config"] } as const;
  return openDatabase({ remote, schema, ...options, monitor });
}

async function setInterval(db: CountersDatabase, value: string | undefined): Promise<void> {
  await db.transact((tx) => {
    const row = tx.single("Open_vSwitch");
    if (row === undefined) return;
    const other_config = new Map(row.other_config);
    if (value === undefined) other_config.delete(INTERVAL);
    else other_config.set(INTERVAL, value);
    tx.update("Open_vSwitch", row._uuid, { other_config });
  });
}

function countersIn(db: CountersDatabase, wanted: (row: InterfaceRow) => boolean): Map<string, Counters> {
  const counters = new Map<string, Counters>();
  for (const row of db.table("Interface"))
    if (row.statistics.size > 0 && wanted(row)) counters.set(row.name, countersOf(row));
  return counters;
}

function countersOf({ statistics }: InterfaceRow): Counters {
  // One that the device does not count is missing (ovs-vswitchd.conf.db(5)).
  const of = (key: string) => Number(statistics.get(key) ?? 0);
  return {
    rxPackets: of("rx_packets"),
    rxBytes: of("rx_bytes"),
    rxDropped: of("rx_dropped"),
    rxErrors: of("rx_errors"),
    txPackets: of("tx_packets"),
    txBytes: of("tx_bytes"),
    txDropped: of("tx_dropped"),
    txErrors: of("tx_errors"),
  };
}
