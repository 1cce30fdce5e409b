/** Whether parts of two states are alike, so far as the plan goes: what is only for people is left out. */
import type { VmNic } from "@switchyard/runtime";
import type {
  BridgeState,
  ContainerNodeState,
  FileState,
  HostBridgeState,
  LinkMaking,
  MirrorState,
  NatState,
  PipeState,
  PortState,
  ServiceState,
  TapPlace,
  TapState,
} from "./state.ts";

export function sameBridge(a: BridgeState, b: BridgeState): boolean {
  return a.datapath === b.datapath && a.hub === b.hub && a.rstp === b.rstp && sameRecord(a.otherConfig, b.otherConfig);
}

/** @param a the desired one */
export function samePort(a: PortState, b: PortState): boolean {
  const place = a.bridge === b.bridge && a.tag === b.tag && a.vlanMode === b.vlanMode && sameList(a.trunks, b.trunks);
  if (a.foreign || b.foreign) return place && a.foreign === b.foreign;
  return (
    place &&
    a.type === b.type &&
    a.protected === b.protected &&
    a.keepsQueue === b.keepsQueue &&
    (a.number === undefined || a.number === b.number) &&
    sameRecord(a.options, b.options)
  );
}

/** Whether one can be made into the other by settings. */
export function samePipeKind(a: PipeState, b: PipeState): boolean {
  return a.far === b.far && a.by === b.by;
}

export function samePipe(a: PipeState, b: PipeState): boolean {
  return samePipeKind(a, b) && a.mtu === b.mtu && a.up === b.up && a.forward === b.forward && a.backward === b.backward;
}

export function sameMirror(a: MirrorState, b: MirrorState): boolean {
  return (
    a.bridge === b.bridge &&
    a.port === b.port &&
    a.tag === b.tag &&
    a.vlanMode === b.vlanMode &&
    sameList(a.trunks, b.trunks)
  );
}

/** Whether one can go on as the other, whatever its status is. */
export function sameContainer(a: ContainerNodeState, b: ContainerNodeState): boolean {
  return (
    a.runtime === b.runtime && a.engine === b.engine && a.fingerprint === b.fingerprint && a.namespace === b.namespace
  );
}

/** @param a the desired one */
export function sameTap(a: TapState, b: TapState): boolean {
  const mtu = a.mtu === 0 || a.mtu === b.mtu;
  return samePlace(a.place, b.place) && mtu && a.up === b.up && (a.mac === "" || a.mac === b.mac);
}

export function samePlace(a: TapPlace, b: TapPlace): boolean {
  switch (a.kind) {
    case "port":
      return b.kind === "port";
    case "bridged":
      return b.kind === "bridged" && a.bridge === b.bridge;
    case "macvtap":
      return b.kind === "macvtap" && a.parent === b.parent;
  }
}

/** Whether a guest could tell one from the other. */
export function sameVmNic(a: VmNic, b: VmNic): boolean {
  return (
    a.index === b.index &&
    a.tap === b.tap &&
    a.mac === b.mac &&
    a.offloads === b.offloads &&
    a.mtu === b.mtu &&
    a.device === b.device
  );
}

/** @param a the desired one */
export function sameNat(a: NatState, b: NatState): boolean {
  return (b.forwarding || !a.forwarding) && a.apart === b.apart && sameList(a.subnets, b.subnets);
}

export function sameMaking(a: LinkMaking, b: LinkMaking): boolean {
  if (a.kind === "bridged") return b.kind === "bridged" && a.bridge === b.bridge;
  return b.kind !== "bridged" && a.kind === b.kind && a.parent === b.parent;
}

export function sameHostBridge(a: HostBridgeState, b: HostBridgeState): boolean {
  return a.mac === b.mac && a.up === b.up && a.group === b.group && sameList(a.addresses, b.addresses);
}

/** Whether one can go on as the other, running or not. */
export function sameService(a: ServiceState, b: ServiceState): boolean {
  return a.namespace === b.namespace && sameList(a.argv, b.argv);
}

export function sameFile(a: FileState, b: FileState): boolean {
  return a.type === "text" ? b.type === "text" && a.text === b.text : b.type === "symlink" && a.target === b.target;
}

export function sameList<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}

function sameRecord(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}
