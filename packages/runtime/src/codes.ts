/** Every code that this room throws, and what to do about it; `docs/errors.md` is generated from such lists. */
export const codes = {
  "runtime.archive-bad":
    "An archive of an image or a copy cannot be unpacked: it is damaged, or has entries outside of its root. Get a sound one.",
  "runtime.bad-address":
    "The address of a container engine is not unix:///path, tcp://host:port or http://host:port. Correct DOCKER_HOST or CONTAINER_HOST.",
  "runtime.bad-bind": "A bind is not /SOURCE:/TARGET with an optional :ro or :rw. Write it so.",
  "runtime.bad-command": "A command to run in a node is empty or holds a NUL byte. Name a program and its arguments.",
  "runtime.bad-name": "The name cannot be that of a container. Use letters, digits and _ . - +.",
  "runtime.busybox-missing":
    "The built-in image busybox is made from the host's static busybox, which is missing. Install busybox-static.",
  "runtime.capability-absent":
    "A capability was asked for that this host's root itself lacks. Run on a host that has it, or do without.",
  "runtime.capability-unknown": "There is no capability of that name. See capabilities(7).",
  "runtime.device-absent": "A device for a container does not exist on this host. Check its name and its driver.",
  "runtime.device-bad": "A device is not written as HOST, HOST:INSIDE or HOST:INSIDE:rwm. Write it so.",
  "runtime.docker-unreachable":
    "No Docker engine answers at its address. Start it, or set DOCKER_HOST; the caller may also lack the right to it.",
  "runtime.engine-failed": "The container engine refused a request; the message is its own. Correct what it names.",
  "runtime.exec-failed":
    "A command could not be run in a node, for a reason of the host or the engine, which the message gives.",
  "runtime.image-absent":
    "The image is not there and could not be had. Load or pull it into the engine, or for the oci runtime put it into the image folder.",
  "runtime.image-bad":
    "The image's archive or folder is none that is understood. Make it with docker save, or use a root file system.",
  "runtime.name-taken":
    "A container of that name exists that is not the one to be made. Remove or rename it; foreign containers are never touched.",
  "runtime.namespace-absent": "The network namespace of the node does not exist. Bring its lab up.",
  "runtime.no-command": "Neither the node nor its image says what to run. Give the node a command.",
  "runtime.no-such-container": "There is no container of that name. Bring its lab up.",
  "runtime.not-running": "The container is not running. See its log for why it has ended, and bring its lab up again.",
  "runtime.oci-missing": "The oci runtime needs runc and conmon. Install them.",
  "runtime.overlay-failed":
    "A container's root file system could not be mounted. The state folder must lie where overlayfs can write.",
  "runtime.path-absent": "A file or folder to copy, or the folder to copy into, does not exist. Check the path.",
  "runtime.podman-missing": "podman is not installed, or does not run. Install it; its own message tells more.",
  "runtime.rootfs-absent": "The root file system of a node is not a folder. Give the path of an unpacked one.",
  "runtime.rootfs-unsupported":
    "Docker runs images, not folders. Make an image of it (docker import), or use the runtime oci or podman.",
  "runtime.start-failed":
    "The container could not be started; the message has the runtime's reason. Correct what it names.",
  "runtime.user-unknown":
    "The user or group is not known in the image (or on the host, for a namespace). Name another or give numbers.",
} as const;
