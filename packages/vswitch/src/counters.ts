import { openDatabase, type WaitOptions } from "@switchyard/ovsdb";
import { schema } from "../schema/open_vswitch.gen.ts";

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
  await using db = await openDatabase({
    remote,
    schema,
    ...options,
    monitor: { Interface: ["name", "statistics"] },
  });
  const counters = new Map<string, Counters>();
  for (const { name, statistics } of db.table("Interface")) {
    if (!ports.has(name) || statistics.size === 0) continue;
    // One that the device does not count is missing (ovs-vswitchd.conf.db(5)).
    const of = (key: string) => Number(statistics.get(key) ?? 0);
    counters.set(name, {
      rxPackets: of("rx_packets"),
      rxBytes: of("rx_bytes"),
      rxDropped: of("rx_dropped"),
      rxErrors: of("rx_errors"),
      txPackets: of("tx_packets"),
      txBytes: of("tx_bytes"),
      txDropped: of("tx_dropped"),
      txErrors: of("tx_errors"),
    });
  }
  return counters;
}
