/**
 * The lab file as it is written. The input types, the first half of the validation (what can be said of one value
 * alone), `schemas/lab.schema.json` and the reference in `docs/lab-file.md` all come from here.
 */
import { z } from "zod";
import { command, ENV_NAME, field, mtu, NAME, oneOrMore, SYSCTL_NAME, settings, text, vlan } from "./fields.ts";
import { IMPLIED_TYPES } from "./implied.ts";
import { machine } from "./schema-vm.ts";

export const routeSchema = z
  .strictObject({
    to: field(text, "Destination: a network such as `10.3.0.0/24`, one address, or `default`.", {
      examples: ["10.3.0.0/24", "default"],
    }),
    via: field(text, "Next hop. Needed for `default`.", { examples: ["10.1.0.9"] }).optional(),
    dev: field(
      text,
      "Name of the node's nic that the route leaves by. In a nic's own `routes` it is that nic.",
    ).optional(),
    metric: field(z.number().int().min(0).max(4294967295), "Priority; the lower wins.", {
      otherwise: "the kernel's",
    }).optional(),
  })
  .meta({ id: "route" });

const routes = z.array(routeSchema);

const amount = z.union([z.string(), z.number()]);

const direction = {
  delay: field(amount, "How long each frame takes longer, 0 to 60s.", {
    otherwise: "none",
    examples: ["10ms", "1.5s", "200us"],
  }).optional(),
  jitter: field(amount, "By how much that varies up and down, at most `delay`. The order of frames stays.", {
    otherwise: "none",
    examples: ["2ms"],
  }).optional(),
  correlation: field(amount, "How much a delay is like the one before it.", {
    otherwise: "0%",
    examples: ["25%"],
  }).optional(),
  loss: field(amount, "Share of the frames that are lost.", { otherwise: "0%", examples: ["0.5%"] }).optional(),
  duplicate: field(amount, "Share of the frames that come twice.", { otherwise: "0%", examples: ["1%"] }).optional(),
  reorder: field(amount, "Share of the frames that are not delayed, and so overtake others.", {
    otherwise: "0%",
    examples: ["5%"],
  }).optional(),
  corrupt: field(amount, "Share of the frames that have one bit turned over.", {
    otherwise: "0%",
    examples: ["0.1%"],
  }).optional(),
  rate: field(amount, "Bits a second, 1kbit to 100gbit.", {
    otherwise: "as fast as can be",
    examples: ["10mbit", "512kbit"],
  }).optional(),
  queue: field(amount, "How much may be under way or wait, in frames, or in bytes with a unit; more is lost.", {
    otherwise: "1000 frames, and room for what `delay` holds",
    examples: [100, "64kB"],
  }).optional(),
};

const directionSchema = z.strictObject(direction);

export const nicImpairSchema = z
  .strictObject({
    ...direction,
    out: field(directionSchema, "From the node only; replaces what is said of both ways.").optional(),
    in: field(directionSchema, "To the node only.").optional(),
  })
  .meta({ id: "impair" });

export const linkImpairSchema = z
  .strictObject({
    ...direction,
    forward: field(
      directionSchema,
      "From the first end to the second only; replaces what is said of both ways.",
    ).optional(),
    backward: field(directionSchema, "From the second end to the first only.").optional(),
  })
  .meta({ id: "link-impair" });

