/**
 * What the agent can do to a host: a closed set of small steps. All are idempotent for whoever carries them out: what
 * is already so (a namespace that exists, a route that is gone) is success.
 */
import type { VmNic } from "@switchyard/runtime";
import type {
  BridgeState,
  ContainerNodeState,
  ExecState,
  FileState,
  HostBridgeState,
  LinkState,
  MachineState,
  MembershipState,
  MirrorState,
  NatState,
  PipeState,
  PortState,
  ServiceState,
  TapPlace,
  TapState,
  UnderlayState,
  VethState,
  VtepState,
} from "./state.ts";
import type { Subject } from "./subject.ts";

export type Action = { readonly subject: Subject } /** End a supervised process. */ & (
  | { readonly do: "service-stop"; readonly id: string }
  /** Kill and remove a container; its docker namespace dies with it, but a name in `/run/netns` keeps it alive. */
  | { readonly do: "container-remove"; readonly node: string; readonly container: ContainerNodeState }
  /** End a container's first process; what it has written stays. */
  | {
      readonly do: "container-stop";
      readonly node: string;
      readonly container: ContainerNodeState;
      /** Milliseconds between SIGTERM and SIGKILL. */
      readonly grace: number;
    }
  /** Press a virtual machine's power button, and after `grace` milliseconds switch it off. */
  | { readonly do: "machine-stop"; readonly node: string; readonly grace: number }
  /** Switch a virtual machine off and delete what was kept of it; its tap devices stay. */
  | { readonly do: "machine-remove"; readonly node: string }
  /** Have a machine give a nic back, and unplug it. */
  | { readonly do: "machine-unplug"; readonly node: string; readonly index: number }
  /** End what runs in a namespace, unmount and remove its name. The veths that end in it die with it. */
  | { readonly do: "namespace-delete"; readonly namespace: string }
  /** Remove a veth by its near end. */
  | { readonly do: "veth-delete"; readonly veth: string }
  | { readonly do: "tap-delete"; readonly tap: string; readonly place: TapPlace }
  /** Remove the device of a spy. */
  | { readonly do: "sink-delete"; readonly sink: string }
  | { readonly do: "file-delete"; readonly path: string }
  /** Write a text, in place where containers bind it; or make a symbolic link. Folders on the way are made. */
  | { readonly do: "file-write"; readonly path: string; readonly file: FileState }
  /** Make a namespace of that name, lo up. */
  | { readonly do: "namespace-create"; readonly namespace: string; readonly node: string }
  /** Make a container, not started. Its namespace is there unless its runtime makes its own. */
  | { readonly do: "container-create"; readonly node: string; readonly container: ContainerNodeState }
  /** Make a virtual machine with all its nics, not started. */
  | { readonly do: "machine-create"; readonly node: string; readonly machine: MachineState }
  /** Start a container that is made or has exited. */
  | { readonly do: "container-start"; readonly node: string; readonly container: ContainerNodeState }
  /** Give the namespace of a running container its name in `/run/netns`. */
  | { readonly do: "namespace-adopt"; readonly namespace: string; readonly node: string }
  /** Make a veth with both ends' MTU and the far end's MAC and offloads, move the far end, set both up. Addresses come apart. */
  | { readonly do: "veth-create"; readonly veth: string; readonly state: VethState }
  /** Make a tap device, or macvtap. */
  | { readonly do: "tap-create"; readonly tap: string; readonly state: TapState }
  /** Change a tap device to this. */
  | { readonly do: "tap-set"; readonly tap: string; readonly state: TapState }
  /** Change of a veth only what is given. */
  | {
      readonly do: "veth-set";
      readonly veth: string;
      /** Of the far end. */
      readonly namespace: string;
      readonly name: string;
      readonly mac?: string;
      readonly mtu?: number;
      readonly up?: true;
      /** Of the far end. */
      readonly offloads?: false;
    }
  /** Make both ends of a pipe, up, with what netem is told. */
  | { readonly do: "pipe-create"; readonly pipe: string; readonly state: PipeState }
  /** Give the ends of a pipe what they lack. */
  | { readonly do: "pipe-set"; readonly pipe: string; readonly state: PipeState }
  | { readonly do: "pipe-delete"; readonly pipe: string; readonly far: string }
  /** Make the device of a spy, up. */
  | { readonly do: "sink-create"; readonly sink: string; readonly purpose: string }
  /** Set it up. */
  | { readonly do: "sink-set"; readonly sink: string }
  /** Make a nic that is no port of the switch, set up. Addresses come apart. One that the host needs is refused. */
  | { readonly do: "link-create"; readonly link: string; readonly state: LinkState }
  /** Change of such a nic only what is given. */
  | {
      readonly do: "link-set";
      readonly link: string;
      readonly namespace: string;
      readonly name: string;
      readonly mac?: string;
      readonly mtu?: number;
      readonly up?: true;
      /** The bridge of the kernel's own that its other end becomes a member of. */
      readonly bridge?: string;
      /** It has another end on the host, which is changed alike. */
      readonly both: boolean;
    }
  /** Remove such a nic that we made. */
  | { readonly do: "link-delete"; readonly link: string; readonly state: LinkState }
  /** Give a NIC back to the host, as it was. */
  | { readonly do: "link-return"; readonly link: string; readonly state: LinkState }
  /**
   * Take a port out of the switch; `renewed` when its device is about to be made anew: a userspace datapath would hold on
   * to the device of that name that is gone, so the switch must have let go of it first.
   */
  | { readonly do: "port-delete"; readonly port: string; readonly renewed?: true }
  | { readonly do: "bridge-delete"; readonly bridge: string }
  /** Make a bridge or change it to this. */
  | { readonly do: "bridge-set"; readonly bridge: string; readonly state: BridgeState }
  /** Make a port or change it to this, to another bridge too. */
  | {
      readonly do: "port-set";
      readonly port: string;
      readonly state: PortState;
      /** Its device is one that needs bridges to be there first. */
      readonly late?: true;
    }
  /** Make a spy, or change it to this. Its device and the port that it spies on are there. */
  | { readonly do: "mirror-set"; readonly mirror: string; readonly state: MirrorState }
  /** `renewed` as of a port. */
  | { readonly do: "mirror-delete"; readonly mirror: string; readonly renewed?: true }
  | { readonly do: "sysctl-set"; readonly namespace: string; readonly name: string; readonly value: string }
  /** `route` is a text of route.ts. */
  | { readonly do: "route-delete"; readonly namespace: string; readonly route: string }
  | {
      readonly do: "address-delete";
      readonly veth: string;
      readonly namespace: string;
      readonly name: string;
      readonly address: string;
    }
  | {
      readonly do: "address-add";
      readonly veth: string;
      readonly namespace: string;
      readonly name: string;
      readonly address: string;
    }
  | { readonly do: "route-add"; readonly namespace: string; readonly route: string }
  /** Set a bridge's own device up, and change our addresses on it to these. */
  | {
      readonly do: "underlay-set";
      readonly device: string;
      readonly state: UnderlayState;
      readonly gone: readonly string[];
    }
  /** Take our addresses off one. */
  | { readonly do: "underlay-clear"; readonly device: string; readonly gone: readonly string[] }
  /** Make a VXLAN device, or change one that is `there`. */
  | { readonly do: "vtep-set"; readonly vtep: string; readonly state: VtepState; readonly there: boolean }
  | { readonly do: "vtep-delete"; readonly vtep: string }
  /** Hide a gateway's subnets behind the host's addresses, and have the kernel pass on what comes in by its link. */
  | { readonly do: "nat-set"; readonly device: string; readonly state: NatState }
  | { readonly do: "nat-delete"; readonly device: string }
  /** Make a bridge of the kernel's own, or change the one that is `there`, and take addresses away from it. */
  | {
      readonly do: "host-bridge-set";
      readonly bridge: string;
      readonly state: HostBridgeState;
      readonly there: boolean;
      readonly gone: readonly string[];
    }
  | { readonly do: "host-bridge-delete"; readonly bridge: string }
  /** Put a NIC of the host into a bridge, marked; refused where the host needs it otherwise. */
  | { readonly do: "member-add"; readonly nic: string; readonly bridge: string }
  /** Take a NIC out of its bridge, and the mark off it. */
  | { readonly do: "member-remove"; readonly nic: string }
  /** Plug a nic into a machine, whether it runs or not. Its tap device is there. */
  | { readonly do: "machine-plug"; readonly node: string; readonly nic: VmNic }
  /** Start a machine that is made or has exited. The tap devices of its nics are there. */
  | { readonly do: "machine-start"; readonly node: string }
  /** Have a node's zerotier-one join a network, or leave one. */
  | { readonly do: "zerotier-join"; readonly membership: string; readonly state: MembershipState }
  | { readonly do: "zerotier-leave"; readonly membership: string; readonly state: MembershipState }
  /** Start a supervised process. */
  | { readonly do: "service-start"; readonly id: string; readonly state: ServiceState }
  /** Drop the mark that says which commands a node has run. Deleting its namespace or container drops it too. */
  | { readonly do: "exec-forget"; readonly node: string }
  /** Run the commands of a node in order until one fails, then leave the mark. */
  | { readonly do: "exec"; readonly node: string; readonly state: ExecState }
);

