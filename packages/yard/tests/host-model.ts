/**
 * A host that exists in thought only: what becomes of a state when actions are carried out on it, one after the other.
 * An action whose ground is missing (an address for a nic that is not there) fails as it would on a real host, which
 * here means that it changes nothing. Where the kernel may take more away than was asked for, the model takes it.
 */
import { type Action, ownsNamespace } from "../src/agent/action.ts";
import { sameMaking } from "../src/agent/compare.ts";
import { routeDevice } from "../src/agent/route.ts";
import { ELSEWHERE, HOST, type LinkMaking, type LinkState, type State, type VethState } from "../src/agent/state.ts";
import { purposeOf } from "../src/agent/subject.ts";

/** The namespace of the model's switch. */
export const SWITCH = "yard_t";

/** The state that `actions`, in their order, lead to from `state`. */
export function applyToModel(state: State, actions: readonly Action[]): State {
  const host = new Host(state);
  for (const action of actions) host.act(action);
  return host.state();
}

/** A state whose parts may change. */
type Parts = {
  readonly [Part in keyof State]: State[Part] extends ReadonlyMap<infer Key, infer Value> ? Map<Key, Value> : never;
};

class Host {
  readonly #parts: Parts;

  constructor(state: State) {
    this.#parts = {
      bridges: new Map(state.bridges),
      ports: new Map(state.ports),
      mirrors: new Map(state.mirrors),
      sinks: new Map(state.sinks),
      namespaces: new Map(state.namespaces),
      veths: new Map(state.veths),
      pipes: new Map(state.pipes),
      links: new Map(state.links),
      vteps: new Map(state.vteps),
      underlays: new Map(state.underlays),
      containers: new Map(state.containers),
      taps: new Map(state.taps),
      machines: new Map(state.machines),
      services: new Map(state.services),
      memberships: new Map(state.memberships),
      nats: new Map(state.nats),
      hostBridges: new Map(state.hostBridges),
      members: new Map(state.members),
      files: new Map(state.files),
      exec: new Map(state.exec),
    };
  }

  state(): State {
    return this.#parts;
  }

  act(action: Action): void {
    switch (action.do) {
      case "service-stop":
        this.#parts.services.delete(action.id);
        return;
      case "service-start": {
        const { namespace } = action.state;
        if (namespace === undefined || this.#parts.namespaces.has(namespace))
          this.#parts.services.set(action.id, action.state);
        return;
      }
      case "zerotier-join":
        this.#parts.memberships.set(action.membership, action.state);
        return;
      case "zerotier-leave":
        this.#parts.memberships.delete(action.membership);
        return;
      case "container-remove":
        this.#parts.containers.delete(action.node);
        this.#endLife(action.node);
        return;
      case "container-create":
        if (this.#parts.containers.has(action.node)) return;
        if (!ownsNamespace(action.container) && !this.#parts.namespaces.has(action.container.namespace)) return;
        this.#parts.containers.set(action.node, { ...action.container, status: "created" });
        return;
      case "container-start": {
        const container = this.#parts.containers.get(action.node);
        if (container === undefined || container.status === "running") return;
        this.#endLife(action.node);
        this.#parts.containers.set(action.node, { ...container, status: "running" });
        return;
      }
      case "container-stop": {
        const container = this.#parts.containers.get(action.node);
        if (container?.status !== "running") return;
        this.#endLife(action.node);
        this.#parts.containers.set(action.node, { ...container, status: "exited" });
        return;
      }
      case "machine-stop": {
        const machine = this.#parts.machines.get(action.node);
        if (machine?.status === "running") this.#parts.machines.set(action.node, { ...machine, status: "exited" });
        return;
      }
      case "machine-remove":
        this.#parts.machines.delete(action.node);
        return;
      case "machine-create":
        if (!this.#parts.machines.has(action.node))
          this.#parts.machines.set(action.node, { ...action.machine, status: "created" });
        return;
      case "machine-start": {
        const machine = this.#parts.machines.get(action.node);
        // QEMU opens all of them.
        if (machine?.nics.every(({ tap }) => this.#parts.taps.has(tap)))
          this.#parts.machines.set(action.node, { ...machine, status: "running" });
        return;
      }
      case "machine-unplug":
      case "machine-plug": {
        const machine = this.#parts.machines.get(action.node);
        if (machine === undefined) return;
        const index = action.do === "machine-plug" ? action.nic.index : action.index;
        const others = machine.nics.filter((nic) => nic.index !== index);
        if (
          action.do === "machine-plug" &&
          (others.length < machine.nics.length || !this.#parts.taps.has(action.nic.tap))
        )
          return;
        const nics = action.do === "machine-plug" ? [...others, action.nic] : others;
        this.#parts.machines.set(action.node, { ...machine, nics: nics.toSorted((a, b) => a.index - b.index) });
        return;
      }
      case "tap-delete":
        this.#parts.taps.delete(action.tap);
        return;
      case "tap-create":
        if (!this.#parts.taps.has(action.tap) && !this.#parts.veths.has(action.tap))
          this.#parts.taps.set(action.tap, action.state);
        return;
      case "tap-set":
        if (this.#parts.taps.has(action.tap)) this.#parts.taps.set(action.tap, action.state);
        return;
      case "namespace-create":
        if (!this.#parts.namespaces.has(action.namespace)) this.#addNamespace(action.namespace, action.node, undefined);
        return;
      case "namespace-adopt":
        if (
          this.#parts.namespaces.has(action.namespace) ||
          this.#parts.containers.get(action.node)?.status !== "running"
        )
          return;
        this.#addNamespace(action.namespace, action.node, action.node);
        return;
      case "namespace-delete": {
        const namespace = this.#parts.namespaces.get(action.namespace);
        this.#parts.namespaces.delete(action.namespace);
        if (namespace) this.#parts.exec.delete(namespace.node);
        for (const [id, service] of this.#parts.services)
          if (service.namespace === action.namespace)
            this.#parts.services.set(id, { ...service, running: false, namespace: "" });
        for (const [name, veth] of this.#parts.veths)
          if (veth.namespace === action.namespace) this.#parts.veths.delete(name);
        for (const [key, link] of this.#parts.links) {
          if (link.namespace !== action.namespace) continue;
          if (link.making.kind !== "passthrough") this.#parts.links.delete(key);
          // The host has it back, as it was in the namespace.
          else this.#parts.links.set(key, { ...link, namespace: HOST, up: false, addresses: [] });
        }
        return;
      }
      case "veth-delete":
        this.#deleteVeth(action.veth);
        return;
      case "veth-create": {
        const { namespace } = action.state;
        const made = namespace === HOST || namespace === ELSEWHERE || this.#parts.namespaces.has(namespace);
        if (this.#parts.taps.has(action.veth) || this.#parts.veths.has(action.veth) || !made) return;
        if (this.#hasDevice(namespace, action.state.name)) return;
        this.#parts.veths.set(action.veth, { ...action.state, addresses: [] });
        if (namespace === HOST) this.#forgetForwarding(action.state.name);
        return;
      }
      case "veth-set": {
        const veth = this.#parts.veths.get(action.veth);
        if (veth === undefined) return;
        const { mac = veth.mac, mtu = veth.mtu, up = veth.up, offloads = veth.offloads } = action;
        this.#parts.veths.set(action.veth, { ...veth, mac, mtu, up, offloads });
        return;
      }
      case "pipe-create":
        if (!this.#parts.pipes.has(action.pipe)) this.#parts.pipes.set(action.pipe, action.state);
        return;
      case "pipe-set":
        if (this.#parts.pipes.has(action.pipe)) this.#parts.pipes.set(action.pipe, action.state);
        return;
      case "pipe-delete":
        this.#parts.pipes.delete(action.pipe);
        return;
      case "link-create": {
        const { namespace, name, making } = action.state;
        const there = namespace === HOST || namespace === SWITCH || this.#parts.namespaces.has(namespace);
        if (this.#parts.links.has(action.link) || !there || this.#hasDevice(namespace, name)) return;
        const taken = [...this.#parts.links.values()].some(
          (it) => it.making.kind === "passthrough" && sameMaking(making, it.making),
        );
        if (!taken) this.#parts.links.set(action.link, { ...action.state, addresses: [] });
        return;
      }
      case "link-set": {
        const link = this.#parts.links.get(action.link);
        if (link === undefined) return;
        const { mac = link.mac, mtu = link.mtu, up = link.up, bridge } = action;
        const making: LinkMaking = bridge === undefined ? link.making : { kind: "bridged", bridge };
        this.#parts.links.set(action.link, { ...link, mac, mtu, up, making });
        return;
      }
      case "link-delete":
      case "link-return": {
        const link = this.#parts.links.get(action.link);
        this.#parts.links.delete(action.link);
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
        const namespace = this.#parts.namespaces.get(action.namespace);
        if (namespace === undefined || namespace.routes.includes(action.route)) return;
        if (!this.#hasDevice(action.namespace, routeDevice(action.route))) return;
        const routes = [...namespace.routes, action.route].toSorted();
        this.#parts.namespaces.set(action.namespace, { ...namespace, routes });
        return;
      }
      case "route-delete":
        this.#dropRoutes(action.namespace, (route) => route !== action.route);
        return;
      case "sysctl-set": {
        const namespace = this.#parts.namespaces.get(action.namespace);
        if (namespace === undefined) return;
        const sysctls = { ...namespace.sysctls, [action.name]: action.value };
        this.#parts.namespaces.set(action.namespace, { ...namespace, sysctls });
        return;
      }
      case "nat-set":
        this.#parts.nats.set(action.device, {
          ...action.state,
          forwarding: action.state.forwarding && this.#hasDevice(HOST, action.device),
        });
        return;
      case "nat-delete":
        this.#parts.nats.delete(action.device);
        return;
      case "host-bridge-set":
        if (action.there !== this.#parts.hostBridges.has(action.bridge)) return;
        this.#parts.hostBridges.set(action.bridge, action.state);
        if (!action.there) this.#forgetForwarding(action.bridge);
        return;
      case "host-bridge-delete":
        this.#parts.hostBridges.delete(action.bridge);
        this.#forgetForwarding(action.bridge);
        for (const [nic, member] of this.#parts.members)
          if (member.bridge === action.bridge) this.#parts.members.set(nic, { ...member, bridge: "" });
        return;
      case "member-add":
        if (this.#parts.hostBridges.has(action.bridge))
          this.#parts.members.set(action.nic, { bridge: action.bridge, purpose: purposeOf(action.subject) });
        return;
      case "member-remove":
        this.#parts.members.delete(action.nic);
        return;
      case "file-delete":
        this.#parts.files.delete(action.path);
        return;
      case "file-write":
        this.#parts.files.set(action.path, action.file);
        return;
      case "sink-create":
        if (!this.#parts.sinks.has(action.sink))
          this.#parts.sinks.set(action.sink, { up: true, purpose: action.purpose });
        return;
      case "sink-set": {
        const sink = this.#parts.sinks.get(action.sink);
        if (sink) this.#parts.sinks.set(action.sink, { ...sink, up: true });
        return;
      }
      case "sink-delete":
        this.#parts.sinks.delete(action.sink);
        return;
      case "mirror-set":
        if (
          this.#parts.ports.get(action.state.port)?.bridge !== action.state.bridge ||
          !this.#parts.sinks.has(action.mirror)
        )
          return;
        this.#parts.mirrors.set(action.mirror, action.state);
        return;
      case "mirror-delete":
        this.#parts.mirrors.delete(action.mirror);
        return;
      case "underlay-set":
        if (this.#parts.bridges.has(action.device)) this.#parts.underlays.set(action.device, action.state);
        return;
      case "underlay-clear":
        this.#parts.underlays.delete(action.device);
        return;
      case "vtep-set":
        if (action.state.remote !== "" || this.#parts.bridges.has(action.state.lower))
          this.#parts.vteps.set(action.vtep, action.state);
        return;
      case "vtep-delete":
        this.#parts.vteps.delete(action.vtep);
        return;
      case "port-delete":
        this.#parts.ports.delete(action.port);
        this.#blind(action.port);
        return;
      case "port-set":
        if (!this.#parts.bridges.has(action.state.bridge)) return;
        if (this.#parts.ports.get(action.port)?.bridge !== action.state.bridge) this.#blind(action.port);
        this.#parts.ports.set(action.port, action.state);
        return;
      case "bridge-set":
        this.#parts.bridges.set(action.bridge, action.state);
        return;
      case "bridge-delete":
        this.#parts.bridges.delete(action.bridge);
        this.#parts.underlays.delete(action.bridge);
        for (const [name, vtep] of this.#parts.vteps) if (vtep.lower === action.bridge) this.#parts.vteps.delete(name);
        for (const [name, port] of this.#parts.ports) if (port.bridge === action.bridge) this.#parts.ports.delete(name);
        for (const [name, spy] of this.#parts.mirrors)
          if (spy.bridge === action.bridge) this.#parts.mirrors.delete(name);
        return;
      case "exec-forget":
        this.#parts.exec.delete(action.node);
        return;
      case "exec": {
        const container = this.#parts.containers.get(action.node);
        if (!this.#parts.namespaces.has(action.state.namespace) || (container && container.status !== "running"))
          return;
        this.#parts.exec.set(action.node, action.state);
        return;
      }
    }
  }

  /** Its commands have to be run again, and its own namespace is a dead one that only its name keeps. */
  #endLife(node: string): void {
    this.#parts.exec.delete(node);
    for (const [name, namespace] of this.#parts.namespaces)
      if (namespace.container === node) this.#parts.namespaces.set(name, { ...namespace, container: undefined });
  }

  /** A spy sees a port that is gone no longer, nor one that has moved to another bridge. */
  #blind(port: string): void {
    for (const [name, spy] of this.#parts.mirrors)
      if (spy.port === port) this.#parts.mirrors.set(name, { ...spy, bridge: "", port: "" });
  }

  #addNamespace(name: string, node: string, container: string | undefined): void {
    this.#parts.namespaces.set(name, { node, container, routes: [], sysctls: {} });
    this.#parts.exec.delete(node);
  }

  #deleteVeth(name: string): void {
    const veth = this.#parts.veths.get(name);
    this.#parts.veths.delete(name);
    if (veth) this.#dropRoutes(veth.namespace, (route) => routeDevice(route) !== veth.name);
    if (veth?.namespace === HOST) this.#forgetForwarding(veth.name);
  }

  /** Gives a veth or link the addresses that `change` makes of those it has. @returns it, when it has changed */
  #address(
    key: string,
    change: (addresses: readonly string[]) => readonly string[] | undefined,
  ): VethState | LinkState | undefined {
    const veth = this.#parts.veths.get(key);
    const link = this.#parts.links.get(key);
    const addresses = change((veth ?? link)?.addresses ?? []);
    if (addresses === undefined) return undefined;
    if (veth) this.#parts.veths.set(key, { ...veth, addresses });
    else if (link) this.#parts.links.set(key, { ...link, addresses });
    return veth ?? link;
  }

  #forgetForwarding(device: string): void {
    const nat = this.#parts.nats.get(device);
    if (nat) this.#parts.nats.set(device, { ...nat, forwarding: false });
  }

  #dropRoutes(name: string, keep: (route: string) => boolean): void {
    const namespace = this.#parts.namespaces.get(name);
    if (namespace) this.#parts.namespaces.set(name, { ...namespace, routes: namespace.routes.filter(keep) });
  }

  #hasDevice(namespace: string, device: string | undefined): boolean {
    if (namespace === HOST && device !== undefined && this.#parts.hostBridges.has(device)) return true;
    return [...this.#parts.veths.values(), ...this.#parts.links.values()].some(
      (it) => it.namespace === namespace && it.name === device,
    );
  }
}
