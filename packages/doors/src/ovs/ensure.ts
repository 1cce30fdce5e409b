import { YardError } from "@switchyard/base";
import { commitEdit, deleteVtep, ensureVlanBridge, ensureVtep, ensureVxlanBridge, vtepName } from "@switchyard/vswitch";
import { z } from "zod";
import { notYours } from "./bridges.ts";
import { integer, name, ovsCommand, words } from "./command.ts";
import { editOptions, type OvsContext } from "./context.ts";
import { inNamespace } from "./explain.ts";
import { settled } from "./ports.ts";

const vni = integer(1, 2 ** 24 - 1);
const given = z.string().transform((text) => text || undefined);

/** `vlan-ensure` */
export const vlanEnsure = ovsCommand({
  name: "vlan-ensure",
  summary: "have a bridge for one VLAN of a master bridge",
  schema: z.object({
    master: name.describe("the bridge that carries the VLAN"),
    vlan: integer(0, 4094).describe("1 to 4094, or 0: the frames without a tag"),
    name: given.optional().describe("the bridge's name; vlbr<vlan> by default"),
  }),
  async run(context, { master, vlan: tag, name: bridge }) {
    const want = { master, tag, ...(bridge === undefined ? {} : { name: bridge }) };
    return (await settled(context, () => ensureVlanBridge(context.db, want, editOptions(context)))).bridge;
  },
});

/** `vxlan-ensure` */
export const vxlanEnsure = ovsCommand({
  name: "vxlan-ensure",
  summary: "have a bridge for a VXLAN over a master bridge",
  schema: z.object({
    master: name.describe("the bridge whose device the packets go out by"),
    vxlan: vni.describe("the VXLAN's identifier, 1 to 16777215"),
    name: given.optional().describe("the bridge's name; vxlbr<vxlan> by default"),
    peers: words
      .optional()
      .describe("addresses of the other hosts, for tunnels to each; without them multicast is used"),
  }),
  async run(context, { master, vxlan, name: bridge, peers }) {
    const want = {
      master,
      vni: vxlan,
      ...(bridge === undefined ? {} : { name: bridge }),
      ...(peers === undefined ? {} : { peers }),
    };
    const { db, place } = context;
    const made = await settled(context, () => ensureVxlanBridge(db, place.namespace, want, editOptions(context)));
    tell(context, made.bridge, master, made);
    return made.bridge;
  },
});

/** `vtep-ensure` */
export const vtepEnsure = ovsCommand({
  name: "vtep-ensure",
  summary: "have the kernel's device of a VXLAN over a bridge's device",
  schema: z.object({
    bridge: name.describe("the device that the packets go out by"),
    vnid: vni.describe("the VXLAN's identifier, 1 to 16777215"),
  }),
  async run(context, { bridge: master, vnid }) {
    const made = ensureVtep({ namespace: context.place.namespace, master, vni: vnid });
    tell(context, made.name, master, made);
    return made.name;
  },
});

/** `vtep-del`, with the port of the switch that it is. */
export const vtepDel = ovsCommand({
  name: "vtep-del",
  summary: "delete the kernel's device of a VXLAN, and its port",
  schema: z.object({ vnid: vni.describe("the VXLAN's identifier, 1 to 16777215") }),
  async run(context, { vnid }) {
    const port = vtepName(vnid);
    const { changed } = await commitEdit(
      context.db,
      (edit) => {
        const placed = edit.port(port);
        if (placed === undefined) return;
        if (!edit.mayChange(placed.port))
          throw notYours(`the port ${port} belongs to ${edit.ownerOf(placed.port)}`, edit.ownerOf(placed.port));
        edit.removePort(placed);
      },
      editOptions(context),
    );
    const deleted = deleteVtep(context.place.namespace, vnid);
    if (!changed && !deleted)
      throw new YardError("ovs.no-vtep", `there is no ${port}`, { hint: "yard ovs show lists the ports" });
    return null;
  },
});

/** What the answer, which is only a name, does not say. */
function tell(context: OvsContext, what: string, master: string, made: { mtu: number; addressed: boolean }): void {
  context.warn(`${what} has room for packets of ${made.mtu} bytes (MTU): what is attached must keep to it`);
  if (made.addressed) return;
  const give = `ip ${inNamespace(context.place.namespace)}address add …/… dev ${master}`;
  context.warn(`${master} has no address, so that no packet goes out: ${give}`);
}
