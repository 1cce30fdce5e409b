import type { VmConfig, VmNic, VmSeed } from "@switchyard/runtime";
import { portName } from "@switchyard/vswitch";
import type { CloudInitSpec, VmSpec } from "../model/types.ts";
import { canonicalJson, digest } from "../store/canonical.ts";
import type { NicEntry, NodeEntry } from "../store/rows.ts";
import { isLeased, networkConfig } from "./desire-seed.ts";
import { stoppedState } from "./desire-stopped.ts";
import type { HostFacts } from "./host-facts.ts";
import { LABEL_FINGERPRINT, LABEL_GRACE, LABEL_NODE, LABEL_OWNER } from "./mark.ts";
import { containerName, nicDevice, switchNamespace } from "./names.ts";
import type { Networks } from "./network-path.ts";
import type { LinkMaking, MachineState, TapPlace, TapState } from "./state.ts";
import { purposeOf } from "./subject.ts";

/** A nic of a machine and what its network makes of it. */
export interface Plugged {
  readonly nic: NicEntry;
  readonly tap: string;
  readonly place: TapPlace;
  readonly mtu: number;
  readonly offloads: boolean;
}

/** The device of a nic, by its name: a port of the switch, or where its network says that it is none. */
export function tapState(
  node: NodeEntry,
  nic: NicEntry,
  making: LinkMaking | undefined,
  mtu: number,
  facts: HostFacts,
): readonly [name: string, state: TapState] {
  const port = portName(node.objId, nic.index);
  const common = { up: true, mtu, purpose: purposeOf({ kind: "nic", node: node.name, nic: nic.name }) };
  const hosted = nicDevice(facts.yard, port);
  switch (making?.kind) {
    case undefined:
    // The store refuses it for machines.
    case "passthrough":
      return [port, { ...common, place: { kind: "port" }, mac: "" }];
    case "bridged":
      return [hosted, { ...common, place: making, mac: "" }];
    case "macvlan":
      return [hosted, { ...common, place: { kind: "macvtap", parent: making.parent }, mac: nic.mac }];
  }
}

/** Milliseconds that a machine has for shutting down, where what it has written matters. */
const GRACE = 10_000;

/**
 * A node's virtual machine. Whatever cannot be changed while it runs is in its fingerprint; its nics can, and what
 * cloud-init was told of them holds for its first boot only.
 */
export function machineState(
  node: NodeEntry,
  spec: Omit<VmSpec, "nics">,
  plugged: readonly Plugged[],
  networks: Networks,
  facts: HostFacts,
): MachineState {
  const { disks, isos, kernel, memory, cpus, cloudInit, guestAgent, rebootEnds, maxNics } = spec;
  const namespace = switchNamespace(facts.yard);
  const nics = plugged.map((it) => vmNic(it, networks));
  const lasting = {
    name: containerName(facts.yard, node.name),
    memory: memory / (1024 * 1024),
    cpus,
    disks,
    ...(kernel === undefined
      ? {}
      : {
          kernel: {
            image: kernel.image,
            ...(kernel.initrd === undefined ? {} : { initrd: kernel.initrd }),
            ...(kernel.append === undefined ? {} : { append: kernel.append }),
          },
        }),
    isos,
    mostNics: maxNics,
    ...(namespace === undefined ? {} : { namespace }),
    guestAgent,
    rebootEnds,
  };
  const fingerprint = digest(
    canonicalJson({ ...lasting, disks: disks.map((disk) => ({ ...disk })), cloudInit: cloudInit && { ...cloudInit } }),
    16,
  );
  const labels = {
    [LABEL_OWNER]: facts.yard,
    [LABEL_NODE]: node.name,
    [LABEL_FINGERPRINT]: fingerprint,
    [LABEL_GRACE]: String(disks.some(({ persistent }) => persistent) ? GRACE : 0),
  };
  const seed = cloudInit && { seed: seedOf(node, cloudInit, plugged, networks) };
  const config: VmConfig = { ...lasting, ...seed, nics, labels };
  return { fingerprint, status: "running", ...stoppedState(node), nics, config };
}

/**
 * A guest that asks for a lease gets whole packets: clients that read them raw, busybox's among them, throw those away
 * whose checksum is left to the receiver.
 */
function vmNic({ nic, tap, place, mtu, offloads }: Plugged, networks: Networks): VmNic {
  const device = place.kind === "port" ? {} : { device: place.kind === "macvtap" ? place.kind : ("host" as const) };
  // Who serves a bridge of the kernel's own may lease addresses there too.
  const whole = isLeased(nic, networks) || place.kind === "bridged";
  return {
    ...device,
    index: nic.index,
    tap,
    mac: nic.mac,
    offloads: place.kind === "macvtap" || (offloads && !whole),
    ...(mtu === 0 ? {} : { mtu }),
  };
}

/** cloud-init takes a machine for a new one, and does all its work again, when the id of the instance is another. */
function seedOf(
  node: NodeEntry,
  { userData, metaData, network }: CloudInitSpec,
  plugged: readonly Plugged[],
  networks: Networks,
): VmSeed {
  const told =
    network === "none" ? undefined : network === "nics" ? networkConfig(node, plugged, networks) : network.text;
  const id = digest(canonicalJson({ node: node.name, userData, metaData, told }), 12);
  const meta = { "instance-id": `${node.name}-${id}`, "local-hostname": node.name, ...metaData };
  return {
    // JSON is YAML.
    metaData: `${JSON.stringify(meta, undefined, 1)}\n`,
    userData,
    ...(told === undefined ? {} : { networkConfig: told }),
  };
}
