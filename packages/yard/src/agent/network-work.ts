import { parseCidr, parseMac, YardError } from "@switchyard/base";
import {
  changeMasquerades,
  claimForwarding6,
  type LinkOp,
  linkSysctl,
  releaseForwarding6,
  setSysctls,
} from "@switchyard/linux";
import { type ApplyOptions, applySwitch, freeUnderlays } from "@switchyard/vswitch";
import { type Action, only } from "./action.ts";
import { type Blame, subjectOf } from "./blame.ts";
import { LinkWork } from "./link-work.ts";
import { formatAlias } from "./mark.ts";
import { APART, namespaceRef, natTable, natTablePrefix } from "./names.ts";
import { SPY_END } from "./observe.ts";
import { FAR_END } from "./observe-veths.ts";
import { switchPatience } from "./patience.ts";
import { parseRoute, routeDevice } from "./route.ts";
import type { Site } from "./site.ts";
import { ELSEWHERE, type NatState, type VethState } from "./state.ts";
import type { Subject } from "./subject.ts";
import { workOnTap } from "./tap-work.ts";

/** Makes, changes and removes veths, tap devices and the devices of spies. */
export async function applyDevices(site: Site, actions: readonly Action[], blame: Blame): Promise<void> {
  const batch = new LinkWork(site);
  for (const action of actions) {
    const { subject } = action;
    if (action.do === "vtep-delete") batch.near(subject, { op: "delete", name: action.vtep });
    else if (action.do === "veth-delete") batch.near(subject, { op: "delete", name: action.veth });
    else if (action.do === "veth-create") batch.near(subject, vethOp(site.paths.yard, action.veth, action.state));
    else if (action.do === "tap-delete" || action.do === "tap-create" || action.do === "tap-set")
      workOnTap(site, action, batch, blame);
    else if (action.do === "sink-delete") batch.near(subject, { op: "delete", name: action.sink });
    else if (action.do === "sink-set") batch.near(subject, { op: "set", name: action.sink, up: true });
    else if (action.do === "sink-create") {
      const alias = formatAlias(site.paths.yard, `${SPY_END}${action.purpose}`);
      batch.near(subject, { op: "sink", name: action.sink, alias, up: true });
    } else if (action.do === "veth-set") {
      const { mac, mtu, up, offloads } = action;
      const both = { ...(mtu === undefined ? {} : { mtu }), ...(up === undefined ? {} : { up }) };
      batch.near(subject, { op: "set", name: action.veth, ...both });
      if (action.namespace === ELSEWHERE) continue;
      const far = {
        op: "set",
        name: action.name,
        ...both,
        ...(mac === undefined ? {} : { mac: parseMac(mac) }),
        ...(offloads === undefined ? {} : { offloads }),
      } as const;
      batch.add(subject, namespaceRef(action.namespace), far);
    }
  }
  await batch.run(blame);
}

function vethOp(yard: string, name: string, state: VethState): LinkOp {
  return {
    op: "veth",
    name,
    alias: formatAlias(yard, state.purpose),
    mtu: state.mtu,
    up: state.up,
    port: true,
    peer: {
      name: state.name,
      namespace: namespaceRef(state.namespace),
      alias: formatAlias(yard, `${FAR_END}${name}`),
      ...(state.mac === "" ? {} : { mac: parseMac(state.mac) }),
      up: state.up && state.namespace !== ELSEWHERE,
      // A new one has them.
      ...(state.offloads ? {} : { offloads: false }),
      ...(state.addresses.length > 0 ? { addressed: true } : {}),
    },
  };
}

/**
 * Changes bridges and ports, all in one transaction.
 *
 * @param how whether to wait until the switch has taken it, and what makes the devices of new ports meanwhile
 */
export async function applyToSwitch(
  site: Site,
  actions: readonly Action[],
  blame: Blame,
  how: Pick<ApplyOptions, "wait" | "devices"> = {},
): Promise<void> {
  const subjects = new Map<string, Subject>();
  const change = {
    setBridges: new Map(only(actions, "bridge-set").map(({ bridge, state }) => [bridge, state])),
    deleteBridges: only(actions, "bridge-delete").map(({ bridge }) => bridge),
    setPorts: new Map(only(actions, "port-set").map(({ port, state }) => [port, state])),
    deletePorts: only(actions, "port-delete").map(({ port }) => port),
    setMirrors: new Map(only(actions, "mirror-set").map(({ mirror, state }) => [mirror, state])),
    deleteMirrors: only(actions, "mirror-delete").map(({ mirror }) => mirror),
  };
  for (const { bridge, subject } of [...only(actions, "bridge-set"), ...only(actions, "bridge-delete")])
    subjects.set(bridge, subject);
  for (const { port, subject } of [...only(actions, "port-set"), ...only(actions, "port-delete")])
    subjects.set(port, subject);
  for (const { mirror, subject } of [...only(actions, "mirror-set"), ...only(actions, "mirror-delete")])
    subjects.set(mirror, subject);
  try {
    if (change.deleteBridges.some((name) => site.vswitch.table("Bridge").find({ name })?.datapath_type !== "netdev"))
      freeUnderlays(site.namespace, new Set(change.deleteBridges));
    const result = await applySwitch(site.vswitch, change, {
      owner: site.paths.yard,
      signal: site.signal,
      timeout: switchPatience(),
      ...how,
    });
    for (const { name, code, message } of result.failures)
      blame.add(subjectOf(subjects, name), new YardError(code, message, switchHint(code)), code);
  } catch (error) {
    for (const { subject } of actions) blame.add(subject, error, "switch.failed");
  }
}

