import type { Command } from "commander";
import type { Session } from "./session.ts";

/** What a verb's file exports: it gives the command its arguments, options, help and action. */
export interface VerbModule {
  define(command: Command, session: Session): void;
}

/** A verb, known by name before its file is loaded: only the one that is called is. */
export interface Verb {
  readonly name: string;
  readonly summary: string;
  readonly group: string;
  readonly load: () => Promise<VerbModule>;
}

const labs = "Labs:";
const nodes = "Nodes:";
const changes = "Command by command:";
const host = "Yards and the host:";

/** In the order of the help. */
export const verbs: readonly Verb[] = [
  { name: "up", summary: "make a lab so", group: labs, load: () => import("./commands/up.ts") },
  { name: "plan", summary: "show what `up` would change", group: labs, load: () => import("./commands/plan.ts") },
  {
    name: "down",
    summary: "take a lab, all labs or the yard away",
    group: labs,
    load: () => import("./commands/down.ts"),
  },
  { name: "ps", summary: "list nodes", group: labs, load: () => import("./commands/ps.ts") },
  { name: "check", summary: "run the checks of a lab", group: labs, load: () => import("./commands/check.ts") },
  {
    name: "pingall",
    summary: "ping between all pairs of nodes",
    group: labs,
    load: () => import("./commands/pingall.ts"),
  },
  { name: "init", summary: "write a commented lab file", group: labs, load: () => import("./commands/init.ts") },
  {
    name: "inspect",
    summary: "show all there is to know about a node",
    group: nodes,
    load: () => import("./commands/inspect.ts"),
  },
  { name: "exec", summary: "run a command in a node", group: nodes, load: () => import("./commands/exec.ts") },
  { name: "shell", summary: "open a shell in a node", group: nodes, load: () => import("./commands/shell.ts") },
  {
    name: "console",
    summary: "sit down at the serial console of a virtual machine",
    group: nodes,
    load: () => import("./commands/console.ts"),
  },
  {
    name: "logs",
    summary: "show a container's output or a serial console",
    group: nodes,
    load: () => import("./commands/logs.ts"),
  },
  {
    name: "cp",
    summary: "copy files between the host and a node",
    group: nodes,
    load: () => import("./commands/cp.ts"),
  },
  {
    name: "capture",
    summary: "write what passes a nic as pcapng",
    group: nodes,
    load: () => import("./commands/capture.ts"),
  },
  {
    name: "stop",
    summary: "have nodes run no longer, until they are started",
    group: nodes,
    load: () => import("./commands/stop.ts"),
  },
  {
    name: "start",
    summary: "have stopped nodes run again",
    group: nodes,
    load: () => import("./commands/start.ts"),
  },
  {
    name: "vm",
    summary: "pause, resume, shut down, start or reset a virtual machine",
    group: nodes,
    load: () => import("./commands/vm.ts"),
  },
  {
    name: "snapshot",
    summary: "take, list, return to and remove states of a virtual machine",
    group: nodes,
    load: () => import("./commands/snapshot.ts"),
  },
  {
    name: "save",
    summary: "copy the disk of a virtual machine to an image of its own",
    group: nodes,
    load: () => import("./commands/save.ts"),
  },
  {
    name: "iperf",
    summary: "measure TCP throughput between two nodes",
    group: nodes,
    load: () => import("./commands/iperf.ts"),
  },
  { name: "add", summary: "add a network or a node", group: changes, load: () => import("./commands/add.ts") },
  { name: "rm", summary: "remove nodes or networks", group: changes, load: () => import("./commands/rm.ts") },
  {
    name: "nic",
    summary: "give a node a nic, or take one away",
    group: changes,
    load: () => import("./commands/nic.ts"),
  },
  {
    name: "bridge",
    summary: "make bridges of the kernel's own on the host",
    group: changes,
    load: () => import("./commands/bridge.ts"),
  },
  {
    name: "attach",
    summary: "give a node a nic on a network",
    group: changes,
    load: () => import("./commands/attach.ts"),
  },
  {
    name: "detach",
    summary: "take a nic away from a node",
    group: changes,
    load: () => import("./commands/detach.ts"),
  },
  {
    name: "impair",
    summary: "delay, lose or slow down a nic's or link's frames",
    group: changes,
    load: () => import("./commands/impair.ts"),
  },
  {
    name: "spy",
    summary: "mirror what passes a nic to an interface of its own",
    group: changes,
    load: () => import("./commands/spy.ts"),
  },
  {
    name: "ovs",
    summary: "work on Open vSwitch by single commands",
    group: changes,
    load: () => import("./commands/ovs.ts"),
  },
  { name: "yards", summary: "list the yards of this host", group: host, load: () => import("./commands/yards.ts") },
  {
    name: "doctor",
    summary: "tell what this host has and lacks",
    group: host,
    load: () => import("./commands/doctor.ts"),
  },
  {
    name: "agent",
    summary: "run a yard's agent in the foreground",
    group: host,
    load: () => import("./commands/agent.ts"),
  },
  {
    name: "serve",
    summary: "serve a yard to other programs' clients",
    group: host,
    load: () => import("./commands/serve.ts"),
  },
  {
    name: "docker-driver",
    summary: "serve Docker networks on Open vSwitch",
    group: host,
    load: () => import("./commands/docker-driver.ts"),
  },
  {
    name: "cloonix",
    summary: "put cloonix's commands in place",
    group: host,
    load: () => import("./commands/cloonix.ts"),
  },
  {
    name: "cni",
    summary: "install and try the CNI plugin for container runtimes, mark Kubernetes nodes",
    group: host,
    load: () => import("./commands/cni.ts"),
  },
  {
    name: "cni-agent",
    summary: "attach a container's own switch to vhost-user sockets",
    group: host,
    load: () => import("./commands/cni-agent.ts"),
  },
  {
    name: "completion",
    summary: "print a completion script",
    group: host,
    load: () => import("./commands/completion.ts"),
  },
  {
    name: "key",
    summary: "print the public key of the yard's encrypted links",
    group: host,
    load: () => import("./commands/key.ts"),
  },
  { name: "version", summary: "print the version", group: host, load: () => import("./commands/version.ts") },
];

/** Called by our own scripts and processes, not by people. */
export const hiddenVerbs: readonly Verb[] = [
  { name: "__complete", summary: "", group: host, load: () => import("./commands/complete.ts") },
  { name: "pipes", summary: "", group: host, load: () => import("./commands/pipes.ts") },
  { name: "ec-keeper", summary: "", group: host, load: () => import("./commands/ec-keeper.ts") },
  { name: "relay", summary: "", group: host, load: () => import("./commands/relay.ts") },
  { name: "tunnel", summary: "", group: host, load: () => import("./commands/tunnel.ts") },
];

/** Options before the verb that take a value, so that it is not mistaken for the verb. */
const valued = new Set(["-y", "--yard"]);

/** The verb that an argument vector calls, as typed; undefined when there is none. */
export function verbOf(argv: readonly string[]): string | undefined {
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] ?? "";
    if (valued.has(word)) at++;
    else if (!word.startsWith("-")) return word;
  }
  return undefined;
}
