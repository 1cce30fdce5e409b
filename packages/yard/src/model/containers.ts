import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { YardError } from "@switchyard/base";
import { readCommand } from "./commands.ts";
import { Given } from "./given.ts";
import type { Path } from "./places.ts";
import type { Reading } from "./reading.ts";
import type { ContainerFile } from "./schema-nodes.ts";
import type { ContainerRuntime, ContainerSpec } from "./types.ts";
import {
  parseBind,
  parseCapability,
  parseDevice,
  parseHostname,
  parseImage,
  parseMemory,
  parseUser,
} from "./values.ts";

/** What a container is beside a node. */
export type ContainerPart = Omit<ContainerSpec, "name" | "nics" | "routes" | "sysctls" | "env" | "ports" | "exec">;

/** Reads the keys that only containers have. */
export function readContainer(file: ContainerFile, path: Path, nics: number, reading: Reading): ContainerPart {
  const given = new Given<ContainerFile>(file, path, reading.data.defaults?.container, ["defaults", "container"]);
  const runtime = given.get("runtime") ?? "docker";
  /** One key's value, parsed where there is one. */
  const parsed = <K extends keyof ContainerFile & string, R>(
    key: K,
    parse: (value: NonNullable<ContainerFile[K]>) => R,
  ) => {
    const value = given.get(key);
    return value === undefined || value === null ? undefined : reading.parse(given.path(key), value, parse);
  };
  const list = (key: "binds" | "cap_add" | "devices", parse: (text: string) => string) => [
    ...new Set(reading.each(given.path(key), given.get(key), parse).map(({ value }) => value)),
  ];
  const argv = (key: "command" | "entrypoint") => {
    const words = given.get(key);
    return words === undefined ? undefined : readCommand(words, given.path(key), reading);
  };
  return {
    kind: "container",
    runtime,
    ...readRoot(file, path, given, reading),
    pull: given.get("pull") ?? "missing",
    command: argv("command") ?? [],
    entrypoint: argv("entrypoint"),
    user: parsed("user", parseUser),
    hostname: parsed("hostname", parseHostname),
    privileged: given.get("privileged") ?? false,
    hostNetwork: readHostNetwork(given, nics, runtime, reading),
    capAdd: list("cap_add", parseCapability),
    devices: list("devices", parseDevice),
    binds: list("binds", (text) => parseBind(text, reading.folder)),
    cpus: given.get("cpus"),
    memory: parsed("memory", parseMemory),
    engine: engineOf(runtime, reading.environment),
  };
}

function readHostNetwork(
  given: Given<ContainerFile>,
  nics: number,
  runtime: ContainerRuntime,
  reading: Reading,
): boolean {
  const wanted = given.get("host_network") ?? false;
  const refuse = (message: string, hint: string) =>
    reading.places.reportKey(given.path("host_network"), () => new YardError("node.host-network", message, { hint }));
  if (wanted && nics > 0) refuse("a container on the host's network has no nics of its own", "take one of the two out");
  if (wanted && runtime === "docker")
    refuse("a container of Docker always has a network of its own", "take runtime: oci or podman");
  return wanted;
}

/** The root file system: an image or a folder; what the node says replaces what the defaults say of either. */
function readRoot(
  file: ContainerFile,
  path: Path,
  given: Given<ContainerFile>,
  reading: Reading,
): { image: string | undefined; rootfs: string | undefined } {
  const own = file.image !== undefined || file.rootfs !== undefined;
  const image = own ? file.image : given.get("image");
  const rootfs = own ? file.rootfs : given.get("rootfs");
  if (image !== undefined && rootfs !== undefined)
    reading.places.reportKey(
      given.path("rootfs"),
      () =>
        new YardError("node.two-roots", "a container has either an image or a rootfs", {
          hint: "take one of the two out",
        }),
    );
  const unsure = ["image", "rootfs"].some(
    (key) => reading.unsure([...path, key]) || reading.unsure(["defaults", "container", key]),
  );
  if (image === undefined && rootfs === undefined && !unsure)
    reading.places.reportKey(
      path,
      () =>
        new YardError("node.image-missing", `container "${path.at(-1)}" has no image`, {
          hint: "for instance `image: busybox`, or `rootfs: ./folder`",
        }),
    );
  if (rootfs === "")
    reading.places.report(
      given.path("rootfs"),
      () => new YardError("image.bad-name", "the folder of a rootfs has a name"),
    );
  const runtime = given.get("runtime") ?? "docker";
  const parse = (text: string) => (PATH.test(text) ? imageFile(text, runtime, reading.folder) : parseImage(text));
  return {
    image: image === undefined ? undefined : reading.parse(given.path("image"), image, parse),
    rootfs: rootfs === undefined ? undefined : resolve(reading.folder, rootfs),
  };
}

/** How a path begins; no image is called so. */
const PATH = /^\.{0,2}\//;

/** An archive or folder that is named by its path. @throws YardError `image.absent`, `image.bad-name` */
function imageFile(text: string, runtime: ContainerRuntime, folder: string): string {
  if (text.includes("\0")) throw new YardError("image.bad-name", "the path of an image holds a NUL byte");
  if (runtime !== "oci")
    throw new YardError("image.bad-name", `"${text}" is a path, and ${runtime} knows images by names`, {
      hint: `load it into the engine first: ${runtime} load -i ${text}; or take \`runtime: oci\``,
    });
  const path = resolve(folder, text);
  if (existsSync(path)) return path;
  throw new YardError("image.absent", `there is no image ${path}`, { hint: "a path is relative to the lab file" });
}

/** The engine is the one that the caller's own tools would talk to. */
function engineOf(runtime: ContainerRuntime, environment: Reading["environment"]): string | undefined {
  switch (runtime) {
    case "docker":
      return environment.DOCKER_HOST || undefined;
    case "podman":
      return environment.CONTAINER_HOST || undefined;
    case "oci":
      return undefined;
  }
}
