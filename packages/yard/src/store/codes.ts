/** What the store refuses. */
export const storeCodes = {
  "bridge.host-outside": "An address that a bridge shall keep for a MAC is no host's of its network. Take another.",
  "bridge.host-taken":
    "The address is kept for another MAC already, or the MAC has another address. Choose one of the two.",
  "bridge.in-use": "A nic of a node is still on the bridge. Detach it, or remove its node, first.",
  "bridge.name-taken": "The yard or the host has a bridge or another link of that name. Choose another name.",
  "bridge.nic-taken": "The NIC is a member of another bridge. Remove it there first.",
  "bridge.nic-unknown": "The bridge has no member of that name. `yard bridge list` shows them.",
  "bridge.no-leases": "The bridge gives out no addresses, so none can be kept for anybody. Make it with mode dnsmasq.",
  "bridge.overlaps-host": "The subnet of a bridge overlaps an address of the host's or of a network's. Take another.",
  "bridge.unknown": "The yard has no bridge of that name. `yard bridge list` shows those there are.",
  "history.outdated":
    "What is to be undone has changed since, or what it needs is gone. Make the change that you want by itself.",
  "impair.no-pipe": "Only a node of kind a2b is impaired as a whole; name a nic, NODE:NIC, or a link.",
  "link.unknown": "The yard has no link of that name. Links are named NODE:NIC--NODE:NIC, as the lab file has them.",
  "link.name-taken":
    "Another lab has a link of that name; link names are unique in a yard. Use another yard or rename.",
  "network.addresses-exhausted": "The network's subnet has no free host address left. Give the network a wider cidr.",
  "network.in-use": "A nic of a node that stays still attaches to the network. Detach it, or remove its node, first.",
  "network.name-taken": "A network of that name exists that is not this one. Choose another name, or another yard.",
  "network.no-subnet": "All subnets that a nat network would choose from are in use. Give it a cidr.",
  "network.unknown": "The yard has no network of that name. `yard ps` lists what there is.",
  "network.not-lan": "Only a lan is a learning switch of its own, which can speak the Rapid Spanning Tree Protocol.",
  "nic.ip-taken": "Another nic, or the gateway, has that address on the network. Give one of them another, or none.",
  "nic.mac-taken": "Another nic has that MAC on the network. Give one of them another, or none to have it derived.",
  "nic.passthrough-taken":
    "A NIC of the host can be the nic of one node only. Take another NIC, or a macvlan for both.",
  "nic.plugged": "The nic is on another network or link already. Pull it out there first.",
  "nic.unknown": "The node has no nic of that name. `yard inspect NODE` lists its nics.",
  "node.not-stoppable":
    "Only a namespace, a container or a virtual machine of the yard's own can be stopped and started.",
  "node.ids-exhausted": "A yard holds 65,535 nodes at most. Remove some, or use another yard.",
  "node.name-taken": "A node of that name exists that is not this one. Choose another name, or another yard.",
  "node.not-ours":
    "The node is a container that another program runs and attaches through the yard. Change it by that program.",
  "node.unknown": "The yard has no node of that name. `yard ps` lists what there is.",
  "store.bad-row":
    "A row of the yard's database holds what this version cannot read: another version wrote it, or a person.",
} as const;
