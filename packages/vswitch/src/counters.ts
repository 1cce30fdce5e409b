import { readFileSync } from "node:fs";
import { type Database, openDatabase, type WaitOptions } from "@switchyard/ovsdb";
import { type InterfaceRow, type OpenVSwitchTables, schema } from "../schema/open_vswitch.gen.ts";
import { runningDaemon } from "./daemon.ts";

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
 * @param options.runDir of the switch: those of ports that are devices of the kernel's are as it has them now
 * @returns those of the ports that have any
 * @throws the errors of ovsdb's openDatabase
 */
export async function readCounters(
  remote: string,
  ports: ReadonlySet<string>,
  { runDir, ...options }: WaitOptions & { readonly runDir?: string } = {},
): Promise<Map<string, Counters>> {
  await using db = await openCounters(remote, options);
  const counters = countersIn(db, ({ name }) => ports.has(name));
  return runDir === undefined ? counters : withDevices(counters, runDir);
}

/** Counters that are being watched; disposed of, they are no longer. */
export type CountersWatch = AsyncDisposable;

/** Milliseconds between two readings of the kernel's counters. */
const OFTEN = 1_000;

/**
 * Tells all counters, now and each second. The switch writes them to its database every five seconds at most
 * (`other_config:stats-update-interval`, ovs-vswitchd.conf.db(5)), so those of ports that are devices of the kernel's are
 * read where the kernel has them. It offers no event; one small file of its tells all of them.
 *
 * @param runDir of the switch
 * @throws the errors of ovsdb's openDatabase
 */
export async function watchCounters(
  remote: string,
  runDir: string,
  listener: (counters: ReadonlyMap<string, Counters>) => void,
  options: WaitOptions = {},
): Promise<CountersWatch> {
  const db = await openCounters(remote, options);
  const tell = () => {
    listener(
      withDevices(
        countersIn(db, () => true),
        runDir,
      ),
    );
  };
  const timer = setInterval(tell, OFTEN);
  tell();
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await db.close();
    },
  };
}

/** The counters with those of devices as the kernel has them now. */
function withDevices(counters: Map<string, Counters>, runDir: string): Map<string, Counters> {
  for (const [device, counted] of deviceCounters(runDir)) if (counters.has(device)) counters.set(device, counted);
  return counters;
}

/** Those of the devices in the switch's network namespace, by name: proc_pid_net(5). None when no switch runs. */
function deviceCounters(runDir: string): Map<string, Counters> {
  const switchId = runningDaemon(runDir, "ovs-vswitchd");
  if (switchId === undefined) return new Map();
  try {
    return parseNetDev(readFileSync(`/proc/${switchId.pid}/net/dev`, "utf8"));
  } catch {
    // It has just ended.
    return new Map();
  }
}

/** The lines of `/proc/net/dev` that are of a device: its name, eight counters of what it was sent, eight of what it sent. */
export function parseNetDev(text: string): Map<string, Counters> {
  return new Map(
    text.split("\n").flatMap((line): [string, Counters][] => {
      const [, device, counted = ""] = /^\s*(\S+):\s*(\d[\d\s]*)$/.exec(line) ?? [];
      if (device === undefined) return [];
      const [rxBytes = 0, rxPackets = 0, rxErrors = 0, rxDropped = 0, , , , , txBytes = 0, ...rest] = counted
        .trim()
        .split(/\s+/)
        .map(Number);
      const [txPackets = 0, txErrors = 0, txDropped = 0] = rest;
      return [[device, { rxPackets, rxBytes, rxDropped, rxErrors, txPackets, txBytes, txDropped, txErrors }]];
    }),
  );
}

type CountersDatabase = Database<OpenVSwitchTables>;

function openCounters(remote: string, options: WaitOptions): Promise<CountersDatabase> {
  const monitor = { Interface: ["name", "statistics"] } as const;
  return openDatabase({ remote, schema, ...options, monitor });
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
