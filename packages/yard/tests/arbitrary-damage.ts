/** What becomes of a whole state by a crash, by engines and by people. */
import { ownsNamespace } from "../src/agent/action.ts";
import {
  type ContainerNodeState,
  ELSEWHERE,
  HOST,
  type MachineState,
  type MirrorState,
  type NatState,
  type State,
} from "../src/agent/state.ts";
import { SWITCH } from "./host-model.ts";

/** @param unlucky whether the next thing that may be broken is */
export function damage(state: State, unlucky: () => boolean): State {
  const keep = <T>(map: ReadonlyMap<string, T>, change: (value: T) => T) =>
    new Map([...map].filter(() => !unlucky()).map(([key, value]): [string, T] => [key, change(value)]));
  const containers = keep(state.containers, (it): ContainerNodeState => {
    if (!unlucky()) return it;
    return { ...it, status: unlucky() ? "created" : "exited" };
  });
  const namespaces = keep(state.namespaces, (it) => {
    const alive = it.container !== undefined && containers.get(it.container)?.status === "running" && !unlucky();
    return { ...it, container: alive ? it.container : undefined, routes: it.routes.filter(() => !unlucky()) };
  });
  const veths = keep(state.veths, (it) => ({
    ...it,
    namespace: it.namespace === HOST || it.namespace === ELSEWHERE || namespaces.has(it.namespace) ? it.namespace : "",
    up: !unlucky(),
    offloads: unlucky() ? !it.offloads : it.offloads,
    addresses: it.addresses.filter(() => !unlucky()),
    mtu: unlucky() ? 1280 : it.mtu,
  }));
  const links = keep(state.links, (it) => ({
    ...it,
    mac: it.mac || "02:00:00:00:00:0a",
    mtu: unlucky() ? 1280 : it.mtu || 1500,
    up: !unlucky(),
    addresses: it.addresses.filter(() => !unlucky()),
  }));
  for (const [key, it] of links) {
    if (namespaces.has(it.namespace) || it.namespace === HOST) continue;
    // The switch's namespace may have died, too.
    if (it.namespace === SWITCH && !unlucky()) continue;
    if (it.making.kind === "passthrough") links.set(key, { ...it, namespace: HOST, addresses: [] });
    else links.delete(key);
  }
  for (const [name, it] of namespaces) {
    const nics = [...veths.values(), ...links.values()].filter(({ namespace }) => namespace === name);
    const devices = new Set(nics.map((nic) => nic.name));
    namespaces.set(name, { ...it, routes: it.routes.filter((route) => devices.has(route.split(" dev ")[1] ?? "")) });
  }
  const bridges = keep(state.bridges, (it) => ({
    ...it,
    ...(unlucky() ? { datapath: "other" } : {}),
    ...(unlucky() ? { rstp: true as const } : {}),
  }));
  const ports = new Map(
    [...keep(state.ports, (it) => (unlucky() ? { ...it, tag: 99 } : it))].filter(([, port]) =>
      bridges.has(port.bridge),
    ),
  );
  const hostBridges = keep(state.hostBridges, (it) => ({
    ...it,
    up: !unlucky(),
    group: unlucky() ? 0 : it.group,
    addresses: it.addresses.filter(() => !unlucky()),
  }));
  const devices = new Set([
    ...[...veths.values()].filter((veth) => veth.namespace === HOST).map(({ name }) => name),
    ...hostBridges.keys(),
  ]);
  const mirrors = new Map(
    [...keep(state.mirrors, (it) => (unlucky() ? { ...it, bridge: "", port: "" } : it))].map(
      ([name, it]): [string, MirrorState] => [name, ports.has(it.port) ? it : { ...it, bridge: "", port: "" }],
    ),
  );
  const living = (node: string, namespace: string) => {
    const container = containers.get(node);
    const whole = container === undefined || container.status === "running";
    return (
      whole &&
      namespaces.has(namespace) &&
      !(container && ownsNamespace(container) && !namespaces.get(namespace)?.container)
    );
  };
  return {
    bridges,
    ports,
    mirrors,
    sinks: keep(state.sinks, (it) => ({ ...it, up: !unlucky() })),
    namespaces,
    veths,
    vteps: new Map(
      [
        ...keep(state.vteps, (it) => ({
          ...it,
          up: !unlucky(),
          lower: unlucky() ? "" : it.lower,
          remote: unlucky() ? "fd00::9" : it.remote,
        })),
      ].filter(([, it]) => it.lower === "" || bridges.has(it.lower)),
    ),
    underlays: new Map(
      [...keep(state.underlays, (it) => ({ ...it, up: !unlucky() }))].filter(([name]) => bridges.has(name)),
    ),
    pipes: keep(state.pipes, (it) => ({
      ...it,
      far: unlucky() ? "" : it.far,
      mtu: unlucky() ? 0 : it.mtu,
      forward: unlucky() ? "" : it.forward,
      up: !unlucky(),
    })),
    links,
    containers,
    taps: keep(state.taps, (it) => ({ ...it, up: !unlucky(), mtu: unlucky() ? 1280 : it.mtu })),
    machines: keep(
      state.machines,
      (it): MachineState => ({
        ...it,
        nics: it.nics.filter(() => !unlucky()),
        status: unlucky() ? (unlucky() ? "created" : "exited") : it.status,
      }),
    ),
    memberships: keep(state.memberships, (it) => it),
    services: keep(state.services, (it) => ({
      ...it,
      running: !unlucky(),
      namespace: it.namespace === undefined || namespaces.has(it.namespace) ? it.namespace : "",
    })),
    hostBridges,
    members: keep(state.members, (it) => ({
      ...it,
      bridge: hostBridges.has(it.bridge) && !unlucky() ? it.bridge : "",
    })),
    nats: keep(
      new Map(
        [...state.nats].map(([name, it]): [string, NatState] => [name, { ...it, forwarding: devices.has(name) }]),
      ),
      (it) => ({
        ...it,
        subnets: unlucky() ? [] : it.subnets,
        forwarding: it.forwarding && !unlucky(),
        apart: it.apart && !unlucky(),
      }),
    ),
    files: keep(state.files, (it) => it),
    exec: new Map(
      [...keep(state.exec, (it) => ({ ...it, failed: unlucky() }))].filter(([node, it]) => living(node, it.namespace)),
    ),
  };
}
