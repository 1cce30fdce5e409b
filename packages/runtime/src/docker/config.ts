import { YardError } from "@switchyard/base";
import type { ContainerCreateOptions } from "dockerode";
import type { ContainerConfig } from "../types.ts";

/**
 * A container as Docker's API takes it: without network, because its nics are put into its namespace from outside.
 *
 * @throws YardError `runtime.rootfs-unsupported`
 */
export function dockerConfig(config: ContainerConfig): ContainerCreateOptions {
  if (config.rootfs !== undefined)
    throw new YardError(
      "runtime.rootfs-unsupported",
      `Docker cannot run ${config.name} from the folder ${config.rootfs}`,
      {
        hint: "make an image of it: tar -C FOLDER -c . | docker import - NAME; or use the runtime oci or podman",
      },
    );
  return {
    name: config.name,
    Image: config.image ?? "",
    Hostname: config.hostname,
    Env: Object.entries(config.env).map(([name, value]) => `${name}=${value}`),
    ...(config.command.length === 0 ? {} : { Cmd: [...config.command] }),
    ...(config.entrypoint === undefined ? {} : { Entrypoint: [...config.entrypoint] }),
    ...(config.user === undefined ? {} : { User: config.user }),
    Labels: { ...config.labels },
    HostConfig: {
      NetworkMode: "none",
      Privileged: config.privileged,
      CapAdd: [...config.capAdd],
      Binds: [...config.binds],
      Devices: config.devices.map(device),
      Sysctls: { ...config.sysctls },
      ...(config.cpus === undefined ? {} : { NanoCpus: Math.round(config.cpus * 1e9) }),
      ...(config.memory === undefined ? {} : { Memory: config.memory }),
      // The agent decides what becomes of a container that has ended.
      RestartPolicy: { Name: "no" },
    },
  };
}

function device(text: string): { PathOnHost: string; PathInContainer: string; CgroupPermissions: string } {
  const [host = "", second, third] = text.split(":");
  const onlyAccess = second !== undefined && third === undefined && /^[rwm]{1,3}$/.test(second);
  return {
    PathOnHost: host,
    PathInContainer: second === undefined || onlyAccess ? host : second,
    CgroupPermissions: third ?? (onlyAccess ? second : "rwm"),
  };
}
