import { errnoOf, YardError } from "@switchyard/base";

/** What the client library throws: an HTTP status, or a failure of the connection. */
export interface DockerFailure {
  readonly status: number | undefined;
  readonly errno: string | undefined;
  /** The engine's own words. */
  readonly message: string;
}

export function readFailure(error: unknown): DockerFailure {
  if (!(error instanceof Error)) return { status: undefined, errno: undefined, message: String(error) };
  const status = "statusCode" in error && typeof error.statusCode === "number" ? error.statusCode : undefined;
  const json = "json" in error ? error.json : undefined;
  const said = typeof json === "object" && json !== null && "message" in json ? json.message : undefined;
  const message = typeof said === "string" ? said : error.message.replace(/^\(HTTP code \d+\) [^-]*- /, "");
  return { status, errno: errnoOf(error), message: message.trim() };
}

/** A failure of the client library in our words; one that is ours already stays. */
export function asDockerError(error: unknown, address: string, signal?: AbortSignal): unknown {
  if (signal?.aborted) return signal.reason;
  if (error instanceof YardError) return error;
  const { status, errno, message } = readFailure(error);
  if (status !== undefined) return new YardError("runtime.engine-failed", `Docker: ${message}`, { cause: error });
  const hint =
    errno === "EACCES"
      ? "run as root, or as a member of the group docker"
      : "start it (systemctl start docker), or set DOCKER_HOST to where it listens";
  return new YardError("runtime.docker-unreachable", `no Docker engine answers at ${address}: ${message}`, {
    hint,
    cause: error,
  });
}
