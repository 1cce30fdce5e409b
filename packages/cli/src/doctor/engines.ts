import { asYardError } from "@switchyard/base";
import type { Examination } from "./finding.ts";

/** Names an engine's version, or throws with the remedy. */
export type ProbeEngine = (kind: "oci" | "docker" | "podman") => Promise<string>;

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