/**
 * The order of work. A phase needs the ones before it and is one batch: the actions in it are done side by side, in one
 * call of the drivers where they have one (a `NamespaceBatch` a namespace keeps their order; the switch takes all in one
 * transaction). A failure of a node in one phase makes its actions in the later ones pointless, and nobody else's.
 */
export const PHASES = [
  "stop services",
  /** NICs of the host's, which would be lost, or lose their names, with the namespace that they are in. */
  "return links",
  /** And virtual machines. */
  "stop and remove containers",
  /** Nics that virtual machines are to lose, while their tap devices are still there. */
  "unplug nics",
  "delete namespaces",
  "delete links",
  "files",
  "namespaces",
  /** Those whose runtime makes the namespace: it is there only once they run. */
  "create containers with a namespace of their own",
  "start containers with a namespace of their own",
  "adopt namespaces",
  /** The kernel's own, before what becomes a member of them. */
  "bridges",
  /** Ports whose device is made anew. */
  "unplug",
  "links",
  /** Those that services follow. */
  "files of links",
  "switch",
  /** Kernel parameters, source NAT, addresses, routes. */
  "configure",
  /** Those that live in a namespace made by us, and virtual machines. */
  "create containers",
  /** The kernel's own VXLAN devices, which send by a bridge, and then their ports. */
  "tunnels",
  "ports of tunnels",
  /** Nics that virtual machines are to have more. */
  "plug nics in",
  /** They find their nics and addresses ready. */
  "start containers",
  "services",
  "memberships",
  "exec",
] as const;
export type Phase = (typeof PHASES)[number];

