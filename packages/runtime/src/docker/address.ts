import { YardError } from "@switchyard/base";

/** Where a Docker engine listens, as its client library takes it. */
export interface DockerAddress {
  readonly socketPath: string | undefined;
  readonly host: string | undefined;
  readonly port: number | undefined;
  readonly protocol: "http" | "https" | undefined;
}

const DEFAULT = "unix:///var/run/docker.sock";

/**
 * What DOCKER_HOST says. TLS keys of an `https` engine are taken from DOCKER_CERT_PATH.
 *
 * @throws YardError `runtime.bad-address`
 */
export function parseDockerAddress(text = DEFAULT): DockerAddress {
  const none = { socketPath: undefined, host: undefined, port: undefined, protocol: undefined };
  const unix = /^unix:\/\/(\/.+)$/.exec(text)?.[1];
  if (unix !== undefined) return { ...none, socketPath: unix };
  const [, scheme, host, port] =
    /^(tcp|http|https):\/\/(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+)(?::(\d{1,5}))?\/?$/.exec(text) ?? [];
  if (scheme === undefined || host === undefined || Number(port ?? 1) > 65_535)
    throw new YardError("runtime.bad-address", `"${text}" is no address of a container engine`, {
      hint: "write unix:///path/of/socket or tcp://host:port; for an engine behind ssh, forward its socket first",
    });
  const secure = scheme === "https" || (scheme === "tcp" && port === "2376");
  return { ...none, host, port: Number(port ?? (secure ? 2376 : 2375)), protocol: secure ? "https" : "http" };
}
