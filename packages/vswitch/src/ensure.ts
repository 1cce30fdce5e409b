/** Operations on a switch that are done, each in one transaction, or leave nothing behind. */
export { commitEdit, type Edited, type EditOptions, InterfaceFailure } from "./ensure-commit.ts";
export { bestDatapath } from "./ensure-datapath.ts";
export { type NewInterface, type PlacedPort, SwitchEdit, type SwitchTransaction } from "./ensure-edit.ts";
export { type Ensured, ensureVlanBridge, type VlanBridge } from "./ensure-vlan.ts";
export { deleteVtep, ensureVtep, multicastGroup, type Vtep, type VtepWant, vtepName } from "./ensure-vtep.ts";
export { type EnsuredVxlan, ensureVxlanBridge, tunnelName, type VxlanBridge } from "./ensure-vxlan.ts";
