/**
 * What a yard's host is like, as far as the agent makes it. The desired state (derived from the store) and the actual
 * one (observed) have this one shape, so that the plan is their difference and a model of applying it is a few lines.
 */
import type { ContainerRuntime } from "../model/types.ts";

export interface State {
  /** By name, `_b_<lan>`. */
  readonly bridges: ReadonlyMap<string, BridgeState>;
  /** By name, `_k_<obj_id>_<n>`. */
  readonly ports: ReadonlyMap<string, PortState>;
  /** By name in `/run/netns`: the nodes' namespaces. */
  readonly namespaces: ReadonlyMap<string, NamespaceState>;
  /** By the name of the end in the yard's namespace, which is the port's name. */
  readonly veths: ReadonlyMap<string, VethState>;
  /** By node name. */
  readonly containers: ReadonlyMap<string, ContainerNodeState>;
  /** By id: supervised processes of ours that outlive the agent. */
  readonly services: ReadonlyMap<string, ServiceState>;
  /** By absolute path: hosts and resolv.conf files. */
  readonly files: ReadonlyMap<string, string>;
}

export interface BridgeState {
  readonly datapath: string;
  /** Bridge.other_config entries that we set. */
  readonly otherConfig: Readonly<Record<string, string>>;
  /** No MAC learning on any VLAN: the bridge of a wire. */
  readonly hub: boolean;
  /** What it is for, written to external_ids beside the owner. */
  readonly purpose: string;
}

export interface PortState {
  readonly bridge: string;
  /** Interface.type: `` for a system device. */
  readonly type: string;
  readonly tag: number | undefined;
  readonly trunks: readonly number[];
  readonly vlanMode: "access" | "trunk" | "native-untagged" | undefined;
  readonly options: Readonly<Record<string, string>>;
  /** external_ids of the Interface beside the owner: node, nic. */
  readonly purpose: string;
}

/** A namespace of a node. `routes` and `sysctls` are ours only, not all that are in it. */
export interface NamespaceState {
  /** `<to> [via <ip>] [dev <name>] [metric <n>]`, in that order. */
  readonly routes: readonly string[];
  readonly sysctls: Readonly<Record<string, string>>;
  /** The container whose namespace it is, where the engine makes it (docker); undefined: made by us. */
  readonly container: string | undefined;
}

/** A veth whose far end is the nic of a node. */
export interface VethState {
  /** The namespace of the far end, or `host` for the host's own. */
  readonly namespace: string;
  /** The far end's name. */
  readonly name: string;
  readonly mac: string;
  readonly mtu: number;
  /** Ours, in canonical form, sorted. */
  readonly addresses: readonly string[];
}

export interface ContainerNodeState {
  readonly runtime: ContainerRuntime;
  readonly engine: string | undefined;
  /** Hash of all that can only be changed by making it anew. */
  readonly fingerprint: string;
  readonly running: boolean;
}

export interface ServiceState {
  readonly argv: readonly string[];
  readonly running: boolean;
}
