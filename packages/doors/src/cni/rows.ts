/** The rows of containers' ports in the switch's database, each change one guarded transaction. */
import { YardError } from "@switchyard/base";
import type { Uuid } from "@switchyard/ovsdb";
import { commitEdit, type NewInterface, type Switch, type SwitchEdit } from "@switchyard/vswitch";
import type { Attachment } from "./attachment.ts";
import { deleteShapers, insertShaper, policing } from "./bandwidth.ts";
import { BRIDGE, CNI_OWNER, NIC, type OwnedPort } from "./marks.ts";

export interface SwitchLimits {
  readonly signal?: AbortSignal;
  /** Milliseconds that the switch may take; 20,000 by default. */
  readonly timeout?: number;
}

function options({ signal, timeout = 20_000 }: SwitchLimits) {
  return { owner: CNI_OWNER, timeout, ...(signal === undefined ? {} : { signal }) };
}

/**
 * Adds a port, done when the switch has taken it; the switch's refusal leaves nothing behind.
 *
 * @param external external_ids of the Port
 * @throws YardError `cni.no-bridge`, `cni.ofport-taken`, `switch.name-taken`, `switch.port-failed`, `switch.not-answering`
 */
export async function addPort(
  db: Switch,
  attachment: Attachment,
  link: NewInterface,
  external: Record<string, string>,
  limits: SwitchLimits,
): Promise<void> {
  const { vlan, ofportRequest, ifaceId, bandwidth } = attachment;
  const dpdk = link.type?.startsWith("dpdk") ?? false;
  const policed = bandwidth?.egress !== undefined && (dpdk || !isUserspace(db, attachment));
  const wanted = {
    ...link,
    ...(policed && bandwidth?.egress !== undefined ? policing(bandwidth.egress) : {}),
    ...(ofportRequest === undefined ? {} : { ofport_request: ofportRequest }),
    ...(ifaceId === undefined ? {} : { external_ids: new Map([["iface-id", ifaceId]]) }),
  };
  const columns = {
    trunks: vlan.trunks,
    cvlans: vlan.cvlans,
    external_ids: external,
    ...(vlan.tag === undefined ? {} : { tag: vlan.tag }),
    ...(vlan.mode === undefined ? {} : { vlan_mode: vlan.mode }),
  };
  await commitEdit(
    db,
    (edit) => {
      const qos = bandwidth?.ingress === undefined ? undefined : insertShaper(edit, bandwidth.ingress, dpdk);
      const shaped = qos === undefined ? columns : { ...columns, qos };
      return edit.addPort(bridgeOf(edit, attachment), link.name, shaped, [wanted], NIC);
    },
    options(limits),
  );
  const given = db.table("Interface").find({ name: link.name })?.ofport;
  if (ofportRequest === undefined || Number(given) === ofportRequest) return;
  await removePorts(db, (port) => port.name === link.name, limits);
  throw new YardError("cni.ofport-taken", `port ${ofportRequest} of bridge ${attachment.bridge} is taken`, {
    hint: "leave ofport_request out, or choose another",
  });
}

/** Whether the bridge is one in userspace; what is made on request is. */
export function isUserspace(db: Pick<Switch, "table">, { bridge }: Attachment): boolean {
  return (db.table("Bridge").find({ name: bridge })?.datapath_type ?? "netdev") === "netdev";
}

function bridgeOf(edit: SwitchEdit, { bridge, createBridge }: Attachment): Uuid {
  const row = edit.bridge(bridge);
  if (row !== undefined) return row._uuid;
  if (createBridge) return edit.addBridge(bridge, { datapath_type: "netdev" }, BRIDGE);
  throw new YardError("cni.no-bridge", `there is no bridge ${bridge}`, {
    hint: `add it: ovs-vsctl add-br ${bridge}`,
  });
}

/**
 * Takes ports away that bear our mark, and bridges of ours that have no port any more. It is not waited for: nothing
 * can fail in it, and whoever asks for one of the names again comes after it.
 */
export async function removePorts(
  db: Switch,
  which: (port: { readonly name: string; readonly _uuid: Uuid }) => boolean,
  { signal, timeout = 20_000 }: SwitchLimits,
): Promise<void> {
  await db.transact(
    (tx) => {
      const gone = new Set<Uuid>();
      for (const port of db.table("Port"))
        if (which(port) && tx.get("Port", port._uuid)?.external_ids.get("switchyard-owner") === CNI_OWNER)
          gone.add(port._uuid);
      if (gone.size === 0) return;
      const root = tx.single("Open_vSwitch")?._uuid;
      if (root === undefined) return;
      for (const home of db.table("Bridge")) {
        const leaving = [...home.ports].filter((uuid) => gone.has(uuid));
        if (leaving.length === 0) continue;
        if (!isOwnBridge(home)) {
          tx.mutate("Bridge", home._uuid, { ports: { delete: leaving } });
          continue;
        }
        // Guarded: another's port may be on its way to it.
        const ports = tx.get("Bridge", home._uuid)?.ports ?? new Set();
        const last = [...ports].every((uuid) => gone.has(uuid) || db.table("Port").get(uuid)?.name === home.name);
        if (last) tx.mutate("Open_vSwitch", root, { bridges: { delete: [home._uuid] } });
        else tx.mutate("Bridge", home._uuid, { ports: { delete: leaving } });
      }
      deleteShapers(db, tx, (port) => gone.has(port));
      tx.increment("Open_vSwitch", root, "next_cfg");
    },
    { timeout, ...(signal === undefined ? {} : { signal }) },
  );
}

function isOwnBridge({ external_ids }: { readonly external_ids: ReadonlyMap<string, string> }): boolean {
  return external_ids.get("switchyard-owner") === CNI_OWNER && external_ids.get("switchyard-purpose") === BRIDGE;
}

/** The name of the bridge that a port is on. */
export function homeOf(db: Pick<Switch, "table">, { row }: OwnedPort): string | undefined {
  return [...db.table("Bridge")].find(({ ports }) => ports.has(row._uuid))?.name;
}