export const nicMappingSchema = z
  .strictObject({
    network: field(
      text,
      "Name of the network it attaches to, or `<type>:<id>` for `type` and `id`. `none`: it is there, and plugged into nothing. Left out only for a nic that has these, or that `links` names.",
    ).optional(),
    type: field(
      z.enum(IMPLIED_TYPES),
      "Attach it to the network of this type that has the `id`; where none is declared, one is made for as long as a nic is on it. `default` has no id.",
      { otherwise: "that of `network`" },
    ).optional(),
    id: field(
      z.union([z.string(), z.number().int()]),
      "With `type`: the number of the VLAN or VXLAN; the name of the bridge, or of the NIC of the host.",
      { examples: [100, "eth1"] },
    ).optional(),
    name: field(text, "Interface name in the node, at most 15 characters.", {
      otherwise: "`eth<n>`, n being its place in the list from 0",
      examples: ["eth0", "uplink"],
    }).optional(),
    mac: field(text, "MAC address, unicast.", {
      otherwise: "derived from the node, or from `slot`",
      examples: ["02:00:00:00:00:01"],
    }).optional(),
    ip: field(
      oneOrMore,
      "Address or addresses, IPv4 and IPv6. Without a prefix length they take that of the network's `cidr`. `none` or an empty list: no address.",
      {
        otherwise: "the `slot`'s, else the lowest free host address of the network's `cidr`; without `cidr` none",
        examples: ["10.1.0.1/24", ["10.1.0.9/24", "fd01::9/64"], "none"],
      },
    ).optional(),
    slot: field(
      z.number().int().min(1).max(65535),
      "Fixes MAC and IP: slot 9 is host number 9 of the network's `cidr`. With `count`, the nodes take consecutive slots from this one.",
      { examples: [9] },
    ).optional(),
    gateway: field(
      oneOrMore,
      "Next hop of the default route, one of each family. `none` or an empty list: no default route.",
      {
        otherwise: "the network's `gateway`; of several nics the first that has one leads the way out",
        examples: ["10.1.0.9", "none"],
      },
    ).optional(),
    dns: field(oneOrMore, "Name server or servers.", { otherwise: "none", examples: ["10.1.0.53"] }).optional(),
    mtu: field(mtu, "Largest packet, in bytes.", { otherwise: "the network's" }).optional(),
    vlan: field(vlan, "VLAN that the nic is in (untagged in the node). With `trunks`, the native VLAN.").optional(),
    trunks: field(z.array(z.number().int().min(0).max(4094)).min(1), "VLANs that pass tagged; 0 is untagged frames.", {
      otherwise: "without `vlan`, every VLAN passes tagged",
      examples: [[10, 20]],
    }).optional(),
    routes: field(routes, "Routes through this nic.", { default: [] }).optional(),
    dhcp: field(
      z.boolean(),
      "Get address, gateway and name servers from a DHCP server, and keep the lease renewed. What is given here wins. On a `nat` the address is the one that `ip`, `slot` or the network fixes.",
      { default: false },
    ).optional(),
    monitor: field(z.boolean(), "Show the counters of its port with it in `yard inspect`.", {
      default: false,
    }).optional(),
    identity: field(
      text,
      "On a `zerotier`: file with the `identity.secret` that the node has, relative to the lab file.",
      {
        otherwise: "one is made, and kept as long as the node has such nics",
      },
    ).optional(),
    hwaddr: field(text, "The same as `mac`.").optional(),
    config: field(
      z.strictObject({
        cidr: field(oneOrMore, "The same as `ip`.").optional(),
        dhcp: field(z.boolean(), "The same as `dhcp`.").optional(),
        gateway: field(oneOrMore, "The same as `gateway`.").optional(),
        gw: field(oneOrMore, "The same again.").optional(),
        dns: field(oneOrMore, "The same as `dns`.").optional(),
      }),
      "Addresses as Zero-OS writes them.",
    ).optional(),
    spy: field(z.boolean(), "Mirror its traffic to the interface `s_<port>` for Wireshark and the like.", {
      default: false,
    }).optional(),
    impair: field(nicImpairSchema, "Delay, loss and the like between the nic and its network.", {
      otherwise: "none",
      examples: [{ delay: "10ms", loss: "1%" }],
    }).optional(),
  })
  .meta({ id: "nic" });

export const nicSchema = z.union([
  field(text, "Short for `{ network: <text> }`.", { examples: ["lan01"] }),
  nicMappingSchema,
]);

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

const commonSchema = z.strictObject(common);

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
  image: field(text, "Image. For `oci` a folder or archive of an image too, and `busybox` is always there.", {
    examples: ["busybox", "docker.io/library/nginx:1.27"],
  }).optional(),
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

const containerDefaultsSchema = z.strictObject({ ...container, ...common });

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

const vmDefaultsSchema = z.strictObject({ ...machine, ...connected });

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
      text,
      "Its subnet, of IPv4, at least a /28. The host has the first address, and leases from the tenth on.",
      {
        examples: ["10.30.0.0/24"],
      },
    ),
    nics: ends(1),
  })
  .meta({ id: "nat" });

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

