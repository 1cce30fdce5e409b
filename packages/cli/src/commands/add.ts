import { YardError } from "@switchyard/base";
import { type FilePart, networkSpec, nodeSpec } from "@switchyard/yard/model";
import { addNetwork, addNode, rowsOf } from "@switchyard/yard/store";
import type { Command } from "commander";
import { commit, parseNicWord } from "../commanded.ts";
import { openLiveYard } from "../converge.ts";
import { examples, JSON_HELP, NIC_HELP } from "../help.ts";
import { number, repeated } from "../options.ts";
import { subcommand } from "../program.ts";
import { took } from "../render/duration.ts";
import { type CommonOptions, print, printJson, type Session, yardName } from "../session.ts";
import { defineA2b, defineC2c, defineNat, definePhy, defineTap } from "./add-joint.ts";
import { defineVm } from "./add-vm.ts";
import { environment } from "./exec.ts";

interface NetworkOptions extends CommonOptions {
  readonly type?: string;
  readonly id?: number;
  readonly master?: string;
  readonly bridge?: string;
  readonly peer: readonly string[];
  readonly port?: number;
  readonly address?: string;
  readonly parent?: string;
  readonly nwid?: string;
  readonly cidr: readonly string[];
  readonly gateway: readonly string[];
  readonly mtu?: number;
}

interface NodeOptions extends CommonOptions {
  readonly network: readonly string[];
  readonly nic: readonly string[];
  readonly env: readonly string[];
  readonly sysctl: readonly string[];
  readonly publish: readonly string[];
}

interface ContainerOptions extends NodeOptions {
  readonly runtime: string;
  readonly image?: string;
  readonly rootfs?: string;
  readonly pull?: string;
  readonly entrypoint?: string;
  readonly user?: string;
  readonly hostname?: string;
  readonly privileged?: boolean;
  readonly capAdd: readonly string[];
  readonly device: readonly string[];
  readonly bind: readonly string[];
  readonly cpus?: number;
  readonly memory?: string;
}

/** `yard add network|netns|container …` */
export function define(command: Command, session: Session): void {
  command.description(
    "Add a network or a node to the yard, outside of any lab. When it cannot be made it is withdrawn\n" +
      "again, and leaves nothing behind. The words mean what they mean in a lab file.",
  );
  command
    .argument("[what]", "network, netns, container, vm, a2b, tap, nat, c2c or phy")
    .action((what: string | undefined) => {
      throw new YardError("usage.wrong", what === undefined ? "there is nothing to add" : `"${what}" cannot be added`, {
        hint: "yard add network, netns, container, vm, a2b, tap, nat, c2c or phy; `yard help add` shows examples",
      });
    });
  defineNetwork(subcommand(command, "network", "add a network", session), session);
  defineNetns(subcommand(command, "netns", "add a bare namespace", session), session);
  defineContainer(subcommand(command, "container", "add a container", session), session);
  const vm = subcommand(command, "vm", "add a virtual machine", session);
  defineVm(vm, (name, options, node) => addOne(session, vm, name, options, node));
  const a2b = subcommand(command, "a2b", "add an impaired passage between two networks", session);
  defineA2b(a2b, (name, options, node) => addOne(session, a2b, name, options, node));
  const tap = subcommand(command, "tap", "add an interface of the host on a network", session);
  defineTap(tap, (name, options, node) => addOne(session, tap, name, options, node));
  const nat = subcommand(command, "nat", "add the host as the way out of a network", session);
  defineNat(nat, (name, options, node) => addOne(session, nat, name, options, node));
  const c2c = subcommand(command, "c2c", "add a link to another yard", session);
  defineC2c(c2c, (name, options, node) => addOne(session, c2c, name, options, node));
  const phy = subcommand(command, "phy", "add a NIC of the host to a network", session);
  definePhy(phy, (name, options, node) => addOne(session, phy, name, options, node));
  examples(
    command,
    ["yard add network lan01 --cidr 10.1.0.0/24", "a network that gives nics addresses"],
    ["yard add netns pc -n lan01", "a namespace with one nic"],
    ["yard add container web --runtime oci --image busybox -n lan01,ip=10.1.0.80/24 -- httpd -f", "a container"],
    ["yard add vm big --image debian.qcow2 --cloud-init -n lan01", "a virtual machine"],
  );
}

function defineNetwork(command: Command, session: Session): void {
  command
    .argument("<name>", "its name")
    .option(
      "--type <type>",
      "how it is made: lan, nat, bridge, vlan, vxlan, macvlan, passthrough or zerotier (default: lan)",
    )
    .option("--id <number>", "the number of the VLAN or VXLAN", number)
    .option(
      "--master <name>",
      "network or bridge that the VLAN comes from (default: backplane), or that the VXLAN goes out by (vxbackend)",
    )
    .option("--bridge <name>", "the bridge of type bridge; what that of another type is called")
    .option("--peer <ip>", "address of another host that a VXLAN is on (may be repeated)", repeated, [])
    .option("--port <number>", "the UDP port of a VXLAN (default: 4789, without peers 8472)", number)
    .option("--address <cidr>", "this host's address on the master of a VXLAN without peers")
    .option("--parent <device>", "the host's NIC of a macvlan or passthrough")
    .option("--nwid <number>", "the number of the ZeroTier network, 16 hexadecimal digits")
    .option("--cidr <cidr>", "subnet that nics get addresses of (may be repeated)", repeated, [])
    .option("--gateway <ip>", "address of the host on it (may be repeated)", repeated, [])
    .option("--mtu <bytes>", "largest packet", number)
    .option("--json", JSON_HELP)
    .action(async (name: string, options: NetworkOptions) => {
      const { cidr, gateway, type, id, master, bridge, peer, port, address, parent, nwid, mtu } = options;
      const began = performance.now();
      const yard = yardName(command, session.env);
      const spec = networkSpec(
        name,
        {
          ...some({ cidr, gateway, peers: peer }),
          ...given({ type, id, master, bridge, port, address, parent, nwid, mtu }),
        },
        session.env,
      );
      await using live = await openLiveYard(session, yard);
      const place = { yard, host: live.host };
      const changed = await commit(session, live, `add ${name}`, () => addNetwork(live.store, spec, place), {
        networks: [name],
      });
      report(session, options, `network ${name}`, changed, began);
    });
  examples(
    command,
    ["yard add network lan01 --cidr 10.1.0.0/24 --gateway 10.1.0.254", "the host reaches it too"],
    ["yard add network office --type vlan --id 100 --master lan01", "VLAN 100 of lan01"],
    ["yard add network street --type macvlan --parent eth1", "what is behind a NIC of the host"],
  );
}

