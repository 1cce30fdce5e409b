import type { ContainerEngine, EngineOptions } from "../types.ts";
export async function openDocker(_options: EngineOptions): Promise<ContainerEngine> {
  throw new Error("not yet");
}