export const networkMappingSchema = z
  .strictObject({
    type: field(
      z.enum(["lan", "nat", "bridge", "vlan", "vxlan", "macvlan", "passthrough", "zerotier"]),
      "How it is made. `lan`: a learning switch of its own. `nat`: one whose nodes reach the world with the host's address. `bridge`: a bridge that is there, of the switch or the kernel's own, which is left as it is. `vlan`: one VLAN of the bridge `master`, untagged. `vxlan`: a lan that goes on in the same VXLAN on the hosts `peers`, or on all that the multicast of `master` reaches. `macvlan`: what is behind the host's NIC `parent`, where each nic has a MAC of its own. `passthrough`: the NIC `parent` itself. `zerotier`: the network `nwid` of ZeroTier.",
      { default: "lan" },
    ).optional(),
    id: field(
      z.number().int().min(0).max(16777215),
      "The number of the VLAN, 0..4094, 0 being the frames that bear no tag on the master; or of the VXLAN, from 1.",
      { otherwise: "needed for `vlan` and `vxlan`", examples: [100] },
    ).optional(),
    master: field(
      text,
      "`vlan`: where it comes from; `vxlan` without peers: what it goes out by. Another network, or a bridge that the switch has.",
      {
        otherwise: "`backplane`, of a `vxlan` `vxbackend`",
      },
    ).optional(),
    bridge: field(
      text,
      "The bridge of a `bridge`; what that of a `vlan` or `vxlan` is called, at most 15 characters.",
      {
        otherwise: "needed for `bridge`, else `vlbr<id>` or `vxlbr<id>`",
        examples: ["vxbackend"],
      },
    ).optional(),
    nwid: field(text, "`zerotier`: the number of the network, 16 hexadecimal digits.", {
      otherwise: "needed for `zerotier`",
      examples: ["8056c2e21c000001"],
    }).optional(),
    parent: field(text, "`macvlan`, `passthrough`: a NIC of the host.", {
      otherwise: "needed for these",
      examples: ["eth1"],
    }).optional(),
    peers: field(oneOrMore, "`vxlan`: addresses of the other hosts; each has all the others for its peers.", {
      otherwise: "none: the `vxlan` goes out by its `master`",
      examples: [["10.2.0.2", "10.2.0.3"]],
    }).optional(),
    port: field(z.number().int().min(1).max(65535), "`vxlan`: the UDP port of all hosts.", {
      otherwise: "4789, without peers 8472",
    }).optional(),
    address: field(text, "`vxlan` without peers: this host's address on the master, with prefix length.", {
      otherwise: "one that the master's device has already",
      examples: ["10.2.0.1/24"],
    }).optional(),
    cidr: field(oneOrMore, "Subnet, at most one of each family, from which nics that name no address get one.", {
      otherwise: "none: nics have the addresses that they name; a `nat` has one that is free on the host",
      examples: ["10.2.0.0/24", ["10.2.0.0/24", "fd02::/64"]],
    }).optional(),
    gateway: field(
      oneOrMore,
      "Address of the host on this network, within `cidr`: the host reaches the nodes, and is their default gateway.",
      { otherwise: "none: the host is not on this network; of a `nat` the first address", examples: ["10.2.0.254"] },
    ).optional(),
    mtu: field(mtu, "Largest packet, in bytes.", {
      otherwise:
        "1500; what reaches a `vxlan` has 1450, or 1430 where a peer's address is of IPv6, and a `vlan` of it 4 less",
    }).optional(),
  })
  .meta({ id: "network" });

export const networkSchema = z.union([networkMappingSchema, z.null()]);

export const linkSchema = z
  .strictObject({
    endpoints: field(
      z.array(text).length(2),
      "The two ends, `node:nic`. A nic that the node does not declare is made.",
      {
        examples: [["web:eth1", "router:eth2"]],
      },
    ),
    mtu: field(mtu, "Largest packet of both ends, in bytes.", { default: 1500 }).optional(),
    impair: field(linkImpairSchema, "Delay, loss and the like on the way.", {
      otherwise: "none",
      examples: [{ delay: "10ms", forward: { rate: "1mbit" } }],
    }).optional(),
  })
  .meta({ id: "link" });

