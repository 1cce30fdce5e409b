/**
 * A host that exists in thought only: what becomes of a state when actions are carried out on it, one after the other.
 * An action whose ground is missing (an address for a nic that is not there) fails as it would on a real host, which
 * here means that it changes nothing. Where the kernel may take more away than was asked for, the model takes it.
 */
import { type Action, ownsNamespace } from "./action.ts";
import { sameMaking } from "./compare.ts";
import { routeDevice } from "./route.ts";
import type {
  BridgeState,
  ContainerNodeState,
  ExecState,
  FileState,
  HostBridgeState,
  LinkMaking,
  LinkState,
  MachineState,
  MemberState,
  MembershipState,
  MirrorState,
  NamespaceState,
  NatState,
  PipeState,
  PortState,
  ServiceState,
  SinkState,
  State,
  TapState,
  UnderlayState,
  VethState,
  VtepState,
} from "./state.ts";
import { ELSEWHERE, HOST } from "./state.ts";
import { purposeOf } from "./subject.ts";

/** The namespace of the model's switch. */
export const SWITCH = "yard_t";

/** The state that `actions`, in their order, lead to from `state`. */
export function applyToModel(state: State, actions: readonly Action[]): State {
  const host = new Host(state);
  for (const action of actions) host.act(action);
  return host.state();
}

class Host {
  readonly #bridges: Map<string, BridgeState>;
  readonly #ports: Map<string, PortState>;
  readonly #mirrors: Map<string, MirrorState>;
  readonly #sinks: Map<string, SinkState>;
  readonly #namespaces: Map<string, NamespaceState>;
  readonly #veths: Map<string, VethState>;
  readonly #pipes: Map<string, PipeState>;
  readonly #links: Map<string, LinkState>;
  readonly #vteps: Map<string, VtepState>;
  readonly #underlays: Map<string, UnderlayState>;
  readonly #containers: Map<string, ContainerNodeState>;
  readonly #taps: Map<string, TapState>;
  readonly #machines: Map<string, MachineState>;
  readonly #services: Map<string, ServiceState>;
  readonly #memberships: Map<string, MembershipState>;
  readonly #nats: Map<string, NatState>;
  readonly #hostBridges: Map<string, HostBridgeState>;
  readonly #members: Map<string, MemberState>;
  readonly #files: Map<string, FileState>;
  readonly #exec: Map<string, ExecState>;

  constructor(state: State) {
    this.#bridges = new Map(state.bridges);
    this.#ports = new Map(state.ports);
    this.#mirrors = new Map(state.mirrors);
    this.#sinks = new Map(state.sinks);
    this.#namespaces = new Map(state.namespaces);
    this.#veths = new Map(state.veths);
    this.#pipes = new Map(state.pipes);
    this.#links = new Map(state.links);
    this.#vteps = new Map(state.vteps);
    this.#underlays = new Map(state.underlays);
    this.#containers = new Map(state.containers);
    this.#taps = new Map(state.taps);
    this.#machines = new Map(state.machines);
    this.#services = new Map(state.services);
    this.#memberships = new Map(state.memberships);
    this.#nats = new Map(state.nats);
    this.#hostBridges = new Map(state.hostBridges);
    this.#members = new Map(state.members);
    this.#files = new Map(state.files);
    this.#exec = new Map(state.exec);
  }

  state(): State {
    return {
      bridges: this.#bridges,
      ports: this.#ports,
      mirrors: this.#mirrors,
      sinks: this.#sinks,
      namespaces: this.#namespaces,
      veths: this.#veths,
      pipes: this.#pipes,
      links: this.#links,
      vteps: this.#vteps,
      underlays: this.#underlays,
      containers: this.#containers,
      taps: this.#taps,
      machines: this.#machines,
      services: this.#services,
      memberships: this.#memberships,
      nats: this.#nats,
      hostBridges: this.#hostBridges,
      members: this.#members,
      files: this.#files,
      exec: this.#exec,
    };
  }

