/** DEL and GC: what the database says that we made, and nothing else. */
import { rmSync } from "node:fs";
import { YardError } from "@switchyard/base";
import { type Switch, waitTaken } from "@switchyard/vswitch";
import type { Call } from "./call.ts";
import type { NetworkConfig } from "./config.ts";
import { forward } from "./delegate.ts";
import { returnDevice } from "./device.ts";
import { DEVICE_INFO, findPort, type OwnedPort, ownedPorts, portName } from "./marks.ts";
import { refuseStanding } from "./nic.ts";
import type { OpenedSwitch, SwitchPlace } from "./place.ts";
import { takeBack } from "./pod.ts";
import type { Request } from "./request.ts";
import { removePorts } from "./rows.ts";
import { removeSocket, socketOf } from "./vhostuser.ts";

/**
 * Takes an attachment away. It may be repeated, and what is gone already is no failure. Where the switch is away, the
 * nic goes, and its row is found by GC, by the next DEL, or after a reboot by the next ADD.
 */
export async function del(call: Call, request: Request, config: NetworkConfig): Promise<void> {
  const place = call.placeOf(config.attachment.switch);
  const [freed, removed] = await Promise.allSettled([
    forward("DEL", config, call),
    withSwitch(call, place, (db) => {
      const port = findPort(db, request);
      return port === undefined ? Promise.resolve() : remove(call, place, db, [port]);
    }),
  ]);
  // Also that of an ADD which died before it had its row.
  await removeNic(call, place, portName(request));
  const failure = [freed, removed].find((one) => one.status === "rejected");
  if (failure?.status === "rejected") throw failure.reason;
}

/** Takes away what of this network is not among the valid attachments, and goes on after a failure. */
export async function collect(call: Call, config: NetworkConfig): Promise<void> {
  const { valid } = config;
  if (valid === undefined)
    throw new YardError("cni.bad-config", "cni.dev/valid-attachments is missing: what the runtime still has");
  const place = call.placeOf(config.attachment.switch);
  const stands = ({ containerId, ifname, dead }: OwnedPort) =>
    !dead && valid.some((one) => one.containerId === containerId && one.ifname === ifname);
  const outcomes = await Promise.allSettled([
    withSwitch(call, place, (db) =>
      remove(
        call,
        place,
        db,
        ownedPorts(db).filter((port) => port.network === config.name && !stands(port)),
      ),
    ),
    forward("GC", config, call),
  ]);
  const failures = outcomes.filter((one) => one.status === "rejected").map(({ reason }) => reason);
  for (const reason of failures.slice(1)) call.warn(reason instanceof Error ? reason.message : String(reason));
  if (failures.length > 0) throw failures[0];
}

async function remove(call: Call, place: SwitchPlace, db: Switch, ports: readonly OwnedPort[]): Promise<void> {
  const names = new Set(ports.map(({ row }) => row.name));
  await removePorts(db, ({ name }) => names.has(name), call.limits);
  // The switch takes such a device away when it gets to it, and the next ADD may want its name.
  if (ports.some(({ way }) => way === "internal")) await waitTaken(db, call.limits);
  for (const { row, way } of ports) if (way === "veth") await removeNic(call, place, row.name);
  for (const port of ports) {
    returnDevice(place.namespace, port);
    const socket = socketOf(port);
    const told = port.row.external_ids.get(DEVICE_INFO);
    if (told !== undefined) rmSync(told, { force: true });
    if (socket !== undefined) await removeSocket(call, port.row.name, { ...port, socket });
    await takeBack(call, port);
  }
}

/** One that is gone is no failure. */
async function removeNic(call: Call, { namespace }: SwitchPlace, name: string): Promise<void> {
  refuseStanding(await call.removeLink(namespace, name));
}

async function withSwitch(call: Call, place: SwitchPlace, body: (db: Switch) => Promise<void>): Promise<void> {
  let opened: OpenedSwitch;
  try {
    opened = await call.open(place);
  } catch (thrown) {
    if (!(thrown instanceof YardError) || thrown.code !== "cni.switch-away") throw thrown;
    call.warn(`${thrown.message}: its row stays until it runs again`);
    return;
  }
  await using _opened = opened;
  await body(opened.db);
}