const source = field(text, "Node that it starts from.", { examples: ["web"] });
const target = field(text, "Node or address that it tries to reach.", { examples: ["router", "10.2.0.254"] });

export const checkSchema = z
  .strictObject({
    ping: field(z.strictObject({ from: source, to: target }), "An ICMP echo is answered.").optional(),
    tcp: field(
      z.strictObject({
        from: source,
        to: target,
        port: field(z.number().int().min(1).max(65535), "TCP port."),
      }),
      "A TCP connection is accepted.",
    ).optional(),
    exec: field(
      z.strictObject({
        node: field(text, "Node that it runs in."),
        command: field(command, "The command; exit code 0 passes.", { examples: ["wget -q -O- http://web/"] }),
      }),
      "A command succeeds in a node.",
    ).optional(),
    expect: field(z.enum(["pass", "fail"]), "`fail` proves that something is *not* reached.", {
      default: "pass",
    }).optional(),
    name: field(text, "What to call it in reports.", { otherwise: "made of the above" }).optional(),
    timeout: field(z.number().positive().max(3600), "Seconds it may take.", { default: 5 }).optional(),
  })
  .meta({ id: "check", oneOf: [{ required: ["ping"] }, { required: ["tcp"] }, { required: ["exec"] }] });

export const defaultsSchema = z
  .strictObject({
    container: field(containerDefaultsSchema, "For nodes of kind `container`.").optional(),
    netns: field(commonSchema, "For nodes of kind `netns`.").optional(),
    vm: field(vmDefaultsSchema, "For nodes of kind `vm`.").optional(),
    nic: field(nicMappingSchema.pick({ mtu: true, dns: true, spy: true }), "For every nic.").optional(),
  })
  .meta({ id: "defaults" });

const name = text.regex(NAME);

export const labSchema = z.strictObject({
  name: field(name, "Name of the lab, unique in its yard.", { examples: ["office"] }),
  networks: field(z.record(name, networkSchema), "Layer-2 segments by name.", { default: {} }).optional(),
  defaults: field(
    defaultsSchema,
    "What nodes and nics take where they say nothing themselves. `env` and `sysctls` are merged key by key, all else is replaced whole.",
    { default: {} },
  ).optional(),
  nodes: field(
    z.record(name, nodeSchema),
    "What has nics, by name. Nodes of a lab resolve each other by these names.",
    {
      default: {},
    },
  ).optional(),
  links: field(z.array(linkSchema), "Wires between two nics: every frame passes, also LLDP, LACP and STP.", {
    default: [],
  }).optional(),
  checks: field(z.array(checkSchema), "What must be so once the lab is up; `yard check` tries them.", {
    default: [],
  }).optional(),
});

export type LabFile = z.infer<typeof labSchema>;
export type NetworkFile = z.infer<typeof networkMappingSchema>;
export type NodeEntryFile = z.infer<typeof nodeSchema>;
export type NatFile = z.infer<typeof natSchema>;
export type C2cFile = z.infer<typeof c2cSchema>;
export type PhyFile = z.infer<typeof phySchema>;
export type JointFile = z.infer<typeof a2bSchema> | z.infer<typeof tapSchema> | NatFile | C2cFile | PhyFile;
export type NodeFile = Exclude<NodeEntryFile, JointFile>;
export type CommonFile = z.infer<typeof commonSchema>;
export type ContainerFile = z.infer<typeof containerDefaultsSchema>;
export type VmFile = z.infer<typeof vmDefaultsSchema>;
export type NicFile = z.infer<typeof nicMappingSchema>;
export type RouteFile = z.infer<typeof routeSchema>;
export type DirectionFile = z.infer<typeof directionSchema>;
export type NicImpairFile = z.infer<typeof nicImpairSchema>;
export type LinkImpairFile = z.infer<typeof linkImpairSchema>;
export type LinkFile = z.infer<typeof linkSchema>;
export type CheckFile = z.infer<typeof checkSchema>;
