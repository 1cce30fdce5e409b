/** What the store refuses. */
export const storeCodes = {
  "link.name-taken":
    "Another lab has a link of that name; link names are unique in a yard. Use another yard or rename.",
  "network.addresses-exhausted": "The network's subnet has no free host address left. Give the network a wider cidr.",
  "network.in-use": "A nic of a node that stays still attaches to the network. Detach it, or remove its node, first.",
  "network.name-taken": "A network of that name exists that is not this one. Choose another name, or another yard.",
  "network.no-subnet": "All subnets that a nat network would choose from are in use. Give it a cidr.",
  "network.unknown": "The yard has no network of that name. `yard ps` lists what there is.",
  "nic.ip-taken": "Another nic, or the gateway, has that address on the network. Give one of them another, or none.",
  "nic.mac-taken": "Another nic has that MAC on the network. Give one of them another, or none to have it derived.",
  "nic.unknown": "The node has no nic of that name. `yard inspect NODE` lists its nics.",
  "node.ids-exhausted": "A yard holds 65,535 nodes at most. Remove some, or use another yard.",
  "node.name-taken": "A node of that name exists that is not this one. Choose another name, or another yard.",
  "node.unknown": "The yard has no node of that name. `yard ps` lists what there is.",
  "store.bad-row":
    "A row of the yard's database holds what this version cannot read: another version wrote it, or a person.",
} as const;
