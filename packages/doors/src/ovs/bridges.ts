import { YardError } from "@switchyard/base";
import { checkLinkName } from "@switchyard/linux";
import type { RowInput } from "@switchyard/ovsdb";
import {
  type BridgeRow,
  bestDatapath,
  commitEdit,
  deleteVtep,
  freeUnderlays,
  InterfaceFailure,
  type PortRow,
  SwitchEdit,
} from "@switchyard/vswitch";
import { z } from "zod";
import { name, ovsCommand, settings } from "./command.ts";
import { editOptions, OVS_OWNER } from "./context.ts";
import { replicaRows, tableOf } from "./rows.ts";
import { assignments, columnsOf } from "./values.ts";

/** `bridge-add` */
export const bridgeAdd = ovsCommand({
  name: "bridge-add",
  summary: "add a bridge",
  schema: z.object({
    bridge: name.describe("its name"),
    options: settings.optional().describe("columns of Bridge: datapath_type, other_config:hwaddr, fail_mode, …"),
  }),
  async run(context, { bridge, options = {} }) {
    checkLinkName(bridge);
    const { db } = context;
    const list = assignments(tableOf("Bridge"), options, replicaRows(db));
    const given = columnsOf(list);
    const common = editOptions(context);
    // A name that is taken is told before a datapath is looked for.
    await db.transact((tx) => {
      if (tx.find("Bridge", { name: bridge }) !== undefined) throw exists(bridge);
    });
    const datapath_type = given.datapath_type ?? (await bestDatapath(db, common));
    try {
      await commitEdit(
        db,
        (edit) => {
          if (edit.bridge(bridge) !== undefined) throw exists(bridge);
          // Values of Bridge's columns, as its schema had them read.
          edit.addBridge(bridge, { ...given, datapath_type } as RowInput<BridgeRow>, "bridge");
        },
        common,
      );
    } catch (thrown) {
      if (!(thrown instanceof InterfaceFailure) || options.datapath_type === undefined) throw thrown;
      // The switch itself says nothing of a type that it does not know, nor of one whose kernel module is missing.
      const reason = thrown.reason || `it has no datapath ${JSON.stringify(options.datapath_type)} here`;
      throw new YardError("switch.bridge-failed", `the switch could not make the bridge ${bridge}: ${reason}`, {
        hint: "leave datapath_type out, and the best datapath that works here is taken",
        cause: thrown,
      });
    }
    return null;
  },
});

function exists(bridge: string): YardError {
  return new YardError(
    "switch.name-taken",
    `cannot create a bridge named ${bridge} because a bridge named ${bridge} already exists`,
    {
      hint: `remove it first: yard ovs bridge-del ${bridge}`,
    },
  );
}

/** `bridge-del`, with what only it needs: the other end of a patch that an `ensure` made, and the device of a VXLAN. */
export const bridgeDel = ovsCommand({
  name: "bridge-del",
  summary: "delete a bridge",
  schema: z.object({ bridge: name.describe("its name") }),
  async run(context, { bridge }) {
    const { db, place, along = [] } = context;
    const options = editOptions(context);
    const mayGo = (edit: SwitchEdit) => {
      const row = edit.neededBridge(bridge);
      const ports = edit.portsOf(row);
      refuseOthers(edit, row, ports, along);
      return { row, ports };
    };
    // What is refused is left whole.
    await db.transact((tx) => {
      tx.abort();
      mayGo(new SwitchEdit(db, tx, options.owner));
    });
    freeUnderlays(place.namespace, new Set([bridge]));
    const { result } = await commitEdit(
      db,
      (edit) => {
        const { row, ports } = mayGo(edit);
        for (const port of ports) removePeer(edit, row, port);
        edit.removeBridge(row);
        return ports.filter((port) => edit.ownerOf(port) === OVS_OWNER).map((port) => port.name);
      },
      options,
    );
    for (const port of result) {
      const vni = /^vtep(\d+)$/.exec(port)?.[1];
      if (vni !== undefined) deleteVtep(place.namespace, Number(vni), { ours: true });
    }
    return "";
  },
});

function refuseOthers(edit: SwitchEdit, bridge: BridgeRow, ports: readonly PortRow[], along: readonly string[]): void {
  if (!edit.mayChange(bridge))
    throw notYours(`the bridge ${bridge.name} belongs to ${edit.ownerOf(bridge)}`, edit.ownerOf(bridge));
  const others = ports.filter((port) => !edit.mayChange(port) && !along.includes(edit.ownerOf(port) ?? ""));
  const [first] = others;
  if (first === undefined) return;
  const names = others.map((port) => `${port.name} (${edit.ownerOf(port)})`).slice(0, 5);
  throw notYours(
    `the bridge ${bridge.name} has ports of others: ${names.join(", ")}${others.length > 5 ? ", …" : ""}`,
    edit.ownerOf(first),
  );
}

/** @returns the error for what another owner keeps, with the way to remove it */
export function notYours(message: string, owner: string | undefined): YardError {
  const ways: Readonly<Record<string, string>> = {
    cni: "delete the pod or container that it belongs to",
    ec: "remove it by: ec stop SLOT, or ec delete-vswitch NAME",
    docker: "remove the container or the Docker network that it belongs to",
  };
  return new YardError("ovs.not-yours", message, {
    hint: ways[owner ?? ""] ?? `remove it from the yard that made it: yard -y ${owner} rm …, or: yard -y ${owner} down`,
  });
}

/** The far end, on another bridge, of a patch port that is about to go, where these commands made both. */
function removePeer(edit: SwitchEdit, bridge: BridgeRow, port: PortRow): void {
  if (edit.ownerOf(port) !== OVS_OWNER) return;
  const [link] = edit.interfacesOf(port);
  // From the master's side the VLAN's bridge stays, with all who are on it: `vlan-ensure` joins it again.
  const peer = link?.type === "patch" && /^vlbr\d+in$/.test(port.name) ? link.options.get("peer") : undefined;
  const placed = peer === undefined ? undefined : edit.port(peer);
  if (placed === undefined || placed.bridge._uuid === bridge._uuid) return;
  const [far] = edit.interfacesOf(placed.port);
  if (far?.options.get("peer") === port.name && edit.ownerOf(placed.port) === OVS_OWNER) edit.removePort(placed);
}
