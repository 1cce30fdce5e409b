/**
 * The lab file as it is written. The input types, the first half of the validation (what can be said of one value
 * alone), `schemas/lab.schema.json` and the reference in `docs/lab-file.md` all come from here.
 */
import { z } from "zod";
import { command, field, mtu, NAME, oneOrMore, text } from "./fields.ts";
import { linkImpairSchema, nicMappingSchema } from "./schema-nics.ts";
import { commonSchema, containerDefaultsSchema, nodeSchema, vmDefaultsSchema } from "./schema-nodes.ts";

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
    rstp: field(
      z.boolean(),
      "`lan`: whether it speaks the Rapid Spanning Tree Protocol, by which lans that are joined in a ring do without one of the ways.",
      { default: false },
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
export type CheckFile = z.infer<typeof checkSchema>;
