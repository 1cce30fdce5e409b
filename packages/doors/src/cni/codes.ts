/** Every code that this door throws, and what to do about it; `docs/errors.md` is generated from such lists. */
export const codes = {
  "cni.incompatible-version":
    "The plugin does not know the version of CNI that the network configuration names, or the command came with a later one. Set `cniVersion` to one that `CNI_COMMAND=VERSION` lists.",
  "cni.bad-call":
    "A yard's agent was called as CNI plugin in words that it does not know: plugin and agent are of different versions. The plugin then does the call itself.",
  "cni.unsupported":
    "The network configuration asks for something that the plugin does not do; the message names it. Take the field out, or use the plugin that serves it.",
  "cni.bad-environment":
    "A variable CNI_… that the runtime sets is missing or cannot be what it is; the message names all of them.",
  "cni.io": "The plugin could not read its configuration, or could not make a file or folder; the message says which.",
  "cni.not-json": "What came on standard input is no JSON object.",
  "cni.bad-config": "The network configuration has errors; the message lists all of them with the fields they are in.",
  "cni.bad-namespace":
    "CNI_NETNS is the namespace that the plugin itself runs in, or that of the switch: the nic would be taken from the host. Give the container's.",
  "cni.switch-away":
    "The Open vSwitch that the network is on does not run. The hint names the command that starts it; the call may be repeated then.",
  "cni.switch-limited":
    "The switch's database answers, but ovs-vswitchd does not run: nics that are there keep their place, new ones are not made.",
  "cni.no-bridge": "The switch has no bridge of that name. Add it, or set `createBridge` in the network configuration.",
  "cni.no-dpdk":
    "The switch was started without DPDK, which has its vhost-user ports. Start Debian's openvswitch-switch-dpdk, with `other_config:dpdk-init=true`.",
  "cni.link-failed": "The kernel refused a step of making the nic; the message has its words. Nothing was left behind.",
  "cni.interface-exists": "The container has an interface of that name already, or the attachment was made before.",
  "cni.check-failed":
    "The nic is not as ADD left it; the message lists what differs. Remove the container and add it again.",
  "cni.ofport-taken": "The OpenFlow port that `ofport_request` names belongs to another port.",
  "cni.no-plugin": "The plugin that the configuration delegates to is in no folder of CNI_PATH.",
  "cni.bad-network":
    "A network's file cannot be what `yard cni try` takes: a .conf or .conflist, as container runtimes have it.",
  "cni.plugin-failed":
    "A plugin of the network failed; the message has its words. What those before it had made was taken back.",
  "cni.name-taken":
    "The folder has a program of that name which is none of ours, such as the plugin that ours stands for. `--force` puts ours in its place.",
  "cni.no-device":
    "`deviceID` names no virtual function of a network card of this host in the mode switchdev; the message says what is missing.",
  "cni.no-port":
    "A plugin for mirrors found no port of the nic that the plugin before it made, on the bridge that it names.",
  "cni.mirror-taken":
    "A mirror's copies go to one port, and it has one already. Let the second consumer have a mirror of its own.",
  "cni.bad-pod":
    "The pod has no place for vhost-user sockets as it says: a volume `shared-dir` that is neither a hostPath nor an emptyDir, or an annotation `userspace/mapped-dir` that names another place than that volume's.",
  "kubernetes.no-config":
    "There is no way to the Kubernetes API: no kubeconfig, no service account of a pod, or one that cannot be used; the message says which. Name a kubeconfig with a current context.",
  "kubernetes.unreachable":
    "The Kubernetes API does not answer, or not as the cluster's certificate says that it should; the message has the reason.",
  "kubernetes.refused":
    "The Kubernetes API does not know the caller, or does not allow what was asked; `deploy/rbac.yaml` has the rights that are needed.",
  "kubernetes.not-found": "The Kubernetes API has no node or pod of that name.",
  "kubernetes.failed": "The Kubernetes API refused a request; the message has its words.",
  "kubernetes.busy": "A pod was changed by others as often as it was to be annotated. Try again.",
  "cni.socket-taken":
    "Another container has the vhost-user socket of that path. Leave `socketfile` out, so that each has its own.",
} as const;
