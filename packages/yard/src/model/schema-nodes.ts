/** Nodes of all kinds, as they are written. */
import { z } from "zod";
import { command, ENV_NAME, field, oneOrMore, SYSCTL_NAME, settings, text } from "./fields.ts";
import { linkImpairSchema, nicSchema, routes } from "./schema-nics.ts";
import { machine } from "./schema-vm.ts";

const connected = {
  nics: field(z.array(nicSchema).max(1000), "Interfaces, in order. An entry that is only a text names the network.", {
    default: [],
    examples: [["lan01", { network: "lan02", ip: "10.2.0.7/24" }]],
  }).optional(),
  routes: field(routes, "Static routes.", { default: [] }).optional(),
};

const common = {
  ...connected,
  sysctls: field(
    z.record(text.regex(SYSCTL_NAME), settings),
    "Kernel parameters of the node's own namespaces, `net.*` above all.",
    {
      default: {},
      examples: [{ "net.ipv4.ip_forward": 1 }],
    },
  ).optional(),
  env: field(z.record(text.regex(ENV_NAME), settings), "Environment of the commands run in the node.", {
    default: {},
    examples: [{ GREETING: "hello" }],
  }).optional(),
  exec: field(
    z.array(command),
    "Commands run in the node once it is up, in order. Each is a list of arguments, or a text that is split at blanks and quotes. There is no shell; a command that fails is the node's error.",
    { default: [], examples: [["echo up", ["sh", "-c", "echo $HOSTNAME > /tmp/name"]]] },
  ).optional(),
};

export const commonSchema = z.strictObject(common);

const single = {
  count: field(
    z.number().int().min(1).max(10000),
    "How many such nodes: `host` with `count: 3` makes `host-1`, `host-2` and `host-3`.",
    { otherwise: "one node, named as written" },
  ).optional(),
  ports: field(z.array(text), "Published ports: `[address:]host-port:node-port[/tcp|udp]`.", {
    default: [],
    examples: [["8080:80", "127.0.0.1:5353:53/udp"]],
  }).optional(),
};

const container = {
  runtime: field(z.enum(["docker", "podman", "oci"]), "What runs it: Docker, Podman, or runc/crun directly (`oci`).", {
    default: "docker",
  }).optional(),
  image: field(
    text,
    "Image. For `oci` one of the host's image folder, or a path: an archive of `docker save` or in the OCI layout, a packed root file system, or a folder; and `busybox` is always there.",
    {
      examples: ["busybox", "docker.io/library/nginx:1.27"],
    },
  ).optional(),
  rootfs: field(text, "Folder to use as root file system in place of an image, relative to the lab file.", {
    examples: ["./root"],
  }).optional(),
  pull: field(z.enum(["missing", "always", "never"]), "When to fetch the image.", { default: "missing" }).optional(),
  command: field(command, "What it runs, in place of the image's command.", {
    otherwise: "the image's",
    examples: [["httpd", "-f"]],
  }).optional(),
  entrypoint: field(command, "What `command` is handed to.", { otherwise: "the image's" }).optional(),
  user: field(z.union([z.string(), z.number().int().min(0)]), "User, `name`, `uid` or `uid:gid`.", {
    otherwise: "the image's",
    examples: ["nobody", "1000:1000"],
  }).optional(),
  hostname: field(text, "Its host name.", { otherwise: "the node's name" }).optional(),
  privileged: field(z.boolean(), "All capabilities and devices of the host. Think twice.", {
    default: false,
  }).optional(),
  host_network: field(
    z.boolean(),
    "It has the network that the yard's switch is in, and no nics of its own. Not with Docker.",
    { default: false },
  ).optional(),
  cap_add: field(z.array(text), "Capabilities on top of the engine's usual ones.", {
    default: [],
    examples: [["NET_ADMIN"]],
  }).optional(),
  devices: field(z.array(text), "Devices of the host: `/dev/x[:/dev/y[:rwm]]`.", {
    default: [],
    examples: [["/dev/net/tun"]],
  }).optional(),
  binds: field(
    z.array(text),
    "Folders or files of the host: `source:target[:ro|rw]`, `source` relative to the lab file.",
    {
      default: [],
      examples: [["./www:/www:ro"]],
    },
  ).optional(),
  cpus: field(z.number().positive().max(100000), "Processors, fractions allowed.", {
    otherwise: "no limit",
    examples: [0.5],
  }).optional(),
  memory: field(
    z.union([z.string(), z.number().int()]),
    "Memory in bytes, or with a unit of 1024: `64M`, `1.5G`. At least 6M.",
    { otherwise: "no limit", examples: ["64M"] },
  ).optional(),
};

export const containerDefaultsSchema = z.strictObject({ ...container, ...common });

export const netnsSchema = z
  .strictObject({
    kind: field(z.literal("netns"), "A bare network namespace: as cheap as a host can be, with the host's files."),
    ...single,
    ...common,
  })
  .meta({ id: "netns" });

export const containerSchema = z
  .strictObject({
    kind: field(z.literal("container"), "A container; needs `image` or `rootfs`."),
    ...container,
    ...single,
    ...common,
  })
  .meta({ id: "container" });

