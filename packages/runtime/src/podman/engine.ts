import type { ContainerEngine, EngineOptions } from "../types.ts";
export async function openPodman(_options: EngineOptions): Promise<ContainerEngine> {
  throw new Error("not yet");
}
