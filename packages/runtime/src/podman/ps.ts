import type { ContainerState, ContainerStatus } from "../types.ts";

/** The output of `podman ps --format json`. */
export function parseContainers(text: string): ContainerState[] {
  const value: unknown = text.trim() === "" ? [] : JSON.parse(text);
  return Array.isArray(value) ? value.flatMap((item: unknown) => parseContainer(item) ?? []) : [];
}

function parseContainer(value: unknown): ContainerState | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { Id, Names, State, Pid, ExitCode, Labels }: Record<string, unknown> = { ...value };
  const name: unknown = Array.isArray(Names) ? Names[0] : undefined;
  if (typeof Id !== "string" || typeof name !== "string" || typeof State !== "string") return undefined;
  const status = statusOf(State);
  const labels = Object.entries(typeof Labels === "object" && Labels !== null ? Labels : {});
  return {
    name,
    id: Id,
    status,
    pid: status === "running" && typeof Pid === "number" && Pid > 0 ? Pid : undefined,
    exitCode: status === "exited" && typeof ExitCode === "number" ? ExitCode : undefined,
    labels: Object.fromEntries(labels.filter((pair): pair is [string, string] => typeof pair[1] === "string")),
  };
}

/** podman's words (libpod/define/containerstate.go) in ours. */
function statusOf(state: string): ContainerStatus {
  switch (state) {
    case "running":
    case "paused":
    case "created":
    case "exited":
      return state;
    case "configured":
    case "initialized":
      return "created";
    case "stopping":
      return "running";
    case "stopped":
      return "exited";
    default:
      return "dead";
  }
}
