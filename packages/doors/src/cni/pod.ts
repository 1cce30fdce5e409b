/**
 * What a pod is told of its vhost-user sockets: annotations, as the userspace CNI has them, which the container reads in
 * a file of the downward API. And where the pod wants its sockets: in its volume `shared-dir`.
 */
import type { V1Pod } from "@kubernetes/client-node";
import { asYardError, YardError } from "@switchyard/base";
import type { Call } from "./call.ts";
import { isRecord } from "./fields.ts";
import type { ConfigurationData, Handover } from "./handover.ts";
import { clusterServer, type Kubernetes, type KubernetesOptions, openKubernetes, type PodRef } from "./kubernetes.ts";
import { KUBECONFIG, type OwnedPort, podOf } from "./marks.ts";

const CONFIGURATION = "userspace/configuration-data";
const MAPPED = "userspace/mapped-dir";
/** The name of the volume. */
const VOLUME = "shared-dir";
/** What a pod without such a volume is told of where its sockets are, as the userspace CNI has it: where containers mount `sharedDir`. */
const DEFAULT_MAPPED = "/var/lib/cni/usrspcni";
/** Where kubelet keeps what pods have. */
const KUBELET = "/var/lib/kubelet/pods";
/** How often somebody else may change the pod between our look and our word. */
const TRIES = 10;

/** The pod's volume for sockets. */
export interface SharedVolume {
  /** On the host. */
  readonly folder: string;
  /** In the container. */
  readonly mapped: string;
}

/** Undefined where a pod has none. @throws YardError `cni.bad-pod` */
export function sharedVolume({ metadata, spec }: V1Pod): SharedVolume | undefined {
  const volume = spec?.volumes?.find(({ name }) => name === VOLUME);
  if (volume === undefined) return undefined;
  const uid = metadata?.uid ?? "";
  const folder =
    volume.hostPath !== undefined
      ? volume.hostPath.path
      : volume.emptyDir !== undefined && /^[A-Za-z0-9-]+$/.test(uid)
        ? `${KUBELET}/${uid}/volumes/kubernetes.io~empty-dir/${VOLUME}`
        : undefined;
  if (folder === undefined || !folder.startsWith("/") || folder.split("/").includes(".."))
    throw new YardError("cni.bad-pod", `the pod's volume ${VOLUME} can hold no sockets`, {
      hint: "make it a hostPath or an emptyDir",
    });
  const mounts = (spec?.containers ?? []).flatMap(({ volumeMounts = [] }) => volumeMounts);
  return { folder, mapped: mounts.find(({ name }) => name === VOLUME)?.mountPath ?? DEFAULT_MAPPED };
}

export interface PodOfCall {
  readonly api: Kubernetes;
  readonly ref: PodRef;
  readonly volume: SharedVolume | undefined;
}

/**
 * The pod that is to be told; undefined where the configuration has nothing for it, or there is no way to it.
 *
 * @throws YardError `cni.bad-pod`, and those of {@link Kubernetes}
 */
export async function podOfCall(
  call: Call,
  ref: PodRef | undefined,
  handover: Handover | undefined,
): Promise<PodOfCall | undefined> {
  if (handover === undefined || ref === undefined) return undefined;
  if (handover.kubeconfig === undefined && clusterServer(call.env) === undefined) return undefined;
  const api = await openKubernetes(accessOf(call, handover.kubeconfig));
  return { api, ref, volume: sharedVolume(await api.readPod(ref)) };
}

/** Not until the call is given up: what is to be taken back then is taken back by it, too. */
function accessOf({ env }: Call, kubeconfig: string | undefined): KubernetesOptions {
  return { kubeconfig, env, timeout: 5_000 };
}

/** Takes back what a port's pod was told. It keeps nothing from going: the pod mostly goes, too. */
export async function takeBack(call: Call, port: OwnedPort): Promise<void> {
  const kubeconfig = port.row.external_ids.get(KUBECONFIG);
  const ref = podOf(port);
  if (kubeconfig === undefined || ref === undefined) return;
  try {
    const api = await openKubernetes(accessOf(call, kubeconfig === "" ? undefined : kubeconfig));
    await untellPod(api, ref, { containerId: port.containerId, ifName: port.ifname });
  } catch (thrown) {
    call.warn(`pod ${ref.namespace}/${ref.name} is still told of ${port.ifname}: ${asYardError(thrown).message}`);
  }
}

/**
 * Adds to what the pod is told; what it is told already of that interface is replaced. Others may change the pod meanwhile.
 *
 * @throws YardError `cni.bad-pod`, `kubernetes.busy`, and those of {@link Kubernetes}
 */
export async function tellPod(
  api: Kubernetes,
  ref: PodRef,
  mapped: string | undefined,
  data: ConfigurationData,
): Promise<void> {
  await change(api, ref, (pod) => {
    const said = pod.metadata?.annotations?.[MAPPED];
    const wanted = mapped ?? said ?? DEFAULT_MAPPED;
    if (said !== undefined && said !== wanted)
      throw new YardError(
        "cni.bad-pod",
        `the pod's annotation ${MAPPED} is ${said}, but its sockets are in ${wanted}`,
        {
          hint: "leave the annotation out",
        },
      );
    const told = [...others(pod, data), data];
    return { [CONFIGURATION]: JSON.stringify(told), [MAPPED]: wanted };
  });
}

/** Takes out what a pod is told of an interface. A pod that is gone is no failure. @throws as {@link tellPod} */
export async function untellPod(
  api: Kubernetes,
  ref: PodRef,
  nic: { readonly containerId: string; readonly ifName: string },
): Promise<void> {
  try {
    await change(api, ref, (pod) => {
      const left = others(pod, nic);
      if (left.length === entries(pod).length) return undefined;
      return { [CONFIGURATION]: left.length === 0 ? null : JSON.stringify(left) };
    });
  } catch (thrown) {
    if (!(thrown instanceof YardError) || thrown.code !== "kubernetes.not-found") throw thrown;
  }
}

async function change(
  api: Kubernetes,
  ref: PodRef,
  wish: (pod: V1Pod) => Readonly<Record<string, string | null>> | undefined,
): Promise<void> {
  for (let tries = 0; tries < TRIES; tries++) {
    const pod = await api.readPod(ref);
    const annotations = wish(pod);
    if (annotations === undefined) return;
    if (await api.annotatePod(ref, pod.metadata?.resourceVersion ?? "", annotations)) return;
  }
  throw new YardError("kubernetes.busy", `pod ${ref.namespace}/${ref.name} was changed by others ${TRIES} times over`);
}

function others(pod: V1Pod, nic: { readonly containerId: string; readonly ifName: string }): readonly unknown[] {
  const isOurs = (one: unknown) => isRecord(one) && one.containerId === nic.containerId && one.ifName === nic.ifName;
  return entries(pod).filter((one) => !isOurs(one));
}

/** What cannot be read is nothing: it would be of no use to the container either. */
function entries({ metadata }: V1Pod): readonly unknown[] {
  try {
    const value: unknown = JSON.parse(metadata?.annotations?.[CONFIGURATION] ?? "[]");
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}
