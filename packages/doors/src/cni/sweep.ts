import { type NamespaceRef, viewNamespace } from "@switchyard/linux";
import type { PortRow, Switch } from "@switchyard/vswitch";
import { ownedPorts } from "./marks.ts";
import { removePorts, type SwitchLimits } from "./rows.ts";

/**
 * Takes away ports of ours whose device is gone for sure: those from before the host's last boot, and those whose
 * veth went with its namespace.
 *
 * @param home where the switch's devices are
 */
export async function sweep(db: Switch, home: NamespaceRef, limits: SwitchLimits): Promise<void> {
  const owned = ownedPorts(db);
  // Only what the switch has no link of is looked for: an ADD that goes on has its device before its row.
  const suspects = owned.filter(({ row, way, dead }) => !dead && way === "veth" && isDown(db, row));
  const links = suspects.length === 0 ? undefined : viewNamespace(home).links;
  const gone = new Set([
    ...owned.filter(({ dead }) => dead).map(({ row }) => row._uuid),
    ...suspects.filter(({ row }) => links?.has(row.name) === false).map(({ row }) => row._uuid),
  ]);
  if (gone.size > 0) await removePorts(db, ({ _uuid }) => gone.has(_uuid), limits);
}

function isDown(db: Switch, { interfaces }: PortRow): boolean {
  return [...interfaces].some((uuid) => {
    const { error, link_state } = db.table("Interface").get(uuid) ?? {};
    return error !== undefined || link_state !== "up";
  });
}