/** The phase that an action belongs to. */
export function phaseOf(action: Action): Phase {
  switch (action.do) {
    case "service-stop":
      return "stop services";
    case "container-stop":
    case "container-remove":
    case "machine-stop":
    case "machine-remove":
      return "stop and remove containers";
    case "machine-unplug":
      return "unplug nics";
    case "namespace-delete":
      return "delete namespaces";
    case "link-return":
      return "return links";
    case "veth-delete":
    case "link-delete":
    case "host-bridge-delete":
    case "member-remove":
    case "tap-delete":
    case "pipe-delete":
    case "sink-delete":
    case "vtep-delete":
      return "delete links";
    case "host-bridge-set":
    case "member-add":
      return "bridges";
    case "file-write":
      return action.file.type === "text" && action.file.late ? "files of links" : "files";
    case "file-delete":
    case "exec-forget":
      return "files";
    case "namespace-create":
      return "namespaces";
    case "container-create":
      return ownsNamespace(action.container) ? "create containers with a namespace of their own" : "create containers";
    case "machine-create":
      return "create containers";
    case "container-start":
      return ownsNamespace(action.container) ? "start containers with a namespace of their own" : "start containers";
    case "namespace-adopt":
      return "adopt namespaces";
    case "veth-create":
    case "veth-set":
    case "tap-create":
    case "tap-set":
    case "pipe-create":
    case "pipe-set":
    case "sink-create":
    case "sink-set":
    case "link-create":
    case "link-set":
      return "links";
    case "port-delete":
    case "mirror-delete":
      return action.renewed ? "unplug" : "switch";
    case "bridge-delete":
    case "bridge-set":
    case "mirror-set":
      return "switch";
    case "port-set":
      return action.late ? "ports of tunnels" : "switch";
    case "underlay-set":
    case "underlay-clear":
    case "vtep-set":
      return "tunnels";
    case "nat-set":
    case "nat-delete":
    case "sysctl-set":
    case "route-delete":
    case "address-delete":
    case "address-add":
    case "route-add":
      return "configure";
    case "machine-plug":
      return "plug nics in";
    case "machine-start":
      return "start containers";
    case "service-start":
      return "services";
    case "zerotier-join":
    case "zerotier-leave":
      return "memberships";
    case "exec":
      return "exec";
  }
}

/** Whether a container's runtime makes its network namespace, instead of living in one of ours. */
export function ownsNamespace(container: Pick<ContainerNodeState, "runtime">): boolean {
  return container.runtime === "docker";
}

/** An action of one sort. */
export type ActionOf<D extends Action["do"]> = Extract<Action, { readonly do: D }>;

/** Those of one sort. */
export function only<D extends Action["do"]>(actions: readonly Action[], what: D): ActionOf<D>[] {
  return actions.filter((action): action is ActionOf<D> => action.do === what);
}
