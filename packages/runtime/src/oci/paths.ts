/**
 * Where the oci engine keeps things. What must survive a reboot (a container's configuration, labels, written files
 * and log) is in the state folder; what is only true of running processes is in the run folder.
 */
export interface OciPaths {
  /** One folder a container: the bundle. */
  readonly containers: string;
  /** Unpacked images. */
  readonly images: string;
  /** runc's own state. */
  readonly runc: string;
  /** `<name>` written by us when a container runs. */
  readonly live: string;
  /** `<name>` written by conmon when a container has ended. */
  readonly exits: string;
  /** Process descriptions of commands being run. */
  readonly exec: string;
  /** Where the user's images lie. */
  readonly imageSource: string;
}

export function ociPaths(options: { stateDir: string; runDir: string; imageDir: string }): OciPaths {
  return {
    containers: `${options.stateDir}/oci/containers`,
    images: `${options.stateDir}/oci/images`,
    runc: `${options.runDir}/oci/runc`,
    live: `${options.runDir}/oci/live`,
    exits: `${options.runDir}/oci/exits`,
    exec: `${options.runDir}/oci/exec`,
    imageSource: options.imageDir,
  };
}

/** The parts of a container's folder. */
export interface Bundle {
  readonly path: string;
  /** What the container is, written once. */
  readonly record: string;
  readonly config: string;
  readonly rootfs: string;
  /** A symbolic link to the image's root. */
  readonly lower: string;
  readonly upper: string;
  readonly work: string;
  readonly log: string;
  readonly conmonPid: string;
  readonly containerPid: string;
  readonly runcLog: string;
}

export function bundleOf(path: string): Bundle {
  return {
    path,
    record: `${path}/container.json`,
    config: `${path}/config.json`,
    rootfs: `${path}/rootfs`,
    lower: `${path}/lower`,
    upper: `${path}/upper`,
    work: `${path}/work`,
    log: `${path}/log`,
    conmonPid: `${path}/conmon.pid`,
    containerPid: `${path}/container.pid`,
    runcLog: `${path}/runc.log`,
  };
}
