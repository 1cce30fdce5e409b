import type { VmEngine, VmEngineOptions } from "./qemu/types.ts";
import type { ContainerEngine, EngineKind, EngineOptions } from "./types.ts";

/**
 * Opens a container engine. Nothing is asked of it yet (`probe` does), and only the chosen one's code is loaded.
 *
 * @throws YardError `runtime.bad-address`
 */
export async function openEngine(kind: EngineKind, options: EngineOptions): Promise<ContainerEngine> {
  switch (kind) {
    case "docker":
      return (await import("./docker/engine.ts")).openDocker(options);
    case "podman":
      return (await import("./podman/engine.ts")).openPodman(options);
    case "oci":
      return (await import("./oci/engine.ts")).openOci(options);
  }
}

/** Opens the engine of virtual machines, likewise. */
export async function openVmEngine(options: VmEngineOptions): Promise<VmEngine> {
  return (await import("./qemu/engine.ts")).openQemu(options);
}
