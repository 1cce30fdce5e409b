/** How ports of containers are known again: what stands in external_ids of Port is all that is remembered. */
import { bootId } from "@switchyard/linux";
import { OWNER, type PortRow, type Switch } from "@switchyard/vswitch";
import type { NetworkConfig } from "./config.ts";
import type { PodRef } from "./kubernetes.ts";
import type { Request } from "./request.ts";

/** The value of external_ids:switchyard-owner. */
export const CNI_OWNER = "cni";
/** The purposes of rows, in external_ids:switchyard-purpose. */
export const NIC = "nic";
export const BRIDGE = "bridge";
export const MIRROR = "mirror";

const CONTAINER = "cni-container";
const INTERFACE = "cni-interface";
const NETWORK = "cni-network";
export const NETNS = "cni-netns";
const POD_UID = "cni-pod-uid";
/** `namespace/name` */
const POD = "cni-pod";
const BOOT = "cni-boot";
const WAY = "cni-way";
/** The PCI address of a device, and what its link is called on the host. */
export const DEVICE = "cni-device";
export const DEVICE_LINK = "cni-device-link";
/** The path of a vhost-user socket. */
export const SOCKET = "cni-socket";
/** The file by which the runtime was told of the device. */
export const DEVICE_INFO = "cni-device-info";
/** How the API is reached by which the pod was told of its socket: a kubeconfig's path; empty: the service account. */
export const KUBECONFIG = "cni-kubeconfig";

/** What a port's device is: one end of a veth, the switch's own, a socket, or somebody else's that was only attached. */
export type PortWay = (typeof WAYS)[number];

const WAYS = ["veth", "internal", "vhostuser", "device", "given"] as const;

/** A port of ours, read back. */
export interface OwnedPort {
  readonly row: PortRow;
  readonly containerId: string;
  readonly ifname: string;
  readonly network: string;
  readonly way: PortWay;
  /** Of an earlier boot of this host: its container and its device are gone for sure. */
  readonly dead: boolean;
}

// Bun's own, here and elsewhere in short commands: loading node:crypto takes longer than all that is hashed.

/** The port of a container's interface, and its device on the host. */
export function portName({ containerId, ifname }: Pick<Request, "containerId" | "ifname">): string {
  return `cni${new Bun.CryptoHasher("sha256").update(`${containerId}\0${ifname}`).digest("hex").slice(0, 12)}`;
}

/** external_ids of the Port; the last three as ovs-cni has them, for who looks by those. */
export function portIds(request: Request, config: NetworkConfig, way: PortWay): Record<string, string> {
  const { podUid, pod } = config.attachment;
  return {
    [CONTAINER]: request.containerId,
    [INTERFACE]: request.ifname,
    [NETWORK]: config.name,
    [NETNS]: request.netns,
    [BOOT]: bootId(),
    [WAY]: way,
    contIface: request.ifname,
    contNetns: request.netns,
    ...(podUid === undefined ? {} : { [POD_UID]: podUid, contPodUid: podUid }),
    ...(pod === undefined ? {} : { [POD]: `${pod.namespace}/${pod.name}` }),
  };
}

/** All ports that bear our mark. */
export function ownedPorts(db: Pick<Switch, "table">): OwnedPort[] {
  const boot = bootId();
  return [...db.table("Port")].flatMap((row) => {
    const ids = row.external_ids;
    const containerId = ids.get(CONTAINER);
    if (ids.get(OWNER) !== CNI_OWNER || containerId === undefined) return [];
    return {
      row,
      containerId,
      ifname: ids.get(INTERFACE) ?? "",
      network: ids.get(NETWORK) ?? "",
      way: WAYS.find((way) => way === ids.get(WAY)) ?? "veth",
      dead: ids.get(BOOT) !== boot,
    };
  });
}

/** The pod that a port is for, where the runtime has said so. */
export function podOf({ row }: OwnedPort): PodRef | undefined {
  const [namespace, name] = row.external_ids.get(POD)?.split("/") ?? [];
  return namespace === undefined || name === undefined ? undefined : { namespace, name };
}

/** The port of an attachment, whatever network it was made by. */
export function findPort(db: Pick<Switch, "table">, request: Request): OwnedPort | undefined {
  return ownedPorts(db).find(
    ({ containerId, ifname }) => containerId === request.containerId && ifname === request.ifname,
  );
}