function defineNetns(command: Command, session: Session): void {
  nodeOptions(command).action(async (name: string, options: NodeOptions) => {
    await addOne(session, command, name, options, { kind: "netns", ...commonPart(options) });
  });
  examples(command, ["yard add netns pc -n lan01 -n lan02,ip=10.2.0.7/24", "two nics, eth0 and eth1"]);
}

function defineContainer(command: Command, session: Session): void {
  nodeOptions(command)
    .usage("[options] NAME [-- COMMAND [ARGUMENT …]]")
    .argument("[command...]", "what it runs, in place of the image's command")
    .option("--runtime <name>", "docker, podman or oci", "docker")
    .option("--image <image>", "image")
    .option("--rootfs <folder>", "folder to use as root file system in place of an image")
    .option("--pull <policy>", "missing, always or never")
    .option("--entrypoint <program>", "what the command is handed to")
    .option("-u, --user <name>", "user, name or uid[:gid]")
    .option("--hostname <name>", "its host name")
    .option("--privileged", "all capabilities and devices of the host")
    .option("--cap-add <name>", "capability on top of the usual ones (may be repeated)", repeated, [])
    .option("--device <path>", "device of the host (may be repeated)", repeated, [])
    .option("-v, --bind <source:target>", "folder or file of the host (may be repeated)", repeated, [])
    .option("--cpus <count>", "processors, fractions allowed", number)
    .option("-m, --memory <size>", "memory, such as 64M")
    .action(async (name: string, argv: readonly string[], options: ContainerOptions) => {
      const { runtime, image, rootfs, pull, user, hostname, privileged, capAdd, device, bind, cpus, memory } = options;
      await addOne(session, command, name, options, {
        kind: "container",
        ...commonPart(options),
        ...given({ runtime, image, rootfs, pull, user, hostname, privileged, cpus, memory }),
        ...(options.entrypoint === undefined ? {} : { entrypoint: [options.entrypoint] }),
        ...some({ command: argv, cap_add: capAdd, devices: device, binds: bind }),
      });
    });
  examples(
    command,
    ["yard add container web --image nginx -n lan01 -p 8080:80", "with Docker"],
    ["yard add container sh --runtime oci --image busybox -n lan01 -- sleep inf", "without an engine"],
  );
}

function nodeOptions(command: Command): Command {
  return command
    .argument("<name>", "its name")
    .option("-n, --network <nic>", "attach a nic: NETWORK[,FIELD=VALUE]… (may be repeated)", repeated, [])
    .option("--nic <nic>", NIC_HELP, repeated, [])
    .option("-e, --env <name=value>", "environment of its commands (may be repeated)", repeated, [])
    .option("--sysctl <name=value>", "kernel parameter of its namespaces (may be repeated)", repeated, [])
    .option("-p, --publish <ports>", "published port, HOST:NODE[/udp] (may be repeated)", repeated, [])
    .option("--json", JSON_HELP);
}

function commonPart({ network, nic, env, sysctl, publish }: NodeOptions): FilePart {
  return {
    ...some({ nics: [...network, ...nic].map(parseNicWord), ports: publish }),
    env: environment(env),
    sysctls: environment(sysctl),
  };
}

async function addOne(
  session: Session,
  command: Command,
  name: string,
  options: CommonOptions,
  node: FilePart,
): Promise<void> {
  const began = performance.now();
  const yard = yardName(command, session.env);
  await using live = await openLiveYard(session, yard);
  const spec = nodeSpec(name, node, { networks: rowsOf(live.store.db).networks, environment: session.env });
  const place = { yard, host: live.host };
  const changed = await commit(session, live, `add ${name}`, () => addNode(live.store, spec, place), { nodes: [name] });
  report(session, options, `node ${name}`, changed, began);
}

/** What every command that changes one thing says at the end. */
export function report(
  session: Session,
  options: CommonOptions,
  what: string,
  changed: boolean,
  began: number,
  verb = "added",
): void {
  const milliseconds = performance.now() - began;
  if (options.json) printJson(session, { what, changed, milliseconds });
  else print(session, changed ? `${what} ${verb} (${took(milliseconds)})` : `nothing to do (${took(milliseconds)})`);
}

/** The lists that are not empty. */
function some(lists: Readonly<Record<string, readonly unknown[]>>): FilePart {
  return Object.fromEntries(Object.entries(lists).filter(([, list]) => list.length > 0));
}

/** The values that were given. */
function given(values: FilePart): FilePart {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}
