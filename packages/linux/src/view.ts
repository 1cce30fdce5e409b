/** What namespaces hold, read by rtnetlink dumps. */
import { YardError } from "@switchyard/base";
import { Excursion, namespaceKey } from "./excursion.ts";
import { marksAddresses } from "./kernel.ts";
import { addressDump, ROUTE_PROTOCOL, RTM_GETADDR, RTM_NEWADDR, readAddress } from "./netlink/address.ts";
import { offloads } from "./netlink/ethtool.ts";
import { linkDump, RTM_GETLINK, RTM_NEWLINK, readLink } from "./netlink/link.ts";
import { RTM_GETROUTE, RTM_NEWROUTE, readRoute, routeDump, routeFamily } from "./netlink/route.ts";
import { NETLINK_GET_STRICT_CHK, NetlinkSocket, SOL_NETLINK, setOption } from "./netlink/socket.ts";
import type { Link, LinkAddress, NamespaceRef, NamespaceView, Route } from "./types.ts";

/** Reads several namespaces; one that does not exist is not in the answer. Keys as {@link namespaceKey} has them. */
export function viewNamespacesByNetlink(refs: readonly NamespaceRef[]): Map<string, NamespaceView> {
  const views = new Map<string, NamespaceView>();
  using excursion = new Excursion();
  for (const ref of refs) {
    let opened: NetlinkSocket;
    try {
      opened = NetlinkSocket.open(excursion, ref);
    } catch (error) {
      if (error instanceof YardError && error.code === "namespace.missing") continue;
      throw error;
    }
    using socket = opened;
    views.set(namespaceKey(ref), viewThrough(socket));
  }
  return views;
}

interface Draft extends Link {
  readonly addresses: LinkAddress[];
}

function viewThrough(socket: NetlinkSocket): NamespaceView {
  // The kernel then leaves out other routes itself; one without the option answers with all.
  setOption(socket.fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1);
  let links = new Map<number, Draft>();
  socket.dump(
    RTM_GETLINK,
    linkDump,
    () => {
      links = new Map();
    },
    (message) => {
      if (message.type !== RTM_NEWLINK) return;
      const record = readLink(message);
      links.set(record.index, { ...record, offloads: undefined, addresses: [] });
    },
  );
  for (const [index, link] of links)
    if (link.kind === "veth") links.set(index, { ...link, offloads: offloads(socket.fd, link.name) });
  const clearAddresses = () => {
    for (const link of links.values()) link.addresses.length = 0;
  };
  const marked = marksAddresses();
  socket.dump(RTM_GETADDR, addressDump, clearAddresses, (message) => {
    if (message.type !== RTM_NEWADDR) return;
    const record = readAddress(message);
    if (record === undefined) return;
    const ours = marked ? record.protocol === ROUTE_PROTOCOL : record.permanentGlobal;
    links.get(record.index)?.addresses.push({ address: record.address, ours });
  });
  const nameOf = (index: number) => links.get(index)?.name;
  const routes: Route[] = [];
  for (const version of [4, 6] as const) {
    let found: Route[] = [];
    socket.dump(
      RTM_GETROUTE,
      routeDump(version),
      () => {
        found = [];
      },
      (message) => {
        const route = message.type === RTM_NEWROUTE ? readRoute(message, nameOf) : undefined;
        // A kernel without IPv6 answers with all the families that it has.
        if (route !== undefined && routeFamily(route) === version) found.push(route);
      },
    );
    routes.push(...found);
  }
  return { links: new Map(Array.from(links.values(), (link) => [link.name, link])), routes };
}
