/** Failures of what looks at a yard and reaches into its nodes. */
export const insideCodes = {
  "lab.not-up": "The lab is not in the yard, so there is nothing to show or to check. `yard up FILE` brings it up.",
  "capture.bad-stream": "tcpdump wrote something that is no pcap stream. Please report it with tcpdump's version.",
  "capture.ended": "A capture ended before it was to, as the nic or its spy went away.",
  "capture.no-agent": "A capture needs the yard's agent, of the same version as the command. Start it anew.",
  "check.bad-target": "A check names something that is neither a node of the yard nor an IP address.",
  "cp.host-files":
    "A bare namespace has the file system of the host, so there is nothing to copy. Use the path on the host.",
  "cp.missing": "The file or folder to copy does not exist.",
  "iperf.failed": "iperf3 could not measure between the two nodes; its own message is given.",
  "iperf.missing": "The program iperf3 is not installed on the host. `apt-get install iperf3`.",
  "nic.name-taken":
    "The node has a nic of that name. Choose another name, or move it with `yard attach NODE NETWORK --name NIC`.",
  "nic.unknown": "The node has no nic of that name. `yard inspect NODE` lists them.",
  "node.no-address": "The node has no IP address that the other end could be reached by.",
  "node.no-logs":
    "A bare namespace has no first process whose output could be kept. Only containers and virtual machines have logs.",
  "node.no-namespace":
    "A virtual machine has no network namespace on the host in which a probe could run. Run a command in it: `yard exec`.",
  "node.not-running":
    "The node does not run at the moment, so nothing can be done inside it. `yard inspect NODE` shows why.",
  "node.not-vm": "The verb is for virtual machines, and the node is none. `yard ps` shows the kinds.",
  "node.stopped": "The node is stopped, and what would be switched on in it would be switched off again: `yard start`.",
  "node.unknown": "The yard has no node of that name. `yard ps` lists them.",
  "ssh.failed": "ssh could not get into a virtual machine; its own message is given.",
  "ssh.key-absent": "The private key that a virtual machine is declared to be entered with is not there.",
  "ssh.missing": "The program ssh is not installed on this host. `apt-get install openssh-client`.",
  "ssh.no-way":
    "The host shares no network with the virtual machine, so ssh cannot reach it. Attach it to one that has the host on it.",
  "probe.socket": "A socket for a probe could not be opened in the node's namespace.",
} as const;
