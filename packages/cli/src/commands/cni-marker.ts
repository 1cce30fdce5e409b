import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { YardError } from "@switchyard/base";
import { createLogger } from "@switchyard/base/log";
import {
  isKubernetesName,
  markNode,
  offeredBridges,
  openBridges,
  openKubernetes,
  RESOURCE_PREFIX,
  runMarker,
  writeKubeconfig,
} from "@switchyard/doors/cni";
import { switchRemote, yardPaths } from "@switchyard/yard/paths";
import type { Command } from "commander";
import { examples, JSON_HELP } from "../help.ts";
import { hostYardName } from "../host-yard.ts";
import { wholeNumber } from "../options.ts";
import { print, printJson, type Session } from "../session.ts";

interface Options {
  readonly node?: string;
  readonly kubeconfig?: string;
  readonly db?: string;
  readonly prefix: string;
  readonly interval: number;
  readonly heartbeat?: string;
  readonly writeKubeconfig?: string;
  readonly once?: boolean;
  readonly remove?: boolean;
  readonly json?: boolean;
}

/** `yard cni marker` */
export function defineMarker(command: Command, session: Session): void {
  command
    .description(
      "Tell Kubernetes which bridges a node has: each is an extended resource of it, so that pods which\n" +
        "want a nic on one are placed where it is. It follows the switch's database until it is stopped;\n" +
        "the marks stay then. Without -y it is the host's own Open vSwitch where one runs.",
    )
    .option("--node <name>", "the node's name in the cluster (NODE_NAME)")
    .option("--kubeconfig <file>", "where the API is (KUBECONFIG, else the pod's service account)")
    .option("--db <remote>", "of the node's switch, in place of a yard")
    .option("--prefix <domain>", "of the resources' names", RESOURCE_PREFIX)
    .option(
      "--interval <seconds>",
      "between two looks at the node, whose resources others may take away",
      wholeNumber(1, 3600),
      60,
    )
    .option("--heartbeat <file>", "is written each time that the node is marked, for a liveness probe")
    .option("--write-kubeconfig <file>", "keep a kubeconfig of the pod's service account there, for the plugin")
    .option("--once", "mark the node once, and end")
    .option("--remove", "take all marks away, and end")
    .option("--json", JSON_HELP)
    .action(async (options: Options) => {
      const remote = options.db ?? switchRemote(yardPaths(await hostYardName(command, session.env), session.env));
      await mark(session, remote, options);
    });
  examples(
    command,
    ["yard cni marker --node worker-1 --kubeconfig ~/.kube/config", "until Ctrl-C"],
    ["kubectl get node worker-1 -o jsonpath='{.status.capacity}'", "shows them"],
    ["yard cni marker --node worker-1 --remove", "takes them away"],
  );
}

async function mark(session: Session, remote: string, options: Options): Promise<void> {
  const { env, signal, cwd } = session;
  const node = nodeName(options.node ?? env.NODE_NAME);
  const named = options.kubeconfig ?? (env.KUBECONFIG || undefined);
  const kubeconfig = named === undefined ? undefined : resolve(cwd, named);
  const kubernetes = await openKubernetes({ kubeconfig, env, signal });
  const work = { kubernetes, node, prefix: domain(options.prefix) };
  if (options.remove) {
    await markNode(work, []);
    return told(session, options, []);
  }
  await using db = await bridgesOf(remote, work, signal);
  if (options.once) {
    const bridges = offeredBridges(db);
    await markNode(work, bridges);
    return told(session, options, bridges);
  }
  const file = options.writeKubeconfig === undefined ? undefined : resolve(cwd, options.writeKubeconfig);
  if (file !== undefined) writeKubeconfig(file, env);
  const log = createLogger("marker");
  let before = "";
  await runMarker({
    ...work,
    db,
    interval: options.interval * 1000,
    signal,
    log,
    onMarked(bridges) {
      if (file !== undefined) writeKubeconfig(file, env);
      if (options.heartbeat !== undefined) writeFileSync(resolve(cwd, options.heartbeat), "");
      if (before !== bridges.join()) log.info({ node, bridges }, "marked");
      before = bridges.join();
    },
  });
}

/** A node whose switch does not run has no bridges to offer. @throws YardError `cni.switch-away` */
async function bridgesOf(remote: string, work: Parameters<typeof markNode>[0], signal: AbortSignal) {
  try {
    return await openBridges(remote, signal);
  } catch (error) {
    if (!signal.aborted) await markNode(work, []);
    throw error;
  }
}

function told(session: Session, { node, prefix, json }: Options, bridges: readonly string[]): void {
  const resources = bridges.map((bridge) => `${prefix}/${bridge}`);
  if (json) printJson(session, resources);
  else print(session, ...resources.map((name) => `${node ?? session.env.NODE_NAME} has ${name}`));
}

function nodeName(name = ""): string {
  if (isKubernetesName(name)) return name;
  const problem = name === "" ? "the node has no name" : `"${name}" cannot be the name of a node`;
  throw new YardError("usage.wrong", problem, { hint: "--node NAME, as `kubectl get nodes` lists it" });
}

/** The first part of a resource's name. */
function domain(prefix: string): string {
  if (/^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$/.test(prefix) && prefix.length <= 253)
    return prefix;
  throw new YardError("usage.wrong", `"${prefix}" is not a domain`, { hint: `such as ${RESOURCE_PREFIX}` });
}
