import { NETNS_DIR } from "@switchyard/linux";
import type { ContainerConfig } from "../types.ts";

/** A container as `podman create` takes it. Values of environment variables are not among the arguments. */
export interface PodmanCreate {
  readonly args: readonly string[];
  /** For an `--env-file`, one variable a line; `NAME` alone is taken from podman's environment. */
  readonly envFile: string;
  /** Values that a line cannot hold. */
  readonly environment: Readonly<Record<string, string>>;
}

export function podmanCreate(config: ContainerConfig, envFilePath: string): PodmanCreate {
  const each = (option: string, values: readonly string[]) => values.flatMap((value) => [option, value]);
  const pairs = (record: Readonly<Record<string, string>>) =>
    Object.entries(record).map(([name, value]) => `${name}=${value}`);
  const { lines, environment } = splitEnvironment(config.env);
  const root =
    config.rootfs === undefined
      ? [config.image ?? ""]
      : ["--rootfs", config.rootfsInPlace === true ? config.rootfs : `${config.rootfs}:O`];
  const args = [
    "create",
    ...["--name", config.name, "--hostname", config.hostname],
    // A namespace by path stays the same, with its nics, when the container is restarted.
    ...["--network", networkOf(config)],
    // We pull ourselves, to know why it failed; and conmon's own log works without a journal.
    ...["--pull", "never", "--log-driver", "k8s-file", "--restart", "no"],
    ...["--env-file", envFilePath],
    ...each("--label", pairs(config.labels)),
    ...each("--sysctl", pairs(config.sysctls)),
    ...each("--cap-add", config.capAdd),
    ...each("--device", config.devices),
    ...each("--volume", config.binds),
    ...(config.privileged ? ["--privileged"] : []),
    ...(config.cpus === undefined ? [] : ["--cpus", String(config.cpus)]),
    ...(config.memory === undefined ? [] : ["--memory", `${config.memory}b`]),
    ...(config.user === undefined ? [] : ["--user", config.user]),
    ...(config.entrypoint === undefined ? [] : ["--entrypoint", JSON.stringify(config.entrypoint)]),
    ...root,
    ...config.command,
  ];
  return { args, envFile: lines, environment };
}

function networkOf({ namespace, hostNetwork }: ContainerConfig): string {
  const name = hostNetwork === undefined ? namespace : hostNetwork.namespace;
  return name === undefined ? "host" : `ns:${NETNS_DIR}/${name}`;
}

/** podman takes a variable without a value from its own environment, which can hold line breaks where a file cannot. */
export function splitEnvironment(env: Readonly<Record<string, string>>): {
  lines: string;
  environment: Readonly<Record<string, string>>;
} {
  const entries = Object.entries(env);
  const long = entries.filter(([, value]) => value.includes("\n"));
  const lines = entries.map(([name, value]) => (value.includes("\n") ? `${name}\n` : `${name}=${value}\n`));
  return { lines: lines.join(""), environment: Object.fromEntries(long) };
}
