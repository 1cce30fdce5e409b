/** The methods of the two protocols, by the names that they are called with. */
import { createEndpoint, deleteEndpoint, join, publish, revoke } from "./endpoints.ts";
import { releaseAddress, releasePool, requestAddress, requestPool } from "./ipam.ts";
import type { LiveYard } from "./live.ts";
import { createNetwork, deleteNetwork } from "./networks.ts";
import * as protocol from "./protocol.ts";
import { read } from "./protocol.ts";

/** Answers one request; an object without entries is the protocol's way to say that all went well. */
export type Method = (live: LiveYard, request: unknown) => object | Promise<object>;

const PORT_MAP = "com.docker.network.portmap";

/** Those that answer nothing. */
function done<R>(parse: (value: unknown) => R, body: (live: LiveYard, request: R) => Promise<void>): Method {
  return async (live, request) => {
    await body(live, parse(request));
    return {};
  };
}

const endpoint = (value: unknown) => read(protocol.endpoint, value, "endpoint");

/** By the path of the request, without its first slash. */
export const methods: Readonly<Record<string, Method>> = {
  "Plugin.Activate": () => ({ Implements: ["NetworkDriver", "IpamDriver"] }),
  "NetworkDriver.GetCapabilities": () => ({ Scope: "local", ConnectivityScope: "local" }),
  "NetworkDriver.CreateNetwork": done((value) => read(protocol.createNetwork, value, "CreateNetwork"), createNetwork),
  "NetworkDriver.DeleteNetwork": done(
    (value) => read(protocol.network, value, "DeleteNetwork"),
    (live, { NetworkID }) => deleteNetwork(live, NetworkID),
  ),
  "NetworkDriver.CreateEndpoint": (live, value) =>
    createEndpoint(live, read(protocol.createEndpoint, value, "CreateEndpoint")),
  "NetworkDriver.DeleteEndpoint": done(endpoint, deleteEndpoint),
  "NetworkDriver.EndpointOperInfo": () => ({ Value: {} }),
  "NetworkDriver.Join": (live, value) => join(live, endpoint(value)),
  // The engine moves the nic out of the container by itself; it goes with the endpoint.
  "NetworkDriver.Leave": done(endpoint, async () => {}),
  "NetworkDriver.ProgramExternalConnectivity": async (live, value) => {
    const request = read(protocol.connectivity, value, "ProgramExternalConnectivity");
    const ports = read(protocol.portMap, request.Options[PORT_MAP], PORT_MAP);
    await publish(live, request, ports);
    return {};
  },
  "NetworkDriver.RevokeExternalConnectivity": done(endpoint, revoke),
  "NetworkDriver.DiscoverNew": () => ({}),
  "NetworkDriver.DiscoverDelete": () => ({}),
  // All that is given out is in the database: the engine need not ask for it again when it starts.
  "IpamDriver.GetCapabilities": () => ({ RequiresMACAddress: false, RequiresRequestReplay: false }),
  "IpamDriver.GetDefaultAddressSpaces": () => ({
    LocalDefaultAddressSpace: "switchyard",
    GlobalDefaultAddressSpace: "switchyard-global",
  }),
  "IpamDriver.RequestPool": (live, value) => requestPool(live, read(protocol.requestPool, value, "RequestPool")),
  "IpamDriver.ReleasePool": done(
    (value) => read(protocol.pool, value, "ReleasePool"),
    (live, { PoolID }) => releasePool(live, PoolID),
  ),
  "IpamDriver.RequestAddress": (live, value) =>
    requestAddress(live, read(protocol.requestAddress, value, "RequestAddress")),
  "IpamDriver.ReleaseAddress": done(
    (value) => read(protocol.releaseAddress, value, "ReleaseAddress"),
    (live, { PoolID, Address }) => releaseAddress(live, PoolID, Address),
  ),
};
