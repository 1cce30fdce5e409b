import type { ContainerConfig } from "@switchyard/runtime";
import type { ContainerSpec } from "../model/types.ts";
import { canonicalJson, digest } from "../store/canonical.ts";
import type { NodeEntry } from "../store/rows.ts";
import { bindsResolver } from "./desire-files.ts";
import type { HostFacts } from "./host-facts.ts";
import { LABEL_FINGERPRINT, LABEL_NAMESPACE, LABEL_NODE, LABEL_OWNER } from "./mark.ts";
import { containerName, hostsFile, nodeNamespace, resolverFile, switchNamespace } from "./names.ts";
import type { ContainerNodeState, ExecState } from "./state.ts";

/** A node's container. Whatever cannot be changed in place is in its fingerprint. */
export function containerState(
  node: NodeEntry,
  spec: Omit<ContainerSpec, "nics">,
  facts: HostFacts,
): ContainerNodeState {
  const namespace = nodeNamespace(facts.yard, node.name);
  const { runtime, engine } = spec;
  const config: Omit<ContainerConfig, "labels"> = {
    name: containerName(facts.yard, node.name),
    image: spec.image,
    rootfs: spec.rootfs,
    pull: spec.pull,
    command: spec.command,
    entrypoint: spec.entrypoint,
    env: spec.env,
    user: spec.user,
    hostname: spec.hostname ?? node.name,
    privileged: spec.privileged,
    capAdd: spec.capAdd,
    devices: spec.devices,
    binds: [...spec.binds, ...ownBinds(node, spec, facts)],
    cpus: spec.cpus,
    memory: spec.memory,
    sysctls: otherSysctls(spec.sysctls),
    namespace,
    // Only where it is so: others keep their fingerprints.
    ...(spec.hostNetwork ? { hostNetwork: { namespace: switchNamespace(facts.yard) } } : {}),
  };
  const fingerprint = digest(canonicalJson({ ...config, runtime, engine }), 16);
  const labels = {
    [LABEL_OWNER]: facts.yard,
    [LABEL_NODE]: node.name,
    [LABEL_FINGERPRINT]: fingerprint,
    [LABEL_NAMESPACE]: namespace,
  };
  return { runtime, engine, fingerprint, status: "running", namespace, config: { ...config, labels } };
}

/** What a node's commands have been run for: other commands or another environment are other ones. */
export function execState(node: NodeEntry, namespace: string): ExecState {
  const commands = node.spec.exec;
  // A container's environment is given to it when it is made.
  const env = node.spec.kind === "netns" ? node.spec.env : {};
  return { hash: digest(canonicalJson({ commands, env }), 16), failed: false, commands, env, namespace };
}

/** Kernel parameters of the network namespace: set from outside, at any time. */
export function networkSysctls(sysctls: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(sysctls).filter(([name]) => name.startsWith("net.")));
}

/** The other kernel parameters, which the engine sets when it makes the container. */
function otherSysctls(sysctls: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(sysctls).filter(([name]) => !name.startsWith("net.")));
}

/** Our hosts and resolv.conf, unless the lab puts its own there. */
function ownBinds(node: NodeEntry, spec: Omit<ContainerSpec, "nics">, facts: HostFacts): string[] {
  const taken = new Set(spec.binds.map((bind) => bind.split(":")[1]));
  const binds: string[] = [];
  if (!taken.has("/etc/hosts")) binds.push(`${hostsFile(facts.run, node.lab)}:/etc/hosts:ro`);
  if (!taken.has("/etc/resolv.conf") && bindsResolver(node))
    binds.push(`${resolverFile(facts.run, node.name)}:/etc/resolv.conf:ro`);
  return binds;
}
