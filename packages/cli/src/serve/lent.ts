/** What the doors that work past the agent can do, lent to the HTTP interface: with their own arguments and answers. */
import { callNetwork, ownedPorts, readNetwork } from "@switchyard/doors/cni";
import { runEc } from "@switchyard/doors/ecdock";
import type { LentCommand } from "@switchyard/doors/http";
import { callOvs, ovsCommands, yardPlace } from "@switchyard/doors/ovs";
import { openSwitch } from "@switchyard/vswitch";
import { ensureAgent } from "@switchyard/yard/agent";
import { SYSTEM_YARD, switchRemote, yardPaths } from "@switchyard/yard/paths";
import { z } from "zod";
import { FOLDERS, tryId, withOwnPlugins } from "../cni/own-plugins.ts";
import { selfCommand } from "../self.ts";
import type { Session } from "../session.ts";

export function lentCommands(session: Session, yard: string): LentCommand[] {
  return [...ovs(session, yard), attachments(session, yard), ...cni(session), ec(session, yard)];
}

/** On the switch of the yard that is served. */
function ovs({ env }: Session, yard: string): LentCommand[] {
  return ovsCommands.map((command) => ({
    ...{ door: "ovs", name: command.name, summary: command.summary, method: "POST" },
    // What it does not know is told of by the door.
    schema: command.schema.loose(),
    call(input, { signal, warn }) {
      const start = async () => (await ensureAgent(yard, { executable: selfCommand(), signal }))[Symbol.asyncDispose]();
      return callOvs(yardPlace(yard, env), command.name, input, {
        ...{ signal, warn },
        ...(yard === SYSTEM_YARD ? {} : { start }),
      });
    },
  }));
}

/** What runtimes have attached to the switch of the yard that is served. */
function attachments({ env }: Session, yard: string): LentCommand {
  return {
    ...{ door: "cni", name: "attachments", method: "GET" },
    summary: "list the nics that container runtimes have been given by CNI, on the yard's switch",
    async call(_input, { signal }) {
      await using db = await openSwitch(switchRemote(yardPaths(yard, env)), { timeout: 5_000, signal });
      return ownedPorts(db).map(({ row, containerId, ifname, network, way, dead }) => {
        return { container: containerId, interface: ifname, network, port: row.name, way, dead };
      });
    },
  };
}

const record = z.record(z.string(), z.unknown());
const cniCall = z.strictObject({
  network: record.describe("The network, as a .conf or .conflist file has it."),
  namespace: z.string().startsWith("/").describe("File of the container's network namespace."),
  ifname: z.string().default("eth0").describe("The nic in the container."),
  id: z.string().optional().describe("Of the container; else one made of the namespace."),
  args: z.string().optional().describe("CNI_ARGS: KEY=VALUE;KEY=VALUE"),
  capabilities: record.default({}).describe("Values of runtimeConfig, for plugins that have those capabilities."),
  previous: record.optional().describe("What ADD answered, for CHECK and DEL."),
  path: z.array(z.string().startsWith("/")).optional().describe("Folders of plugins, beside our own."),
});

const verbs = [
  ["add", "ADD", "call a network's plugins for a namespace: give it a nic"],
  ["check", "CHECK", "ask a network's plugins whether a nic is as it was made"],
  ["del", "DEL", "have a network's plugins take a nic away"],
  ["gc", "GC", "have a network's plugins take away what no container has any more"],
  ["status", "STATUS", "ask a network's plugins whether they could serve"],
] as const;

/** What `yard cni try` does, call by call. */
function cni({ env }: Session): LentCommand[] {
  return verbs.map(([name, verb, summary]) => ({
    ...{ door: "cni", name, summary, method: "POST", schema: cniCall },
    call(input, { warn }) {
      const { network, namespace, ifname, id = tryId(namespace), args, path, ...given } = cniCall.parse(input);
      const list = readNetwork(JSON.stringify(network), "network");
      return withOwnPlugins((own) => {
        const call = {
          ...{ containerId: id, netns: namespace, ifname, capabilities: given.capabilities, env, log: warn },
          path: [...(path ?? FOLDERS.split(":")), own],
          ...(args === undefined ? {} : { args }),
        };
        // Nothing is valid but what the namespace has.
        const valid = { "cni.dev/valid-attachments": [{ containerID: id, ifname }] };
        return callNetwork(verb, list, call, given.previous, ...(verb === "GC" ? [valid] : []));
      });
    },
  }));
}

/** `ec`, whose containers and slots are nodes of the yard then; to attach to one is `exec` and its WebSocket. */
function ec({ env }: Session, yard: string): LentCommand {
  const schema = z.strictObject({
    arguments: z.array(z.string()).min(1).describe("As `ec` has them: `--slot=3`, `start`, `busybox`."),
  });
  return {
    ...{ door: "ec", name: "", summary: "do what `ec` does: containers in numbered slots", method: "POST", schema },
    async call(input, { signal, warn }) {
      const lines: string[] = [];
      const asked = await runEc(schema.parse(input).arguments, {
        ...{ yard, executable: selfCommand(), engine: env.DOCKER_HOST, signal, warn },
        print: (line) => void lines.push(line),
      });
      return { lines, attach: asked?.attach ?? null };
    },
  };
}