function switchHint(code: string): { hint?: string } {
  return code === "switch.no-bridge"
    ? { hint: "name a network of the yard, or make the bridge: yard ovs bridge-add NAME" }
    : {};
}

/** Sets kernel parameters, addresses and routes: parameters first, as some decide what the addresses may be. */
export async function configure(site: Site, actions: readonly Action[], blame: Blame): Promise<void> {
  const sysctls = new Map<string, { subject: Subject; values: Record<string, string> }>();
  for (const { namespace, name, value, subject } of only(actions, "sysctl-set")) {
    const entry = sysctls.get(namespace) ?? { subject, values: {} };
    entry.values[name] = value;
    sysctls.set(namespace, entry);
  }
  for (const [name, { subject, values }] of sysctls) {
    try {
      for (const { name: sysctl, message } of setSysctls(namespaceRef(name), values))
        blame.add(subject, new YardError("node.sysctl-refused", `${sysctl}: ${message}`), "node.sysctl-refused");
    } catch (error) {
      blame.add(subject, error, "node.sysctl-refused");
    }
  }
  await setNats(site.paths.yard, actions, blame);
  const batch = new LinkWork(site);
  for (const action of actions) {
    const { subject } = action;
    if (action.do === "address-add" || action.do === "address-delete") {
      const op: LinkOp = { op: action.do, name: action.name, address: parseCidr(action.address) };
      batch.add(subject, namespaceRef(action.namespace), op);
    } else if (action.do === "route-add" || action.do === "route-delete") {
      const nic = routeDevice(action.route);
      // It would only be told again in other words.
      if (nic !== undefined && subject.kind === "node" && blame.blocks({ kind: "nic", node: subject.node, nic }))
        continue;
      batch.add(subject, namespaceRef(action.namespace), { op: action.do, route: parseRoute(action.route) });
    }
  }
  await batch.run(blame);
}

async function setNats(yard: string, actions: readonly Action[], blame: Blame): Promise<void> {
  const prefix = natTablePrefix(yard);
  const wanted = only(actions, "nat-set");
  const gone = only(actions, "nat-delete");
  for (const { device, state, subject } of wanted) {
    if (!state.forwarding) continue;
    for (const { message } of setSysctls("self", natSysctls(device, state)))
      blame.add(subject, new YardError("network.nat-failed", message), "network.nat-failed");
  }
  const tables = wanted.map(({ device, state: { subnets, apart } }) => {
    const group = apart ? APART : undefined;
    return [`${prefix}${natTable(device)}`, { device, subnets, group }] as const;
  });
  const reaching = wanted.filter(({ state }) => hidesIpv6(state)).map(({ device }) => device);
  const others = [...wanted, ...gone].map(({ device }) => device).filter((device) => !reaching.includes(device));
  try {
    // As long as a table is there, somebody sees that there is something to let go of.
    await releaseForwarding6(others);
    await changeMasquerades(
      new Map(tables),
      gone.map(({ device }) => `${prefix}${natTable(device)}`),
    );
    await claimForwarding6(reaching);
  } catch (error) {
    for (const { subject } of [...wanted, ...gone]) blame.add(subject, natError(error), "network.nat-failed");
  }
}

function hidesIpv6({ subnets, forwarding }: NatState): boolean {
  return forwarding && subnets.some((subnet) => subnet.includes(":"));
}

/** Of a link by which the host is a router: what is on the other side is no router of its. */
function natSysctls(device: string, state: NatState): Record<string, string> {
  const advertised = hidesIpv6(state) ? { [linkSysctl(6, device, "accept_ra")]: "0" } : {};
  return { [linkSysctl(4, device, "forwarding")]: "1", ...advertised };
}

function natError(error: unknown): unknown {
  if (!(error instanceof YardError) || error.code !== "command.not-found") return error;
  return new YardError("network.nat-failed", "source NAT needs nft, which is not installed", {
    hint: "install it: apt-get install nftables",
    cause: error,
  });
}