export const vmDefaultsSchema = z.strictObject({ ...machine, ...connected });

export const vmSchema = z
  .strictObject({
    kind: field(
      z.literal("vm"),
      "A virtual machine, run by QEMU; needs `image`, `disks`, `kernel` or `iso` to boot from.",
    ),
    ...machine,
    ...single,
    ...connected,
  })
  .meta({ id: "vm" });

const ends = (most: number) =>
  field(z.array(nicSchema).max(most), "Its ends on networks; those of `links` need not be written.", {
    default: [],
  }).optional();

export const a2bSchema = z
  .strictObject({
    kind: field(
      z.literal("a2b"),
      "Two nics, between which every frame passes, impaired. `forward` is from the first to the second.",
    ),
    nics: ends(2),
    impair: field(linkImpairSchema, "Delay, loss and the like on the way.", { otherwise: "none" }).optional(),
  })
  .meta({ id: "a2b" });

export const tapSchema = z
  .strictObject({
    kind: field(
      z.literal("tap"),
      "An interface of the host on a network. It is called as the node is, or as its nic's `name`, and has the nic's `ip`, if any.",
    ),
    nics: ends(1),
  })
  .meta({ id: "tap" });

export const natSchema = z
  .strictObject({
    kind: field(
      z.literal("nat"),
      "The host as the way out of the network that its nic is on, whatever type that has: what asks there by DHCP is leased an address.",
    ),
    cidr: field(
      oneOrMore,
      "Its subnet: of IPv4, at least a /28, of IPv6 a /64, or one of each. The host has the first address, and leases from the tenth on.",
      {
        examples: ["10.30.0.0/24", ["10.30.0.0/24", "fd00:30::/64"]],
      },
    ),
    ports: field(
      z.array(text),
      "Ports of the host that lead in: `[address:]host-port:target:port[/tcp|udp]`. The target is an address in the subnet, or a node that has one.",
      { default: [], examples: [["8080:web:80", "[::]:2222:[fd00:30::200]:22"]] },
    ).optional(),
    nics: ends(1),
  })
  .meta({ id: "nat" });

const encryptSchema = z
  .strictObject({
    key: field(text, "The other yard's public key, which `yard key` tells there."),
    port: field(z.number().int().min(1).max(65535), "UDP port of WireGuard, at both ends.", {
      default: 51820,
    }).optional(),
  })
  .meta({ id: "encrypt" });

export const c2cSchema = z
  .strictObject({
    kind: field(z.literal("c2c"), "A link to a node of kind c2c in another yard; needs `yard`, or `peer` and `id`."),
    nics: ends(1),
    yard: field(text, "The other yard, of this host.", { examples: ["site2"] }).optional(),
    node: field(text, "The node at the other end.", { otherwise: "one of the same name" }).optional(),
    peer: field(text, "Address of the other host, which is reached over VXLAN.", { examples: ["10.2.0.2"] }).optional(),
    id: field(z.number().int().min(1).max(16777215), "Number of the VXLAN, the same at both ends.", {
      otherwise: "needed with `peer`",
    }).optional(),
    port: field(z.number().int().min(1).max(65535), "The peer's UDP port.", { default: 4789 }).optional(),
    encrypt: field(
      z.union([field(text, "Short for `{ key: <text> }`."), encryptSchema]),
      "Have all of it pass in WireGuard; the peer does the same.",
      { otherwise: "in clear", examples: ["ULAwOtwgs07n8W1LdurzZASV32CunzaUWTOBSqaVyUY="] },
    ).optional(),
  })
  .meta({ id: "c2c" });

export const phySchema = z
  .strictObject({
    kind: field(z.literal("phy"), "A NIC of the host as a port of a network."),
    nics: ends(1),
    parent: field(text, "The NIC, as `ip link` on the host calls it.", { otherwise: "the node's name" }).optional(),
    mode: field(
      z.enum(["absorb", "macvlan"]),
      "`absorb` takes the NIC itself, which the host has back as it was when the node goes; `macvlan` leaves it to the host, and takes the MAC of the one node on the network there.",
      { default: "absorb" },
    ).optional(),
  })
  .meta({ id: "phy" });

/** What a node can be. */
export const KINDS = ["netns", "container", "vm", "a2b", "tap", "nat", "c2c", "phy"] as const;

export const nodeSchema = z.discriminatedUnion("kind", [
  netnsSchema,
  containerSchema,
  vmSchema,
  a2bSchema,
  tapSchema,
  natSchema,
  c2cSchema,
  phySchema,
]);

export type NodeEntryFile = z.infer<typeof nodeSchema>;
export type NatFile = z.infer<typeof natSchema>;
export type C2cFile = z.infer<typeof c2cSchema>;
export type PhyFile = z.infer<typeof phySchema>;
export type JointFile = z.infer<typeof a2bSchema> | z.infer<typeof tapSchema> | NatFile | C2cFile | PhyFile;
export type NodeFile = Exclude<NodeEntryFile, JointFile>;
export type CommonFile = z.infer<typeof commonSchema>;
export type ContainerFile = z.infer<typeof containerDefaultsSchema>;
export type VmFile = z.infer<typeof vmDefaultsSchema>;
