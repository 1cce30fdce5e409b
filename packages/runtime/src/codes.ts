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
  "vm.agent-absent":
    "No guest agent answers in the virtual machine. Install qemu-guest-agent in it, let it finish booting, or use its console.",
  "vm.agent-refused": "The guest agent refused a request; the message is its own.",
  "vm.bad-config": "A virtual machine cannot be made as described; the message tells which value is out of range.",
  "vm.bad-tag": "The name of a snapshot has letters, digits and _ . -, and not digits alone. Choose such a one.",
  "vm.console-failed": "The serial console of a virtual machine takes no input; the message tells why.",
  "vm.console-no-shell":
    "No shell answered at the serial console of a virtual machine. Log in there, or use its guest agent or ssh.",
  "vm.copy-too-large":
    "A file or folder is too large to be copied through a serial console. Use the guest agent or ssh.",
  "vm.copy-failed":
    "Files could not be copied into a guest or out of it; the message is the guest's own. It needs tar.",
  "vm.ended": "The virtual machine ended while something was asked of it. See why in its log, and start it again.",
  "vm.exec-unsupported":
    "The guest agent has no terminals and runs commands as root only. Use the console, or name the user in the command.",
  "vm.file-absent": "A kernel, initrd or ISO image of a virtual machine does not exist. Check its path.",
  "vm.file-unreadable": "A file of a virtual machine cannot be opened; the message has the reason.",
  "vm.image-absent": "A disk image, or one that it is laid over, does not exist. Check its path.",
  "vm.image-corrupt": "A disk image is damaged. Look at it with qemu-img check, or take a sound copy.",
  "vm.image-format": "A disk image does not have the format that was named. See what it is with qemu-img info.",
  "vm.image-in-use":
    "A disk image is in use by another virtual machine or program. End that one, or use overlays instead of the image itself.",
  "vm.job-failed": "QEMU could not finish a snapshot or copy; the message is its own.",
  "vm.name-taken":
    "A virtual machine of that name exists that is not the one to be made. Remove or rename it; foreign ones are never touched.",
  "vm.nic-taken": "The virtual machine has a nic of that number already. Detach it first, or choose another number.",
  "vm.no-memory": "The host has not the memory for a virtual machine. Give it less, or end others.",
  "vm.no-nic-slot":
    "A running virtual machine has no free slot for another nic. Stop it first, or make it with room for more.",
  "vm.not-answering":
    "QEMU did not answer in time; the host may be very busy, or QEMU stuck. Try again, or remove the node.",
  "vm.not-found": "There is no virtual machine of that name. Bring its lab up.",
  "vm.not-running": "The virtual machine is not running. Start it, or see in its log why it has ended.",
  "vm.probe-failed": "QEMU is installed but runs no machine at all on this host. Run it by hand to see why.",
  "vm.qemu-missing": "Virtual machines need QEMU. Install qemu-system-x86 and qemu-utils.",
  "vm.qemu-refused": "QEMU refused a command; the message is its own. Correct what it names.",
  "vm.save-exists": "The file to save a disk to is there already. Name another.",
  "vm.save-failed": "A disk could not be saved; the message has the reason.",
  "vm.seed-failed": "The volume for cloud-init could not be made; the message has the reason.",
  "vm.seed-maker-missing": "The volume for cloud-init needs a program that makes ISO images. Install genisoimage.",
  "vm.snapshot-absent": "The virtual machine has no snapshot of that name. List them.",
  "vm.snapshot-exists":
    "The virtual machine has a snapshot of that name already. Delete it first, or choose another name.",
  "vm.snapshot-unsupported":
    "Snapshots are kept in qcow2 images, and the virtual machine writes to another kind or has no disk. Use qcow2, or leave persistent away.",
  "vm.start-failed": "QEMU could not start the virtual machine; the message is its own. Correct what it names.",
  "vm.tap-absent": "The tap device of a nic does not exist, so that it cannot be plugged in. Bring its lab up.",
  "vm.tap-in-use": "The tap device of a nic is in use by another program. End that one.",
  "vm.unplug-refused":
    "The guest did not give a nic back in time. Let it finish booting; a guest without ACPI hot-plug must be stopped first.",
} as const;
