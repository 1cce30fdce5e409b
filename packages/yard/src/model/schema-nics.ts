/** Nics, their routes and what impairs them, as they are written. */
import { z } from "zod";
import { field, mtu, oneOrMore, text, vlan } from "./fields.ts";
import { IMPLIED_TYPES } from "./implied.ts";

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

export const routes = z.array(routeSchema);

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

export type NicFile = z.infer<typeof nicMappingSchema>;
export type RouteFile = z.infer<typeof routeSchema>;
export type DirectionFile = z.infer<typeof directionSchema>;
export type NicImpairFile = z.infer<typeof nicImpairSchema>;
export type LinkImpairFile = z.infer<typeof linkImpairSchema>;
