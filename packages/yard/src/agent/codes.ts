/** What goes wrong between the agent and the host, or on the way to the agent. */
export const agentCodes = {
  "agent.already-running": "The yard has an agent already; there is one at a time. Nothing needs to be done.",
  "agent.bad-request": "A request on the agent's socket is none that it knows: the two are of different versions.",
  "agent.died": "The agent ended while it was asked something. Its log says why; the next command starts it again.",
  "agent.host-removed":
    "The row of this host went from the yard's database while its agent ran. Start the agent again.",
  "agent.not-answering":
    "The agent runs but does nothing: it hangs, or was stopped. End its process; the next command starts another.",
  "agent.not-started": "The agent ended as it started. Its log, which the hint names, says why.",
  "agent.start-timeout": "The agent did not answer in time after it was started. Its log says what it waits for.",
  "agent.unreachable": "The agent's socket refuses the connection. Start the agent again, or look into its log.",
  "bridge.foreign": "The host has a link of the bridge's name that is not the yard's. Remove it, or rename the bridge.",
  "bridge.nic-absent": "The host has no NIC of that name to put into a bridge. Correct the name, or plug it in.",
  "bridge.nic-in-use":
    "The NIC has an address, a default route or a bridge already, which the host would lose. Take another one.",
  "bridge.refused": "The kernel refused a bridge, its address or a member of it; the message is the kernel's own.",
  "impair.failed": "The relay of impairments could not take over a pipe; the message says why. It is tried again.",
  "capture.bad-filter": "The filter of a capture is none that pcap-filter(7) knows; the message is the compiler's own.",
  "capture.no-port": "A nic that is plugged into nothing has no port, so there is nothing to look at. Attach it first.",
  "capture.no-spy": "The spy that a capture reads from could not be made. `yard inspect NODE` says why.",
  "capture.not-installed": "A capture needs tcpdump and setpriv. Install the packages tcpdump and util-linux.",
  "tunnel.bad-key":
    "The file of a yard's key for WireGuard holds none. Remove it; the peers then need the new one's public key.",
  "tunnel.failed": "A WireGuard device could not be made or set up; the message is that of the program which did it.",
  "nat.target-unknown":
    "A port of a nat leads to a node that has no address in its subnet. Attach that to the nat's network, with an address.",
  "network.bridge-absent": "The bridge of a network of type bridge is not in the switch. Make it, or correct its name.",
  "network.nat-failed": "Source NAT for a network could not be set up; the message is the kernel's or nft's own.",
  "network.not-forwarding":
    "The host does not pass on packets that come in by its uplink, so a nat network reaches nothing. Allow it.",
  "network.overlaps-host":
    "The host shall have an address on a network whose subnet it reaches elsewhere. Take another cidr, or no gateway.",
  "network.underlay-unaddressed":
    "A VXLAN without peers goes out by a bridge on which the host has no IPv4 address. Give the network an `address`.",
  "nic.no-lease":
    "No DHCP server has given a nic an address in time. Its client goes on asking; see that a server is on the network.",
  "nic.name-lost":
    "A NIC came back to a host that has another link of its name by now. Rename that one, and it gets its name back.",
  "c2c.own-key": "An encrypted link names this yard's own public key. Write what `yard key` tells on the other host.",
  "nic.parent-absent": "The host has no NIC of the name that a network is made on. Correct it, or plug the NIC in.",
  "nic.parent-in-use":
    "The NIC has an address, a default route, a bridge, a VLAN device or a macvlan, which the host would lose, or is a bond. Take another one.",
  "nic.not-joined":
    "A nic did not become a member of its ZeroTier network, or got no address there; the message says what is known.",
  "nic.refused": "The kernel refused a link, an address or a route of a nic; the message is the kernel's own.",
  "node.container-failed": "A container could not be made, started or removed; the message is its engine's own.",
  "node.exec-failed": "A command of the node's `exec` failed; the hint holds the end of what it printed.",
  "node.exited": "The container ended before it could be wired. `yard logs NODE` shows what it printed.",
  "node.machine-failed": "A virtual machine could not be made, started, changed or removed; the message says why.",
  "node.namespace-failed":
    "The node's network namespace could not be made or removed; the message is the kernel's own.",
  "node.port-taken": "A port of the host that the node publishes is in use by another program. Choose another.",
  "node.sysctl-refused":
    "The kernel refused a parameter in the node's namespace; it does not exist there or the value is wrong.",
  "phy.many-macs":
    "A phy in mode macvlan is on a network with more than one other nic; take the mode absorb, or a network for each.",
  "runtime.unreachable":
    "The container engine did not answer. Start it, or correct the address that the lab was declared with.",
  "service.ended": "A process of the yard ended as it started. Its log, which the hint names, says why.",
  "service.not-installed": "A program that a network needs is not installed; the hint names its package.",
  "service.not-reporting":
    "A process of the yard that serves ports or impairments did not report in time; see its log.",
  "service.not-started": "A process of the yard could not be started; the message says why.",
  "service.not-stopped": "A process of the yard could not be ended; the message says why.",
  "switch.failed": "The switch did not take the change; the message is what it said.",
  "switch.system-absent":
    "The host's own Open vSwitch, which `--system` works on, does not run. Start its service, or use a private yard.",
  "yard.bad-name": "A yard's name is a lower-case letter, then letters, digits and -, 31 characters at most.",
  "yard.bad-folder":
    "SWITCHYARD_RUN_DIR or SWITCHYARD_STATE_DIR is not an absolute path, or too long for sockets, whose paths have 107 bytes at most.",
  "yard.busy": "Another command starts or ends the same yard at this moment. Try again.",
  "yard.file-failed": "A file of the yard could not be written or removed; the message says why.",
  "yard.folder-failed":
    "A folder of the yard cannot be made; the message says why. Its file system may be full or read-only.",
  "yard.not-permitted": "Only root and the group `yard` may use a yard. Use sudo, or join the group.",
  "yard.not-root": "Only root can start a yard or clean up after it. Use sudo.",
} as const;
