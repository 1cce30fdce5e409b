/** What nodes that nothing runs in need of their host: ports of the switch, and what is behind them. */
import { family } from "@switchyard/base";
import { portName, VXLAN_OVERHEAD } from "@switchyard/vswitch";
import { UNIMPAIRED } from "../model/impair.ts";
import type { C2cSpec, JointSpec } from "../model/types.ts";
import type { NodeConfig } from "../store/config.ts";
import type { NicEntry, NodeEntry, Rows } from "../store/rows.ts";
import { addNat, type NatNode } from "./desire-nat-node.ts";
import { phyLink } from "./desire-phy.ts";
import type { Pipes } from "./desire-pipes.ts";
import { ENCRYPTED_MTU, encryptedDevice, encryptedVtep, isEncrypted } from "./desire-tunnel.ts";
import type { HostFacts } from "./host-facts.ts";
import { networkBridge, switchNamespace } from "./names.ts";
import { networkMtu } from "./network-path.ts";
import { type PeerWord, wordFile } from "./peers.ts";
import {
  type FileState,
  HOST,
  type LinkState,
  type NatState,
  type PortState,
  type VethState,
  type VtepState,
} from "./state.ts";
import { purposeOf } from "./subject.ts";

/** Of an a2b that only passes on. */
const NEITHER = { forward: UNIMPAIRED, backward: UNIMPAIRED };

/** What a nic of such a node hangs on. */
export interface JointNic {
  readonly nic: NicEntry;
  readonly mtu: number;
  readonly offloads: boolean;
  /** Its port on its network or link; undefined where it is on none. */
  readonly port: PortState | undefined;
}

interface Into {
  readonly nats: Map<string, NatState>;
  readonly ports: Map<string, PortState>;
  readonly veths: Map<string, VethState>;
  readonly links: Map<string, LinkState>;
  readonly files: Map<string, FileState>;
  readonly vteps: Map<string, VtepState>;
}

/** Adds what a node needs. */
export function addJoint(
  node: NodeEntry,
  spec: Extract<NodeConfig, { kind: JointSpec["kind"] }>,
  nics: readonly JointNic[],
  rows: Rows,
  facts: HostFacts,
  pipes: Pipes,
  nats: ReadonlyMap<string, NatNode>,
  into: Into,
): void {
  const plug = ({ nic, mtu, port }: JointNic, device: PortState | undefined = port) => {
    if (device === undefined) return;
    const impaired = nic.impair && nic.network !== undefined;
    into.ports.set(
      portName(node.objId, nic.index),
      impaired && nic.impair ? pipes.addNic(node, nic, device, mtu, nic.impair) : device,
    );
  };
  switch (spec.kind) {
    case "a2b": {
      const names = { near: portName(node.objId, 0), far: portName(node.objId, 1) };
      const mtu = Math.max(1500, ...nics.map((it) => it.mtu));
      pipes.add(names, mtu, spec.impair ?? NEITHER, purposeOf({ kind: "node", node: node.name }));
      for (const it of nics) if (it.port) plug(it, pipes.end(it.port));
      return;
    }
    case "tap":
      for (const it of nics) {
        into.veths.set(portName(node.objId, it.nic.index), hostEnd(node, it));
        plug(it);
      }
      return;
    case "nat": {
      const nat = nats.get(node.name);
      for (const it of nics) {
        if (nat !== undefined) addNat(nat, it, portName(node.objId, it.nic.index), facts, into);
        if (nat?.obstacle === undefined) plug(it);
      }
      return;
    }
    case "c2c":
      for (const it of nics) addC2c(node, spec.to, it, facts, into, plug);
      return;
    case "phy":
      for (const it of nics) {
        const link = it.port && phyLink(node, spec, it, rows, facts);
        if (link === undefined) continue;
        into.links.set(link.name, link);
        plug(it);
      }
      return;
  }
}

/** An interface of the host's own. */
function hostEnd(node: NodeEntry, { nic, mtu, offloads }: JointNic): VethState {
  return {
    namespace: HOST,
    name: nic.name,
    mac: nic.mac,
    mtu,
    up: true,
    offloads,
    addresses: nic.addresses.toSorted(),
    purpose: purposeOf({ kind: "nic", node: node.name, nic: nic.name }),
  };
}

