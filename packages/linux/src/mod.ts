export { codes } from "./codes.ts";
export { inNamespace, NETNS_DIR, namespaceKey, namespacePath, socketInNamespace } from "./excursion.ts";
export { type ChangedNames, watchFile, watchFolder } from "./file-watch.ts";
export { claimForwarding6, forwarding6, releaseForwarding6 } from "./forwarding6.ts";
export { FrameLoop, FrameMemory, type Woken } from "./frames.ts";
export {
  bootId,
  canMakeNamespace,
  type Hugepages,
  hugepages,
  isRoot,
  kernelRelease,
  knowsLinkKind,
  marksAddresses,
} from "./kernel.ts";
export { removeLink, removeLinkNow } from "./link-removal.ts";
export { lockFile, lockHolder } from "./lock.ts";
export { openMacvtap } from "./macvtap.ts";
export { changeMasquerades, listMasquerades, type Masquerade } from "./masquerade.ts";
export { MountWatch } from "./mount-watch.ts";
export { checkLinkName, checkNamespaceName } from "./names.ts";
export { adoptNamespace, listNamespaces, namespaceId } from "./namespaces.ts";
export { hasNetem, netemDevices, setNetem } from "./netem.ts";
export { ROUTE_PROTOCOL } from "./netlink/address.ts";
export {
  applyLinks,
  applyLinksInSlices,
  createNamespaces,
  createNamespacesInSlices,
  deleteNamespaces,
  deleteNamespacesInSlices,
  viewNamespace,
  viewNamespaces,
  viewNamespacesInSlices,
} from "./network.ts";
export { addOpenPort, listOpenPorts, removeOpenPort } from "./open-ports.ts";
export * from "./processes.ts";
export { watchReadable } from "./readiness.ts";
export { SINK_MTU, sinkKind } from "./sink.ts";
export { linkSysctl, readSysctls, type SysctlFailure, setSysctls } from "./sysctl.ts";
export { openTap } from "./tap.ts";
export * from "./types.ts";
export { DescriptorSocket, listenUnix } from "./unix-socket.ts";
export { type NamespaceEvent, peerNames, watchNamespaces, watchPeers } from "./watch.ts";
