/** What arbitrary states grow from: few names, so that they meet often. */
import fc from "fast-check";
import type { FileState, LinkMaking } from "../src/agent/state.ts";

export const LANS = ["a", "b", "c"];
export const NODES = ["n1", "n2", "n3"];

interface NicSeed {
  readonly lan: string;
  /** How it comes about where it is no port of the switch. */
  readonly making: LinkMaking | undefined;
  readonly name: string;
  readonly mac: string;
  readonly mtu: number;
  readonly addresses: readonly string[];
  readonly tag: number | undefined;
  readonly spy: boolean;
  readonly routes: readonly string[];
}
interface NodeSeed {
  readonly name: string;
  readonly kind: "netns" | "docker" | "podman" | "oci" | "guest" | "vm";
  readonly fingerprint: string;
  readonly nics: readonly NicSeed[];
  readonly sysctls: Readonly<Record<string, string>>;
  readonly exec: string | undefined;
  readonly stopped: boolean;
}
interface BridgeSeed {
  readonly name: string;
  readonly mac: string;
  readonly address: string | undefined;
  readonly nat: boolean;
  readonly nics: readonly string[];
}
export interface Seed {
  readonly lans: readonly string[];
  /** The lans that a tunnel's device is a port of, with its VNI. */
  readonly tunnelled: Readonly<Record<string, number>>;
  /** The lans that a pipe leads to, with its MTU. */
  readonly piped: Readonly<Record<string, number>>;
  /** The lans that a NIC of the host's is a port of. */
  readonly absorbed: Readonly<Record<string, LinkMaking>>;
  /** The lans that are hidden behind the host, by their gateway's subnet. */
  readonly hidden: Readonly<Record<string, string>>;
  /** Of the kernel's own. */
  readonly bridges: readonly BridgeSeed[];
  readonly datapath: string;
  readonly offloads: boolean;
  readonly nodes: readonly NodeSeed[];
  readonly files: readonly (readonly [string, FileState])[];
  readonly relay: string | undefined;
}

const address = fc.constantFrom("10.0.0.1/24", "10.0.0.2/24", "10.0.1.1/24", "fd01::1/64");
const nicSeed: fc.Arbitrary<NicSeed> = fc.record({
  lan: fc.constantFrom(...LANS),
  making: fc.constantFrom<(LinkMaking | undefined)[]>(
    undefined,
    undefined,
    { kind: "bridged", bridge: "br0" },
    { kind: "bridged", bridge: "br1" },
    { kind: "macvlan", parent: "nic2" },
    { kind: "passthrough", parent: "nic3" },
    { kind: "passthrough", parent: "nic4" },
  ),
  name: fc.constantFrom("eth0", "eth1", "eth2"),
  mac: fc.constantFrom("", "02:00:00:00:00:01", "02:00:00:00:00:02"),
  mtu: fc.constantFrom(1500, 9000),
  addresses: fc.uniqueArray(address, { maxLength: 3 }).map((list) => list.toSorted()),
  tag: fc.constantFrom(undefined, 7),
  spy: fc.boolean(),
  routes: fc.uniqueArray(fc.constantFrom("default4 via 10.0.0.9", "10.9.0.0/16 via 10.0.0.8", "10.8.0.0/16"), {
    maxLength: 2,
  }),
});
const nodeSeed: fc.Arbitrary<NodeSeed> = fc.record({
  name: fc.constantFrom(...NODES),
  kind: fc.constantFrom("netns", "docker", "podman", "oci", "guest", "vm"),
  fingerprint: fc.constantFrom("f1", "f2"),
  nics: fc.uniqueArray(nicSeed, { maxLength: 3, selector: (nic) => nic.name }),
  sysctls: fc.dictionary(fc.constantFrom("net.a", "net.b"), fc.constantFrom("0", "1"), { noNullPrototype: true }),
  exec: fc.constantFrom(undefined, "h1", "h2"),
  stopped: fc.constantFrom(false, false, true),
});
const file: fc.Arbitrary<FileState> = fc.oneof(
  fc.record({
    type: fc.constant("text" as const),
    text: fc.constantFrom("x", "y"),
    bound: fc.boolean(),
    purpose: fc.constant(""),
  }),
  fc.record({ type: fc.constant("symlink" as const), target: fc.constantFrom("/x", "/y"), purpose: fc.constant("") }),
);
const bridgeSeed: fc.Arbitrary<BridgeSeed> = fc.record({
  name: fc.constantFrom("br0", "br1"),
  mac: fc.constantFrom("02:00:00:00:05:01", "02:00:00:00:05:02"),
  address: fc.constantFrom(undefined, "10.5.0.1/24", "10.6.0.1/24"),
  nat: fc.boolean(),
  nics: fc.uniqueArray(fc.constantFrom("nic0", "nic1")),
});
export const seed: fc.Arbitrary<Seed> = fc.record({
  bridges: fc.uniqueArray(bridgeSeed, { selector: (bridge) => bridge.name }),
  lans: fc.uniqueArray(fc.constantFrom(...LANS)),
  hidden: fc.dictionary(fc.constantFrom(...LANS), fc.constantFrom("10.0.0.0/24", "10.0.0.0/16"), {
    noNullPrototype: true,
  }),
  tunnelled: fc.dictionary(fc.constantFrom(...LANS), fc.constantFrom(7, 8), { noNullPrototype: true }),
  piped: fc.dictionary(fc.constantFrom(...LANS), fc.constantFrom(1500, 9000), { noNullPrototype: true }),
  absorbed: fc.dictionary(
    fc.constantFrom(...LANS),
    fc.constantFrom<LinkMaking[]>(
      { kind: "macvlan", parent: "nic2" },
      { kind: "passthrough", parent: "nic3" },
      { kind: "passthrough", parent: "nic5" },
    ),
    { noNullPrototype: true },
  ),
  datapath: fc.constantFrom("netdev", "system"),
  offloads: fc.boolean(),
  nodes: fc.uniqueArray(nodeSeed, { selector: (node) => node.name }),
  files: fc.uniqueArray(fc.tuple(fc.constantFrom("/p", "/q"), file), { selector: ([path]) => path }),
  relay: fc.constantFrom(undefined, "r1", "r2"),
});
