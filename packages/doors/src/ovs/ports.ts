import { YardError } from "@switchyard/base";
import { checkLinkName } from "@switchyard/linux";
import type { RowInput } from "@switchyard/ovsdb";
import { commitEdit, type InterfaceRow, type PortRow } from "@switchyard/vswitch";
import { z } from "zod";
import { notYours } from "./bridges.ts";
import { flag, integer, name, ovsCommand, settings } from "./command.ts";
import { editOptions, type OvsContext } from "./context.ts";
import { checkType, explain } from "./explain.ts";
import { replicaRows, tableOf } from "./rows.ts";
import { assignments, columnsOf, type Written } from "./values.ts";

const vlan = integer(0, 4094);

/** `port-add` */
export const portAdd = ovsCommand({
  name: "port-add",
  summary: "add a port to a bridge",
  schema: z.object({
    bridge: name.describe("the bridge"),
    port: name.describe("its name; that of a network device, unless a type is given"),
    vlan: vlan.optional().describe("VLAN tag; 0 for none"),
    options: settings.optional().describe("columns of Interface (or Port): type, options:peer, ofport_request, …"),
  }),
  async run(context, { bridge, port, vlan, options = {} }) {
    checkLinkName(port);
    const { interfaces, ports } = split(context, options);
    checkType(context, interfaces.type);
    await settled(context, () =>
      commitEdit(
        context.db,
        (edit) => {
          const tag = vlan === undefined || vlan === 0 ? {} : { tag: vlan };
          // Values of the columns of Port and Interface, as their schema had them read.
          const columns = { ...ports, ...tag } as RowInput<PortRow>;
          const link = { ...(interfaces as RowInput<InterfaceRow>), name: port };
          edit.addPort(edit.neededBridge(bridge)._uuid, port, columns, [link], "port");
        },
        editOptions(context),
      ),
    );
    return null;
  },
});

/** `port-del` */
export const portDel = ovsCommand({
  name: "port-del",
  summary: "delete a port",
  schema: z.object({
    port: name.describe("its name"),
    bridge: z.string().optional().describe("the bridge that it must be on"),
  }),
  async run(context, { port, bridge }) {
    await commitEdit(
      context.db,
      (edit) => {
        if (bridge !== undefined && bridge !== "") edit.neededBridge(bridge);
        const placed = edit.port(port);
        if (placed === undefined)
          throw new YardError("ovs.no-port", `there is no port named ${port}`, { hint: "yard ovs show lists them" });
        if (bridge !== undefined && bridge !== "" && placed.bridge.name !== bridge)
          throw new YardError("ovs.no-port", `bridge ${bridge} does not have a port ${port}`, {
            hint: `it is on bridge ${placed.bridge.name}`,
          });
        if (placed.bridge.name === port)
          throw new YardError(
            "ovs.local-port",
            `cannot delete port ${port} because it is the local port for bridge ${port}`,
            {
              hint: `delete the bridge: yard ovs bridge-del ${port}`,
            },
          );
        if (!edit.mayChange(placed.port))
          throw notYours(`the port ${port} belongs to ${edit.ownerOf(placed.port)}`, edit.ownerOf(placed.port));
        edit.removePort(placed);
      },
      editOptions(context),
    );
    return null;
  },
});

/** `bond-add` */
export const bondAdd = ovsCommand({
  name: "bond-add",
  summary: "add a bond of several devices to a bridge",
  schema: z.object({
    bridge: name.describe("the bridge"),
    port: name.describe("the bond's name"),
    links: z
      .array(name, { error: "a list of at least two devices is expected" })
      .min(2, "a list of at least two devices is expected")
      .refine((links) => new Set(links).size === links.length, "a device is named twice")
      .describe("the devices"),
    mode: z
      .preprocess(
        (mode) => (mode === "" ? undefined : mode),
        z
          .enum(["active-backup", "balance-slb", "balance-tcp"], {
            error: "one of active-backup, balance-slb and balance-tcp is expected",
          })
          .optional(),
      )
      .optional()
      .describe("active-backup, balance-slb (the default) or balance-tcp"),
    lacp: flag.optional().describe("whether to negotiate by LACP"),
    vlan: vlan.optional().describe("VLAN tag; 0 for none"),
  }),
  async run(context, { bridge, port, links, mode, lacp, vlan }) {
    for (const one of [port, ...links]) checkLinkName(one);
    await settled(context, () =>
      commitEdit(
        context.db,
        (edit) => {
          const columns = {
            bond_mode: mode ?? ("balance-slb" as const),
            ...(lacp === true ? { lacp: "active" as const } : {}),
            ...(vlan === undefined || vlan === 0 ? {} : { tag: vlan }),
          };
          edit.addPort(
            edit.neededBridge(bridge)._uuid,
            port,
            columns,
            links.map((one) => ({ name: one })),
            "bond",
          );
        },
        editOptions(context),
      ),
    );
    return null;
  },
});

/** Runs an edit, and says what the switch's refusal means. */
export async function settled<R>(context: OvsContext, edit: () => Promise<R>): Promise<R> {
  try {
    return await edit();
  } catch (thrown) {
    throw explain(context, thrown);
  }
}

/** Settings of a port, each to the table that has its column; those of both are Interface's. */
function split(context: OvsContext, options: Readonly<Record<string, Written>>) {
  const [link, port] = [tableOf("Interface"), tableOf("Port")];
  const isPorts = (key: string) => {
    const column = key.split(":")[0] ?? key;
    return !link.columns.has(column) && port.columns.has(column);
  };
  const entries = Object.entries(options);
  const rows = replicaRows(context.db);
  const read = (table: typeof link, ports: boolean) =>
    columnsOf(assignments(table, Object.fromEntries(entries.filter(([key]) => isPorts(key) === ports)), rows));
  return { interfaces: read(link, false), ports: read(port, true) };
}
