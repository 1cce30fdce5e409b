import { createLogger } from "@switchyard/base/log";
import { runContainerAgent } from "@switchyard/doors/container";
import type { Command } from "commander";
import { examples } from "../help.ts";
import { needRoot, type Session } from "../session.ts";

interface Options {
  readonly data: string;
  readonly shared: string;
  readonly annotations: string;
  readonly db: string;
  readonly bridge: string;
  readonly once?: boolean;
}

/** `yard cni-agent` */
export function define(command: Command, session: Session): void {
  command
    .description(
      "In a container with an Open vSwitch of its own with DPDK: wait for vhost-user sockets that the host's CNI plugin\n" +
        "hands over, and make each a port, with its VLAN and addresses. Called usrsp-app it is the same.",
    )
    .option("--data <folder>", "where the host's side writes what is for us", "/var/lib/cni/usrspcni/data")
    .option("--shared <folder>", "where the sockets are", "/var/lib/cni/usrspcni/shared")
    .option("--annotations <file>", "the pod's annotations, by the downward API", "/etc/podinfo/annotations")
    .option("--db <remote>", "of the container's switch", "unix:/var/run/openvswitch/db.sock")
    .option("--bridge <name>", "where nobody names one", "br0")
    .option("--once", "end when something was handed over, and is so")
    .action(async (options: Options) => {
      needRoot(["cni-agent"], "changing the container's switch");
      await cniAgent(session, options);
    });
  examples(
    command,
    ["yard cni-agent", "until it is stopped"],
    ["yard cni-agent --once && ping 10.1.0.3", "as the first step of a container's own"],
  );
}

async function cniAgent(session: Session, { db, once, ...places }: Options): Promise<void> {
  const stop = new AbortController();
  await runContainerAgent({
    ...places,
    remote: db,
    namespace: "self",
    signal: AbortSignal.any([session.signal, stop.signal]),
    log: createLogger("cni-agent"),
    onSettled: (outcomes) => {
      if (once && outcomes.length > 0) stop.abort();
    },
  });
}
