import type { BridgeView } from "@switchyard/yard/view";
import type { Style } from "./style.ts";
import { type Column, table } from "./table.ts";

/** `yard bridge list`. */
export function renderBridges(bridges: readonly BridgeView[], style: Style): string[] {
  const columns: Column<BridgeView>[] = [
    { heading: "bridge", cell: ({ name }) => style.bold(name) },
    { heading: "mode", cell: ({ mode, nat }) => (nat ? `${mode}, nat` : mode) },
    { heading: "address", cell: ({ cidr }) => cidr ?? "", optional: true },
    { heading: "leases", cell: ({ start, end }) => (start === null ? "" : `${start} … ${end}`), optional: true },
    { heading: "kept", cell: ({ hosts }) => hosts.map(({ ip, mac }) => `${ip} for ${mac}`), optional: true },
    { heading: "nics", cell: ({ nics }) => nics, optional: true },
    { heading: "state", cell: ({ state }) => (state === "up" ? style.green(state) : style.red(state)) },
  ];
  return bridges.length === 0 ? ["no bridges"] : table(columns, bridges, style);
}
