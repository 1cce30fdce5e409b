/** What a bridge of the kernel's own needs of its host. */
import { addressOf, family, networkOf } from "@switchyard/base";
import type { BridgeEntry } from "../store/bridge-rows.ts";
import type { NetworkEntry, NodeEntry, Rows } from "../store/rows.ts";
import type { Failure } from "./blame.ts";
import { type Dnsmasq, dnsmasqOn, dynamicRange, type Host } from "./desire-dnsmasq.ts";
import { notForwarding } from "./desire-nat.ts";
import type { HostFacts } from "./host-facts.ts";
import { APART, bridgeMac, dnsmasqFolder, natTable } from "./names.ts";
import type { HostBridgeState, MemberState, NatState } from "./state.ts";
import { purposeOf } from "./subject.ts";

interface Into {
  readonly hostBridges: Map<string, HostBridgeState>;
  readonly members: Map<string, MemberState>;
  readonly nats: Map<string, NatState>;
}

/** Adds a bridge, its members and its rules. */
export function addBridge(bridge: BridgeEntry, facts: HostFacts, into: Into): void {
  const { name, service, nat } = bridge;
  const purpose = purposeOf({ kind: "bridge", bridge: name });
  const cidr = service.mode === "none" ? undefined : service.cidr;
  into.hostBridges.set(name, {
    mac: bridge.mac ?? bridgeMac(facts.yard, name),
    up: true,
    group: APART,
    addresses: cidr === undefined ? [] : [cidr],
    purpose,
  });
  for (const nic of bridge.members) into.members.set(nic, { bridge: name, purpose });
  const subnets = nat && cidr !== undefined ? [networkOf(cidr)] : [];
  into.nats.set(name, { subnets, forwarding: nat, apart: true, purpose });
}

/** What resolves names on a bridge, and leases addresses where it does; nothing where the host is not on it. */
export function bridgeDnsmasq(
  bridge: BridgeEntry,
  networks: readonly NetworkEntry[],
  nodes: readonly NodeEntry[],
  facts: HostFacts,
): Dnsmasq | undefined {
  const { name, service, nat } = bridge;
  if (service.mode === "none") return undefined;
  const folder = dnsmasqFolder(facts.run, natTable(name));
  const own = new Set(networks.flatMap((it) => (it.type === "bridge" && it.bridge === name ? [it.name] : [])));
  const pins = bridge.pins.map((pin): Host => ({ ...pin, name: undefined }));
  const hosts = nodes.flatMap((node) =>
    node.nics.flatMap(({ network, mac, addresses }) =>
      network === undefined || !own.has(network)
        ? []
        : addresses
            .filter((address) => family(address) === 4)
            .map((address): Host => ({ mac, ip: addressOf(address), name: node.name })),
    ),
  );
  // Who has pinned an address says who has it.
  const pinned = new Set(pins.flatMap(({ mac, ip }) => [mac, ip]));
  const others = hosts.filter(({ mac, ip }) => !pinned.has(mac) && !pinned.has(ip));
  const leasing =
    service.mode === "static"
      ? []
      : [
          ...dynamicRange(service),
          `--dhcp-leasefile=${folder}/leases`,
          // Without source NAT the host is no way out.
          ...(nat ? [] : ["--dhcp-option=option:router"]),
        ];
  const named = [
    ...pins,
    ...others,
    ...hosts.filter((it) => !others.includes(it)).map(({ name, ip }) => ({ name, ip })),
  ];
  return dnsmasqOn(
    { device: name, key: natTable(name), purpose: purposeOf({ kind: "bridge", bridge: name }) },
    service.mode === "static" ? ["--leasefile-ro"] : leasing,
    named,
    facts,
  );
}

/** What keeps the bridges of these rows from being as declared. */
export function bridgeFailures(rows: Rows, facts: HostFacts): Failure[] {
  return ownBridges(rows, facts).flatMap(({ name, nat }) =>
    nat ? notForwarding({ kind: "bridge", bridge: name }, facts) : [],
  );
}

/** The bridges that are made on this host. */
export function ownBridges(rows: Rows, facts: HostFacts): readonly BridgeEntry[] {
  return rows.bridges.filter(({ host }) => host === facts.host);
}
