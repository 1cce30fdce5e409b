/** Every code that this door throws, and what to do about it; `docs/errors.md` is generated from such lists. */
export const codes = {
  "ec.wrong-usage": "The command line is not one that `ec` understands. `ec -h` shows what it takes.",
  "ec.bad-slot":
    "A slot is a number from 1 to 127 that the switch's subnet has a host for, other than the switch's own.",
  "ec.bad-name": "A vswitch's name is up to 10 letters, digits, `-`, `_` and `.`: its ports are called after it.",
  "ec.no-vswitch": "There is no vswitch of that name, or it is not one of `ec`'s. `ec create-vswitch` makes one.",
  "ec.vswitch-taken": "The switch has a bridge of that name already, which is made otherwise.",
  "ec.address-taken": "Another vswitch has that address. Each has a subnet of its own.",
  "ec.vswitch-in-use": "Containers are in slots of the vswitch. Stop them first.",
  "ec.slot-taken":
    "The slot has a container, or its port is there. `ec stop SLOT` frees it; without `--slot=` a free one is chosen.",
  "ec.slots-exhausted": "All slots of the vswitch have containers.",
  "ec.slot-empty": "The slot has no container of `ec`'s.",
  "ec.no-image": "The Docker engine has no such image, and could not pull it.",
  "ec.engine-failed": "The Docker engine does not answer, or refused what was asked; the message is its own.",
  "ec.not-running":
    "The container ended as soon as it was started. `docker logs` with its image and parameters shows why.",
  "ec.nic-failed": "The kernel refused a part of the container's nic; nothing of it was left.",
  "ec.bad-settings": "A line of `/etc/default/ecDock` is no setting of the form NAME=VALUE.",
} as const;
