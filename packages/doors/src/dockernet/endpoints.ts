/** The ends of containers in Docker networks, each a node of the yard with one nic, which the engine takes. */
import { addressOf, contains, nthHost, YardError } from "@switchyard/base";
import { portName } from "@switchyard/vswitch";
import { guestDevice } from "@switchyard/yard/agent";
import { guestNic, guestSpec, type PortForward } from "@switchyard/yard/model";
import {
  addForeignNode,
  changeForeignNode,
  foreignNode,
  foreignNodesOn,
  type NetworkEntry,
  type NodeEntry,
  removeForeignNode,
  rowsOf,
  type Store,
} from "@switchyard/yard/store";
import type { LiveYard } from "./live.ts";
import { ENDPOINT_ID, networkOf } from "./networks.ts";
import { endpointOptions } from "./options.ts";
import { type PublishedPort, publishedPorts } from "./ports.ts";
import type { CreateEndpoint, Endpoint } from "./protocol.ts";

/** The beginning of a nic's name in its container; the engine adds the number. */
const PREFIX = "eth";

/** `NetworkDriver.CreateEndpoint`. @returns what of the interface the engine has not chosen itself */
export async function createEndpoint(live: LiveYard, request: CreateEndpoint) {
  live.made.add(request.EndpointID);
  const store = await live.store();
  const { row, entry, habits } = networkOf(store, request.NetworkID);
  const asked = endpointOptions(request.Options);
  if (foreignNode(store, ENDPOINT_ID, request.EndpointID) === undefined) {
    const ip = [request.Interface?.Address, request.Interface?.AddressIPv6].filter((it) => it !== undefined);
    const slot = asked.slot ?? (habits.slot ? slotOf(entry, ip) : undefined);
    if (asked.slot !== undefined) refuseOtherSlot(entry, ip, asked.slot);
    const nic = guestNic({
      name: `${PREFIX}0`,
      network: entry.name,
      mtu: undefined,
      ip,
      slot,
      mac: request.Interface?.MacAddress,
      spy: asked.spy ?? habits.spy,
    });
    const name = `docker-${request.EndpointID.slice(0, 12)}`;
    const spec = guestSpec(name, [nic], { engine: undefined, container: undefined, plugs: [] });
    // The engine gives an address out once: who has it still is an end whose removal it could not tell us.
    const addresses = new Set<string>(ip);
    const replaces = foreignNodesOn(store, ENDPOINT_ID, row).filter((node) =>
      [...node.nics].some((uuid) =>
        [...(store.db.table("Nic").get(uuid)?.addresses ?? [])].some((it) => addresses.has(it)),
      ),
    );
    await addForeignNode(store, { spec, ids: { [ENDPOINT_ID]: request.EndpointID }, replaces }, live.place);
  }
  const { nic } = endOf(store, request.EndpointID);
  // What the engine has chosen must not be told again.
  return { Interface: request.Interface?.MacAddress === undefined ? { MacAddress: nic.mac } : {} };
}

/** `NetworkDriver.DeleteEndpoint`; one that is gone is no error. */
export async function deleteEndpoint(live: LiveYard, request: Endpoint): Promise<void> {
  live.made.delete(request.EndpointID);
  const store = await live.store();
  const row = foreignNode(store, ENDPOINT_ID, request.EndpointID);
  if (row !== undefined) await removeForeignNode(store, row);
}

/** `NetworkDriver.Join`: the nic is there, for the engine to move into the container. */
export async function join(live: LiveYard, request: Endpoint) {
  const store = await live.store();
  const { entry } = networkOf(store, request.NetworkID);
  const { node, nic } = endOf(store, request.EndpointID);
  await live.applied(store.db.table("Yard").single()?.next_cfg ?? 0, { nodes: [node.name] });
  const gateway = (version: "4" | "6") =>
    entry.gateway.find((ip) => ip.includes(":") === (version === "6") && nic.addresses.some((it) => contains(it, ip)));
  return {
    InterfaceName: { SrcName: guestDevice(live.place.yard, portName(node.objId, nic.index)), DstPrefix: PREFIX },
    Gateway: gateway("4") ?? "",
    GatewayIPv6: gateway("6") ?? "",
    // Without a gateway there shall be no other way out either, which the engine would make.
    DisableGatewayService: entry.gateway.length === 0,
  };
}

/** `NetworkDriver.ProgramExternalConnectivity`. @throws YardError `node.port-taken`, `dockernet.no-published-port` */
export async function publish(live: LiveYard, request: Endpoint, wanted: readonly PublishedPort[]): Promise<void> {
  if (wanted.length === 0) return;
  const store = await live.store();
  const { entry } = networkOf(store, request.NetworkID);
  if (entry.gateway.length === 0)
    throw new YardError("dockernet.no-published-port", `network ${entry.name} has no gateway to publish ports by`);
  try {
    await setPorts(live, store, request, await publishedPorts(wanted));
  } catch (error) {
    await setPorts(live, store, request, []).catch(() => {});
    throw error;
  }
}

/** `NetworkDriver.RevokeExternalConnectivity` */
export async function revoke(live: LiveYard, request: Endpoint): Promise<void> {
  const store = await live.store();
  const row = foreignNode(store, ENDPOINT_ID, request.EndpointID);
  if (row === undefined || endOf(store, request.EndpointID).node.spec.ports.length === 0) return;
  await setPorts(live, store, request, []);
}

async function setPorts(live: LiveYard, store: Store, request: Endpoint, ports: readonly PortForward[]): Promise<void> {
  const { node, spec } = endOf(store, request.EndpointID);
  const row = foreignNode(store, ENDPOINT_ID, request.EndpointID);
  if (row === undefined) return;
  const { cfg } = await changeForeignNode(store, row, { ...spec, ports });
  await live.applied(cfg, { nodes: [node.name] });
}

/** @throws YardError `dockernet.unknown-endpoint` */
function endOf(store: Store, id: string) {
  const row = foreignNode(store, ENDPOINT_ID, id);
  const node = rowsOf(store.db).nodes.find(({ uuid }) => uuid === row?._uuid);
  const nic = node?.nics[0];
  if (node === undefined || nic === undefined || node.spec.kind !== "guest")
    throw new YardError("dockernet.unknown-endpoint", `the yard has no nic for Docker's endpoint ${id.slice(0, 12)}`);
  return { node: node satisfies NodeEntry, nic, spec: node.spec };
}

/** The number of the host that an address is, in the network's IPv4 subnet. */
function slotOf(entry: NetworkEntry, ip: readonly string[]): number | undefined {
  const subnet = entry.cidr.find((cidr) => !cidr.includes(":"));
  const address = ip.find((it) => !it.includes(":"))?.split("/")[0];
  if (subnet === undefined || address === undefined) return undefined;
  const [base, host] = [addressOf(subnet), address].map((text) =>
    text.split(".").reduce((sum, byte) => sum * 256 + Number(byte), 0),
  );
  const slot = (host ?? 0) - (base ?? 0);
  return slot >= 1 && slot <= 65_535 ? slot : undefined;
}

/** The engine has chosen the address by now, which a slot would fix. */
function refuseOtherSlot(entry: NetworkEntry, ip: readonly string[], slot: number): void {
  const subnet = entry.cidr.find((cidr) => !cidr.includes(":"));
  if (subnet === undefined || slotOf(entry, ip) === slot) return;
  throw new YardError("dockernet.bad-option", `the container has another address than that of slot ${slot}`, {
    hint: `give it: --ip ${addressOf(nthHost(subnet, slot))}`,
  });
}