function addC2c(
  node: NodeEntry,
  to: C2cSpec["to"],
  joint: JointNic,
  facts: HostFacts,
  into: Into,
  plug: (nic: JointNic, device?: PortState) => void,
): void {
  const { nic, mtu, port } = joint;
  if (to.type === "vxlan") {
    if (isEncrypted(to)) {
      const own = portName(node.objId, nic.index);
      const vtep = encryptedVtep(node, to, mtu, purposeOf({ kind: "nic", node: node.name, nic: nic.name }), facts);
      if (vtep === undefined || port === undefined) return;
      into.vteps.set(own, vtep);
      plug(joint);
      return;
    }
    const options = { remote_ip: to.peer, key: String(to.id), dst_port: String(to.port) };
    if (port) plug(joint, { ...port, type: "vxlan", options });
    return;
  }
  const own = portName(node.objId, nic.index);
  const purpose = purposeOf({ kind: "nic", node: node.name, nic: nic.name });
  const word: PeerWord = {
    port: own,
    namespace: switchNamespace(facts.yard) ?? HOST,
    mtu,
    yard: to.yard,
    node: to.node,
  };
  const text = `${JSON.stringify(word)}\n`;
  into.files.set(wordFile(facts.run, facts.yard, node.name), { type: "text", text, bound: false, purpose });
  const peer = peerOf(node.name, to, facts);
  if (peer === undefined) return;
  if (facts.yard < to.yard) {
    const link = { namespace: peer.namespace, name: peer.port, mac: "", mtu: Math.min(mtu, peer.mtu), up: true };
    into.veths.set(own, { ...link, offloads: joint.offloads, addresses: [], purpose });
    plug(joint);
  } else if (facts.ownLinks.has(own)) plug(joint);
}

const ETHERNET = 1500;

/** The networks that a c2c takes to another host: what is on them leaves room for the tunnel, and finishes its packets. */
export function throughTunnels(rows: Rows, facts: HostFacts): { readonly rows: Rows; readonly facts: HostFacts } {
  const room = new Map<string, number>();
  for (const { host, spec, nics } of rows.nodes) {
    if (host !== facts.host || spec.kind !== "c2c" || spec.to.type !== "vxlan") continue;
    const left = isEncrypted(spec.to) ? ENCRYPTED_MTU : ETHERNET - VXLAN_OVERHEAD[family(spec.to.peer)];
    for (const { network = "" } of nics) room.set(network, Math.min(left, room.get(network) ?? left));
  }
  if (room.size === 0) return { rows, facts };
  const all = new Map(rows.networks.map((network) => [network.name, network]));
  const reached = rows.networks.filter(({ name }) => room.has(name));
  const networks = rows.networks.map((network) => {
    const left = room.get(network.name);
    if (left === undefined || network.mtu !== undefined) return network;
    return { ...network, mtu: Math.min(left, networkMtu(network, all)) };
  });
  return {
    rows: { ...rows, networks },
    facts: { ...facts, tunnels: new Set([...facts.tunnels, ...reached.map(networkBridge)]) },
  };
}

/** What the node at the other end tells, if it means this one. */
function peerOf(
  node: string,
  to: Extract<C2cSpec["to"], { type: "yard" }>,
  facts: Pick<HostFacts, "yard" | "peers">,
): PeerWord | undefined {
  const word = facts.peers.get(`${to.yard}@${to.node}`);
  return word?.yard === facts.yard && word.node === node && to.yard !== facts.yard ? word : undefined;
}

/** Why nodes of kind c2c are not joined to their other ends, by node; those that are, or may be, are not told. */
export function apartNodes(rows: Rows, facts: HostFacts): Map<string, string> {
  const apart = new Map<string, string>();
  for (const node of rows.nodes) {
    if (node.host !== facts.host || node.spec.kind !== "c2c") continue;
    const reason = absence(node, node.spec.to, facts);
    if (reason !== undefined) apart.set(node.name, reason);
  }
  return apart;
}

function absence(node: NodeEntry, to: C2cSpec["to"], facts: HostFacts): string | undefined {
  if (isEncrypted(to)) {
    const device = encryptedDevice(facts.yard, node.name, to);
    if (facts.ownLinks.has(device)) return undefined;
    return `its WireGuard device ${device} is not there yet; ${facts.run}/services/tunnel-${node.objId}.log tells of it`;
  }
  if (to.type === "vxlan") return undefined;
  const other = `${to.yard}:${to.node}`;
  if (to.yard === facts.yard) return "it leads to its own yard";
  const word = facts.peers.get(`${to.yard}@${to.node}`);
  if (word === undefined) return `there is no node ${other} at the other end`;
  if (peerOf(node.name, to, facts) === undefined) return `${other} leads to ${word.yard}:${word.node}`;
  const joined = facts.yard < to.yard || node.nics.some((nic) => facts.ownLinks.has(portName(node.objId, nic.index)));
  return joined ? undefined : `the agent of yard ${to.yard} has not made the link yet`;
}