  act(action: Action): void {
    switch (action.do) {
      case "service-stop":
        this.#services.delete(action.id);
        return;
      case "service-start": {
        const { namespace } = action.state;
        if (namespace === undefined || this.#namespaces.has(namespace)) this.#services.set(action.id, action.state);
        return;
      }
      case "zerotier-join":
        this.#memberships.set(action.membership, action.state);
        return;
      case "zerotier-leave":
        this.#memberships.delete(action.membership);
        return;
      case "container-remove":
        this.#containers.delete(action.node);
        this.#endLife(action.node);
        return;
      case "container-create":
        if (this.#containers.has(action.node)) return;
        if (!ownsNamespace(action.container) && !this.#namespaces.has(action.container.namespace)) return;
        this.#containers.set(action.node, { ...action.container, status: "created" });
        return;
      case "container-start": {
        const container = this.#containers.get(action.node);
        if (container === undefined || container.status === "running") return;
        this.#endLife(action.node);
        this.#containers.set(action.node, { ...container, status: "running" });
        return;
      }
      case "machine-remove":
        this.#machines.delete(action.node);
        return;
      case "machine-create":
        if (!this.#machines.has(action.node)) this.#machines.set(action.node, { ...action.machine, status: "created" });
        return;
      case "machine-start": {
        const machine = this.#machines.get(action.node);
        // QEMU opens all of them.
        if (machine?.nics.every(({ tap }) => this.#taps.has(tap)))
          this.#machines.set(action.node, { ...machine, status: "running" });
        return;
      }
      case "machine-unplug":
      case "machine-plug": {
        const machine = this.#machines.get(action.node);
        if (machine === undefined) return;
        const index = action.do === "machine-plug" ? action.nic.index : action.index;
        const others = machine.nics.filter((nic) => nic.index !== index);
        if (action.do === "machine-plug" && (others.length < machine.nics.length || !this.#taps.has(action.nic.tap)))
          return;
        const nics = action.do === "machine-plug" ? [...others, action.nic] : others;
        this.#machines.set(action.node, { ...machine, nics: nics.toSorted((a, b) => a.index - b.index) });
        return;
      }
      case "tap-delete":
        this.#taps.delete(action.tap);
        return;
      case "tap-create":
        if (!this.#taps.has(action.tap) && !this.#veths.has(action.tap)) this.#taps.set(action.tap, action.state);
        return;
      case "tap-set":
        if (this.#taps.has(action.tap)) this.#taps.set(action.tap, action.state);
        return;
      case "namespace-create":
        if (!this.#namespaces.has(action.namespace)) this.#addNamespace(action.namespace, action.node, undefined);
        return;
      case "namespace-adopt":
        if (this.#namespaces.has(action.namespace) || this.#containers.get(action.node)?.status !== "running") return;
        this.#addNamespace(action.namespace, action.node, action.node);
        return;
      case "namespace-delete": {
        const namespace = this.#namespaces.get(action.namespace);
        this.#namespaces.delete(action.namespace);
        if (namespace) this.#exec.delete(namespace.node);
        for (const [id, service] of this.#services)
          if (service.namespace === action.namespace)
            this.#services.set(id, { ...service, running: false, namespace: "" });
        for (const [name, veth] of this.#veths) if (veth.namespace === action.namespace) this.#veths.delete(name);
        for (const [key, link] of this.#links) {
          if (link.namespace !== action.namespace) continue;
          if (link.making.kind !== "passthrough") this.#links.delete(key);
          // The host has it back, as it was in the namespace.
          else this.#links.set(key, { ...link, namespace: HOST, up: false, addresses: [] });
        }
        return;
      }
      case "veth-delete":
        this.#deleteVeth(action.veth);
        return;
      case "veth-create": {
        const { namespace } = action.state;
        const made = namespace === HOST || namespace === ELSEWHERE || this.#namespaces.has(namespace);
        if (this.#taps.has(action.veth) || this.#veths.has(action.veth) || !made) return;
        if (this.#hasDevice(namespace, action.state.name)) return;
        this.#veths.set(action.veth, { ...action.state, addresses: [] });
        if (namespace === HOST) this.#forgetForwarding(action.state.name);
        return;
      }
      case "veth-set": {
        const veth = this.#veths.get(action.veth);
        if (veth === undefined) return;
        const { mac = veth.mac, mtu = veth.mtu, up = veth.up, offloads = veth.offloads } = action;
        this.#veths.set(action.veth, { ...veth, mac, mtu, up, offloads });
        return;
      }
      case "pipe-create":
        if (!this.#pipes.has(action.pipe)) this.#pipes.set(action.pipe, action.state);
        return;
      case "pipe-set":
        if (this.#pipes.has(action.pipe)) this.#pipes.set(action.pipe, action.state);
        return;
      case "pipe-delete":
        this.#pipes.delete(action.pipe);
        return;
      case "link-create": {
        const { namespace, name, making } = action.state;
        const there = namespace === HOST || namespace === SWITCH || this.#namespaces.has(namespace);
        if (this.#links.has(action.link) || !there || this.#hasDevice(namespace, name)) return;
        const taken = [...this.#links.values()].some(
          (it) => it.making.kind === "passthrough" && sameMaking(making, it.making),
        );
        if (!taken) this.#links.set(action.link, { ...action.state, addresses: [] });
        return;
      }
      case "link-set": {
        const link = this.#links.get(action.link);
        if (link === undefined) return;
        const { mac = link.mac, mtu = link.mtu, up = link.up, bridge } = action;
        const making: LinkMaking = bridge === undefined ? link.making : { kind: "bridged", bridge };
        this.#links.set(action.link, { ...link, mac, mtu, up, making });
        return;
      }
      case "link-delete":
      case "link-return": {
        const link = this.#links.get(action.link);
        this.#links.delete(action.link);
        if (link) this.#dropRoutes(link.namespace, (route) => routeDevice(route) !== link.name);
        return;
      }
      case "address-add":
        this.#address(action.veth, (addresses) =>
          addresses.includes(action.address) ? undefined : [...addresses, action.address].toSorted(),
        );
        return;
      case "address-delete": {
        // The kernel takes an address's secondaries and the routes over its network along: here, all of the nic.
        const nic = this.#address(action.veth, (addresses) => (addresses.includes(action.address) ? [] : undefined));
        if (nic) this.#dropRoutes(nic.namespace, (route) => routeDevice(route) !== nic.name);
        return;
      }
      case "route-add": {
        const namespace = this.#namespaces.get(action.namespace);
        if (namespace === undefined || namespace.routes.includes(action.route)) return;
        if (!this.#hasDevice(action.namespace, routeDevice(action.route))) return;
        const routes = [...namespace.routes, action.route].toSorted();
        this.#namespaces.set(action.namespace, { ...namespace, routes });
        return;
      }
      case "route-delete":
        this.#dropRoutes(action.namespace, (route) => route !== action.route);
        return;
      case "sysctl-set": {
        const namespace = this.#namespaces.get(action.namespace);
        if (namespace === undefined) return;
        const sysctls = { ...namespace.sysctls, [action.name]: action.value };
        this.#namespaces.set(action.namespace, { ...namespace, sysctls });
        return;
      }
      case "nat-set":
        this.#nats.set(action.device, {
          ...action.state,
          forwarding: action.state.forwarding && this.#hasDevice(HOST, action.device),
        });
        return;
      case "nat-delete":
        this.#nats.delete(action.device);
        return;
      case "host-bridge-set":
        if (action.there !== this.#hostBridges.has(action.bridge)) return;
        this.#hostBridges.set(action.bridge, action.state);
        if (!action.there) this.#forgetForwarding(action.bridge);
        return;
      case "host-bridge-delete":
        this.#hostBridges.delete(action.bridge);
        this.#forgetForwarding(action.bridge);
        for (const [nic, member] of this.#members)
          if (member.bridge === action.bridge) this.#members.set(nic, { ...member, bridge: "" });
        return;
      case "member-add":
        if (this.#hostBridges.has(action.bridge))
          this.#members.set(action.nic, { bridge: action.bridge, purpose: purposeOf(action.subject) });
        return;
      case "member-remove":
        this.#members.delete(action.nic);
        return;
      case "file-delete":
        this.#files.delete(action.path);
        return;
      case "file-write":
        this.#files.set(action.path, action.file);
        return;
      case "sink-create":
        if (!this.#sinks.has(action.sink)) this.#sinks.set(action.sink, { up: true, purpose: action.purpose });
        return;
      case "sink-set": {
        const sink = this.#sinks.get(action.sink);
        if (sink) this.#sinks.set(action.sink, { ...sink, up: true });
        return;
      }
      case "sink-delete":
        this.#sinks.delete(action.sink);
        return;
      case "mirror-set":
        if (this.#ports.get(action.state.port)?.bridge !== action.state.bridge || !this.#sinks.has(action.mirror))
          return;
        this.#mirrors.set(action.mirror, action.state);
        return;
      case "mirror-delete":
        this.#mirrors.delete(action.mirror);
        return;
      case "underlay-set":
        if (this.#bridges.has(action.device)) this.#underlays.set(action.device, action.state);
        return;
      case "underlay-clear":
        this.#underlays.delete(action.device);
        return;
      case "vtep-set":
        if (action.state.remote !== "" || this.#bridges.has(action.state.lower))
          this.#vteps.set(action.vtep, action.state);
        return;
      case "vtep-delete":
        this.#vteps.delete(action.vtep);
        return;
      case "port-delete":
        this.#ports.delete(action.port);
        this.#blind(action.port);
        return;
      case "port-set":
        if (!this.#bridges.has(action.state.bridge)) return;
        if (this.#ports.get(action.port)?.bridge !== action.state.bridge) this.#blind(action.port);
        this.#ports.set(action.port, action.state);
        return;
      case "bridge-set":
        this.#bridges.set(action.bridge, action.state);
        return;
      case "bridge-delete":
        this.#bridges.delete(action.bridge);
        this.#underlays.delete(action.bridge);
        for (const [name, vtep] of this.#vteps) if (vtep.lower === action.bridge) this.#vteps.delete(name);
        for (const [name, port] of this.#ports) if (port.bridge === action.bridge) this.#ports.delete(name);
        for (const [name, spy] of this.#mirrors) if (spy.bridge === action.bridge) this.#mirrors.delete(name);
        return;
      case "exec-forget":
        this.#exec.delete(action.node);
        return;
      case "exec": {
        const container = this.#containers.get(action.node);
        if (!this.#namespaces.has(action.state.namespace) || (container && container.status !== "running")) return;
        this.#exec.set(action.node, action.state);
        return;
      }
    }
  }

  /** Its commands have to be run again, and its own namespace is a dead one that only its name keeps. */
  #endLife(node: string): void {
    this.#exec.delete(node);
    for (const [name, namespace] of this.#namespaces)
      if (namespace.container === node) this.#namespaces.set(name, { ...namespace, container: undefined });
  }

  /** A spy sees a port that is gone no longer, nor one that has moved to another bridge. */
  #blind(port: string): void {
    for (const [name, spy] of this.#mirrors)
      if (spy.port === port) this.#mirrors.set(name, { ...spy, bridge: "", port: "" });
  }

  #addNamespace(name: string, node: string, container: string | undefined): void {
    this.#namespaces.set(name, { node, container, routes: [], sysctls: {} });
    this.#exec.delete(node);
  }

  #deleteVeth(name: string): void {
    const veth = this.#veths.get(name);
    this.#veths.delete(name);
    if (veth) this.#dropRoutes(veth.namespace, (route) => routeDevice(route) !== veth.name);
    if (veth?.namespace === HOST) this.#forgetForwarding(veth.name);
  }

  /** Gives a veth or link the addresses that `change` makes of those it has. @returns it, when it has changed */
  #address(
    key: string,
    change: (addresses: readonly string[]) => readonly string[] | undefined,
  ): VethState | LinkState | undefined {
    const veth = this.#veths.get(key);
    const link = this.#links.get(key);
    const addresses = change((veth ?? link)?.addresses ?? []);
    if (addresses === undefined) return undefined;
    if (veth) this.#veths.set(key, { ...veth, addresses });
    else if (link) this.#links.set(key, { ...link, addresses });
    return veth ?? link;
  }

  #forgetForwarding(device: string): void {
    const nat = this.#nats.get(device);
    if (nat) this.#nats.set(device, { ...nat, forwarding: false });
  }

  #dropRoutes(name: string, keep: (route: string) => boolean): void {
    const namespace = this.#namespaces.get(name);
    if (namespace) this.#namespaces.set(name, { ...namespace, routes: namespace.routes.filter(keep) });
  }

  #hasDevice(namespace: string, device: string | undefined): boolean {
    if (namespace === HOST && device !== undefined && this.#hostBridges.has(device)) return true;
    return [...this.#veths.values(), ...this.#links.values()].some(
      (it) => it.namespace === namespace && it.name === device,
    );
  }
}
