import { YardError } from "@switchyard/base";
import { controlSocket, runningDaemon } from "./daemon.ts";
import { type CallOptions, unixctl } from "./unixctl.ts";

/**
 * A command to the `ovs-vswitchd` that runs in `runDir`, as ovs-appctl(8) gives it.
 *
 * @returns what it printed
 * @throws YardError `switch.not-running`, `switch.not-answering`, `switch.command-refused`
 */
export async function appctl(
  runDir: string,
  command: string,
  args: readonly string[] = [],
  options: CallOptions = {},
): Promise<string> {
  const id = runningDaemon(runDir, "ovs-vswitchd");
  if (id === undefined) throw new YardError("switch.not-running", `no ovs-vswitchd runs in ${runDir}`);
  return unixctl(controlSocket(runDir, "ovs-vswitchd", id.pid), command, args, options);
}

/** An address that a bridge has learnt, or was given. */
export interface FdbEntry {
  /** The OpenFlow number of the port; `LOCAL` for the bridge's own. */
  readonly ofport: number | "LOCAL";
  readonly vlan: number;
  readonly mac: string;
  /** Seconds since it was last seen; undefined: it does not age. */
  readonly age: number | undefined;
}

/** What a bridge has learnt about where addresses are. @throws as {@link appctl} */
export async function fdbShow(runDir: string, bridge: string, options: CallOptions = {}): Promise<FdbEntry[]> {
  return parseFdb(await appctl(runDir, "fdb/show", [bridge], options));
}

/** The table that `fdb/show` prints: a line of headings, then port, VLAN, MAC and age. */
export function parseFdb(text: string): FdbEntry[] {
  return text.split("\n").flatMap((line) => {
    const [, port, vlan, mac, age] = /^\s*(\d+|LOCAL)\s+(\d+)\s+([0-9a-f:]{17})\s+(\d+|static)\s*$/.exec(line) ?? [];
    if (port === undefined || vlan === undefined || mac === undefined) return [];
    return [
      {
        ofport: port === "LOCAL" ? port : Number(port),
        vlan: Number(vlan),
        mac,
        age: age === undefined || age === "static" ? undefined : Number(age),
      },
    ];
  });
}
