/** Where jobs run: on the host of a yard, or in a container; and the commands that there are. */
import { bridgeCommands } from "./commands/bridge.ts";
import { coreCommands } from "./commands/core.ts";
import { corexCommands } from "./commands/corex.ts";
import { ipCommands } from "./commands/ip.ts";
import { kvmCommands } from "./commands/kvm.ts";
import { nftCommands } from "./commands/nft.ts";
import { execInContainer, execOnHost, processCommands } from "./commands/process.ts";
import { zerotierCommands } from "./commands/zerotier.ts";
import { containerOf, namespacesOf, OVS_TAG } from "./containers.ts";
import { type Ground, hostNamespaces } from "./ground.ts";
import { type Handler, LEVEL } from "./job.ts";
import type { JobPlace, Jobs } from "./jobs.ts";
import type { Networks } from "./networks.ts";

/** The commands of the host. */
export function hostPlace(ground: Ground, networks: Networks, jobs: Jobs, version: string): JobPlace {
  const commands: Readonly<Record<string, Handler>> = {
    ...coreCommands(jobs, version),
    ...ipCommands(() => hostNamespaces(ground)),
    ...bridgeCommands(ground),
    ...nftCommands(ground),
    ...zerotierCommands(),
    ...kvmCommands(ground, networks),
    ...processCommands(execOnHost(ground)),
    ...corexCommands(ground, networks, jobs, (id) => containerPlace(ground, jobs, version, id)),
  };
  return { container: 0, handler: (name) => (Object.hasOwn(commands, name) ? commands[name] : undefined) };
}

/**
 * The commands of a container.
 *
 * @throws YardError `zeroos.no-container`
 */
function containerPlace(ground: Ground, jobs: Jobs, version: string, id: number): JobPlace {
  const container = containerOf(ground, id);
  const commands: Readonly<Record<string, Handler>> = {
    ...coreCommands(jobs, version),
    // It may have been made anew by the time that a job's turn comes.
    ...ipCommands(() => namespacesOf(ground, containerOf(ground, id))),
    ...processCommands(execInContainer(ground, container)),
  };
  const isOvs = container.note.tags.includes(OVS_TAG);
  return {
    container: id,
    handler(name) {
      if (isOvs && name.startsWith("ovs.")) return ovsCommand(ground, name);
      return Object.hasOwn(commands, name) ? commands[name] : undefined;
    },
  };
}

/** What the plugin of the container does, without a process of its own. */
function ovsCommand(ground: Ground, name: string): Handler {
  return async ({ arguments: input, signal, line }) => ({
    data: await ground.ovs(name, input, signal, (text) => line(LEVEL.stderr, text)),
  });
}
