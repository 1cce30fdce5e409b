/** What a runtime says of one nic, in its three ways: `runtimeConfig`, `args.cni`, CNI_ARGS. */
import { type Mac, parseMac, YardError } from "@switchyard/base";
import { type Bandwidth, readBandwidth } from "./bandwidth.ts";
import type { Fields, Problems } from "./fields.ts";
import { isKubernetesName, type PodRef } from "./kubernetes.ts";

export interface Wishes {
  readonly mac: Mac | undefined;
  /** Interface.external_ids:iface-id, by which a controller knows the port. */
  readonly ifaceId: string | undefined;
  readonly podUid: string | undefined;
  readonly pod: PodRef | undefined;
  readonly bandwidth: Bandwidth | undefined;
}

/** What runtimes are known to send; what is not of these and we do not read is for IPAM. */
const known = [
  "ignoreunknown",
  "ip",
  "gateway",
  "mac",
  "ovnport",
  "k8s_pod_name",
  "k8s_pod_namespace",
  "k8s_pod_infra_container_id",
  "k8s_pod_uid",
];

/**
 * CNI_ARGS: `KEY=VALUE;KEY=VALUE` (CONVENTIONS.md), keys in lower case.
 *
 * @param forgiving nothing is refused
 * @throws YardError `cni.bad-environment` for a pair that is none, and for a key that is not known unless IgnoreUnknown is set
 */
export function parseArgs(text: string, forgiving = false): ReadonlyMap<string, string> {
  const pairs = new Map<string, string>();
  for (const pair of text.split(";")) {
    if (pair === "") continue;
    const at = pair.indexOf("=");
    if (at < 1 && forgiving) continue;
    if (at < 1) throw new YardError("cni.bad-environment", `CNI_ARGS: "${pair}" is not KEY=VALUE`);
    pairs.set(pair.slice(0, at).toLowerCase(), pair.slice(at + 1));
  }
  const ignore = forgiving || ["1", "t", "true"].includes((pairs.get("ignoreunknown") ?? "").toLowerCase());
  const unknown = [...pairs.keys()].filter((key) => !known.includes(key));
  if (!ignore && unknown.length > 0)
    throw new YardError("cni.bad-environment", `CNI_ARGS: nothing is known of ${unknown.join(", ")}`, {
      hint: "IgnoreUnknown=1 in CNI_ARGS lets such pass",
    });
  return pairs;
}

/** The first that says something counts: runtimeConfig, args.cni, CNI_ARGS (CONVENTIONS.md). */
export function wishesOf(config: Fields, args: ReadonlyMap<string, string>): Wishes {
  const runtime = config.object("runtimeConfig");
  const cni = config.object("args")?.object("cni");
  const mac = runtime?.string("mac") ?? cni?.string("mac") ?? (args.get("mac") || undefined);
  return {
    mac: mac === undefined ? undefined : macOf(mac, config.problems),
    ifaceId: cni?.string("OvnPort") ?? (args.get("ovnport") || undefined),
    podUid: args.get("k8s_pod_uid") || undefined,
    pod: podOf(args),
    bandwidth: readBandwidth(runtime?.object("bandwidth")),
  };
}

/** Both are names of Kubernetes', or there is no pod. */
function podOf(args: ReadonlyMap<string, string>): PodRef | undefined {
  const namespace = args.get("k8s_pod_namespace") ?? "";
  const name = args.get("k8s_pod_name") ?? "";
  return isKubernetesName(namespace) && isKubernetesName(name) ? { namespace, name } : undefined;
}

function macOf(text: string, problems: Problems): Mac | undefined {
  try {
    return parseMac(text);
  } catch (thrown) {
    problems.wrong.push(thrown instanceof Error ? thrown.message : String(thrown));
    return undefined;
  }
}
