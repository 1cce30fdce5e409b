import { YardError } from "@switchyard/base";
import { createLogger } from "@switchyard/base/log";
import { runContainerAgent } from "@switchyard/doors/container";
import type { Command } from "commander";
import { examples } from "../help.ts";
import { repeated } from "../options.ts";
import { needRoot, type Session } from "../session.ts";

interface Options {
  readonly data: string;
  readonly shared: string;
  readonly annotations: string;
  readonly db: string;
  readonly bridge: string;
  readonly start: boolean;
  readonly set: readonly string[];
  readonly once?: boolean;
}

/** `yard cni-agent` */
export function define(command: Command, session: Session): void {
  command
    .description(
      "In a container: wait for vhost-user sockets that the host's CNI plugin hands over, and make each a port of the\n" +
        "container's own Open vSwitch, with its VLAN, addresses and routes. Where none runs, one with DPDK is started, which ends\n" +
        "with this command. Called usrsp-app it is the same.",
    )
    .option("--data <folder>", "where the host's side writes what is for us", "/var/lib/cni/usrspcni/data")
    .option("--shared <folder>", "where the sockets are", "/var/lib/cni/usrspcni/shared")
    .option("--annotations <file>", "the pod's annotations, by the downward API", "/etc/podinfo/annotations")
    .option("--db <remote>", "of the container's switch", "unix:/var/run/openvswitch/db.sock")
    .option("--bridge <name>", "where nobody names one", "br0")
    .option("--no-start", "wait for a switch that somebody else starts")
    .option("--set <name=value>", "other_config of the switch that is started, such as pmd-cpu-mask=0x2", repeated, [])
    .option("--once", "end when something was handed over, and is so; the switch runs on")
    .action(async (options: Options) => {
      const settings = Object.fromEntries(options.set.map(readSetting));
      needRoot(["cni-agent"], "changing the container's switch");
      await cniAgent(session, options, settings);
    });
  examples(
    command,
    ["yard cni-agent", "until it is stopped"],
    ["yard cni-agent --once && ping 10.1.0.3", "as the first step of a container's own"],
    ["yard cni-agent --set dpdk-socket-mem=256 --set pmd-cpu-mask=0x6", "a switch with more memory, on two cores"],
  );
}

async function cniAgent(
  session: Session,
  { db, once = false, start, set: _, ...places }: Options,
  settings: Readonly<Record<string, string>>,
): Promise<void> {
  const stop = new AbortController();
  await runContainerAgent({
    ...places,
    remote: db,
    start: start && settings,
    leave: once,
    namespace: "self",
    signal: AbortSignal.any([session.signal, stop.signal]),
    log: createLogger("cni-agent"),
    onSettled: (outcomes) => {
      if (once && outcomes.length > 0) stop.abort();
    },
  });
}

function readSetting(word: string): [string, string] {
  const at = word.indexOf("=");
  if (at > 0) return [word.slice(0, at), word.slice(at + 1)];
  throw new YardError("usage.wrong", `"${word}" is not of the form NAME=VALUE`, {
    hint: "such as --set dpdk-socket-mem=128; ovs-vswitchd.conf.db(5) has the names",
  });
}
