/** CHECK and STATUS: whether a nic is as ADD left it, and whether another could be made. */
import { spawnSync } from "node:child_process";
import { childEnvironment, YardError } from "@switchyard/base";
import { inNamespace, type NamespaceRef, viewNamespace } from "@switchyard/linux";
import type { InterfaceRow, Switch } from "@switchyard/vswitch";
import type { Vlan } from "./attachment.ts";
import type { Call } from "./call.ts";
import type { NetworkConfig } from "./config.ts";
import { forward } from "./delegate.ts";
import { isRecord } from "./fields.ts";
import { DEVICE_LINK, findPort, type OwnedPort } from "./marks.ts";
import { daemonRuns } from "./place.ts";
import { containerNamespace, type Request } from "./request.ts";
import type { Result } from "./result.ts";
import { homeOf } from "./rows.ts";

/** Milliseconds that a link may take to come up. */
const CONVERGENCE = 2_000;

/** @throws YardError `cni.check-failed` with all that differs; the IPAM plugin's own */
export async function check(call: Call, request: Request, config: NetworkConfig): Promise<void> {
  const { attachment, previous } = config;
  if (previous === undefined) throw new YardError("cni.bad-config", "prevResult is missing: what ADD answered");
  const place = call.placeOf(attachment.switch);
  const container = containerNamespace(request, place.namespace);
  await forward("CHECK", config, call);
  await using opened = await call.open(place);
  const { db } = opened;
  const port = findPort(db, request);
  if (port === undefined)
    throw new YardError(
      "cni.check-failed",
      `the switch has no port of ${request.ifname} of container ${request.containerId}`,
    );
  const wrong: string[] = [];
  const home = homeOf(db, port);
  if (attachment.bridge !== "" && home !== attachment.bridge)
    wrong.push(`it is on bridge ${home ?? "none"}, not ${attachment.bridge}`);
  if (port.network !== config.name) wrong.push(`it is of network ${port.network}, not ${config.name}`);
  wrong.push(...vlanDifferences(port, attachment.vlan));
  wrong.push(...(await linkDifferences(db, port)));
  const moved = port.way === "internal" || port.row.external_ids.has(DEVICE_LINK);
  if (port.way === "veth" || moved) wrong.push(...nicDifferences(container, request, previous));
  if (wrong.length > 0) throw new YardError("cni.check-failed", `${request.ifname}: ${wrong.join("; ")}`);
}

/** @throws YardError `cni.switch-away`, `cni.no-bridge`, `cni.switch-limited`; the IPAM plugin's own */
export async function status(call: Call, config: NetworkConfig): Promise<void> {
  const place = call.placeOf(config.attachment.switch);
  await using opened = await call.open(place);
  const { db } = opened;
  const { bridge, createBridge } = config.attachment;
  if (bridge !== "" && !createBridge && db.table("Bridge").find({ name: bridge }) === undefined)
    throw new YardError("cni.no-bridge", `there is no bridge ${bridge}`, {
      hint: `add it: ovs-vsctl add-br ${bridge}`,
    });
  if (daemonRuns(place) === false)
    throw new YardError("cni.switch-limited", `ovs-vswitchd of ${place.title} does not run`, {
      hint: `start it: ${place.start}`,
    });
  await forward("STATUS", config, call);
}

function vlanDifferences({ row }: OwnedPort, { tag, trunks, mode }: Vlan): string[] {
  const wrong: string[] = [];
  if (row.tag !== tag) wrong.push(`its tag is ${row.tag ?? "none"}, not ${tag ?? "none"}`);
  if (row.vlan_mode !== mode) wrong.push(`its vlan_mode is ${row.vlan_mode ?? "none"}, not ${mode ?? "none"}`);
  const now = [...row.trunks].sort((a, b) => a - b);
  if (now.join() !== trunks.join()) wrong.push(`its trunks are ${now.join() || "all"}, not ${trunks.join() || "all"}`);
  return wrong;
}

/** What the switch says of the device; a link that is coming up is waited for. */
async function linkDifferences(db: Switch, { row, way }: OwnedPort): Promise<string[]> {
  const link = (): InterfaceRow | undefined =>
    [...row.interfaces].map((uuid) => db.table("Interface").get(uuid)).find((one) => one !== undefined);
  // A socket is up when the container's side is connected, which is the container's affair; and of a device that was
  // moved to the container the switch knows no state.
  const stateless = way === "vhostuser" || way === "internal";
  const well = () => link()?.error === undefined && (stateless || link()?.link_state === "up");
  await db.waitFor(well, { timeout: CONVERGENCE }).catch(() => {});
  if (well()) return [];
  const { error, link_state } = link() ?? {};
  return [error === undefined ? `its link is ${link_state ?? "not there"}` : `the switch says: ${error}`];
}

/** What the container has no more of what ADD answered. What later plugins have added is theirs. */
function nicDifferences(container: NamespaceRef, request: Request, previous: Result): string[] {
  const link = viewNamespace(container).links.get(request.ifname);
  if (link === undefined) return ["the container has no such interface"];
  const wrong: string[] = [];
  const at = previous.interfaces.findIndex(({ name, sandbox }) => name === request.ifname && sandbox !== undefined);
  const told = previous.interfaces[at];
  if (told === undefined) return ["prevResult does not have it"];
  if (told.mac !== undefined && told.mac.toLowerCase() !== link.mac)
    wrong.push(`its MAC is ${link.mac}, not ${told.mac}`);
  if (!link.up) wrong.push("it is down");
  const addresses = new Set<string>(link.addresses.map(({ address }) => address));
  for (const ip of previous.ips)
    if ((ip.interface === undefined || ip.interface === at) && !addresses.has(ip.address))
      wrong.push(`it has not the address ${ip.address}`);
  const routes = routesOf(container);
  for (const { dst } of previous.routes)
    if (!routes.has(/^(0\.0\.0\.0|::)\/0$/.test(dst) ? "default" : dst.replace(/\/(32|128)$/, "")))
      wrong.push(`there is no route to ${dst}`);
  return wrong;
}

/** Destinations in all tables, as a plugin later in the chain (sbr) may have moved them to another. */
function routesOf(container: NamespaceRef): Set<string> {
  const found = new Set<string>();
  for (const version of ["-4", "-6"]) {
    const { stdout } = inNamespace(container, () =>
      spawnSync("ip", ["-json", version, "route", "show", "table", "all"], {
        encoding: "utf8",
        env: childEnvironment(),
      }),
    );
    const rows: unknown = JSON.parse(stdout || "[]");
    if (!Array.isArray(rows)) continue;
    for (const row of rows as readonly unknown[]) if (isRecord(row) && typeof row.dst === "string") found.add(row.dst);
  }
  return found;
}
