import { asYardError } from "@switchyard/base";
import type { Accelerator } from "@switchyard/runtime";
import type { Examination } from "./finding.ts";

/** Names an engine's version, or throws with the remedy. */
export type ProbeEngine = (kind: "oci" | "docker" | "podman") => Promise<string>;

/** What virtual machines run by: found by booting one. */
export function acceleratorExamination(probe: () => Promise<Accelerator>): Examination {
  return {
    name: "kvm",
    purpose: "virtual machines at full speed",
    examine: async () => {
      const { name, reason } = await probe();
      if (name === "kvm") return { ok: true, found: "a machine boots under it" };
      const remedy =
        "turn the processor's virtualization on, or run on a host that has it; machines run without, slower";
      return { ok: false, limited: true, found: reason, remedy };
    },
  };
}

/** The container engines, each asked as a lab would ask it. */
export function engineExaminations(probe: ProbeEngine): readonly Examination[] {
  const remedies = {
    oci: "apt-get install runc conmon busybox-static",
    docker: "apt-get install docker.io, and start its service",
    podman: "apt-get install podman",
  } as const;
  return (["oci", "docker", "podman"] as const).map((kind) => ({
    name: kind,
    purpose: `containers with runtime: ${kind}`,
    examine: async () => {
      try {
        return { ok: true, found: await probe(kind) };
      } catch (error) {
        const { message, hint } = asYardError(error);
        return { ok: false, limited: true, found: message, remedy: hint ?? remedies[kind] };
      }
    },
  }));
}
