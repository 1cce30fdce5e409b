/** Every code that this door throws, and what to do about it; `docs/errors.md` is generated from such lists. */
export const codes = {
  "zeroos.not-listening":
    "The address of `yard serve --zeroos` cannot be listened on: another program has the port, or the host has no such address.",
  "zeroos.bad-request": "A client sent what is no request of Redis, or more than it may at once.",
  "zeroos.bad-job": "What was pushed to core:default is no job: a JSON object with id, command and arguments.",
  "zeroos.busy": "Too many jobs run, or too many results wait to be read. Wait for some to end.",
  "zeroos.bad-argument": "An argument of a command is missing or cannot be what was given; the message names it.",
  "zeroos.bad-nic":
    "A nic cannot be as it is described, or not beside the others; the message says which rule it breaks.",
  "zeroos.duplicate-id": "A job with that id runs, or its result is still kept. Take another id.",
  "zeroos.no-job": "No job of that id runs. Results are kept for five minutes.",
  "zeroos.no-container": "There is no running container of that number. `corex.list` tells those there are.",
  "zeroos.no-machine": "There is no virtual machine of that uuid. `kvm.list` tells those there are.",
  "zeroos.no-nic": "The machine has no nic on that network, or none with that MAC address.",
  "zeroos.no-ovs": "VLANs and VXLANs need a container tagged `ovs`, as in zero-os. Create it first.",
  "zeroos.second-ovs": "Only one container may be tagged `ovs`. Use that one, or terminate it first.",
  "zeroos.no-default": "Ports are forwarded over a nic of the type default, which the container has not got.",
  "zeroos.no-forward": "That port of the host does not lead to that port of the container.",
  "zeroos.forward-taken": "That port of the host leads to the container already. Remove the forward first.",
  "zeroos.rule-taken": "That port of the host is open already, in the same words. Drop it first.",
  "zeroos.no-rule": "No port of the host was opened in these words. `nft.list` tells those that were.",
  "zeroos.no-zerotier":
    "The host's own zerotier-one is not installed, does not run, or refused; the message has its own words. Nics of containers have processes of their own.",
  "zeroos.no-membership": "The host is on no such ZeroTier network. `zerotier.list` tells those that it is on.",
  "zeroos.no-link": "There is no network device of that name where the command looks.",
  "zeroos.host-network": "A container on the host's network has no nics of its own.",
  "zeroos.nic-state": "The nic was removed before; its number stays taken.",
  "zeroos.root-unknown":
    "No image is known for the root (flist) of a container. Name one: `yard serve --root URL=IMAGE`.",
  "zeroos.too-many": "There are as many containers as there may be.",
  "zeroos.not-offered": "This door does not offer that; the message says what is meant, the hint another way.",
  "zeroos.password-needed":
    "An address that others can reach is served with a password only: `--password-file FILE`, or SWITCHYARD_ZEROOS_PASSWORD.",
} as const;
