/** Nics plugged in and out while a machine runs. */
import { closeSync } from "node:fs";
import { YardError } from "@switchyard/base";
import { nicDevice, nicIds } from "./command.ts";
import { isRecord, type QmpClient, QmpError, type QmpEvent, type QmpPatience } from "./qmp.ts";
import type { VmNic } from "./types.ts";

/** Milliseconds in which a guest must give a nic back. Its kernel does it in some, unless it is only just booting. */
const UNPLUG_TIMEOUT = 5_000;

/**
 * Plugs a nic in.
 *
 * @param tap its tap device, opened; closed here, QEMU keeps its own
 * @throws YardError `vm.qemu-refused`, `vm.ended`, `vm.not-answering`; nothing is left of it then
 */
export async function plug(qmp: QmpClient, nic: VmNic, tap: number, patience: QmpPatience): Promise<void> {
  const { netdev } = nicIds(nic.index);
  try {
    // Named like the netdev, which keeps it from then on.
    await qmp.execute("getfd", { fdname: netdev }, { ...patience, descriptor: tap });
  } finally {
    closeSync(tap);
  }
  await qmp.execute("netdev_add", { type: "tap", id: netdev, fd: netdev }, patience);
  try {
    await qmp.execute("device_add", nicDevice(nic), patience);
  } catch (error) {
    await qmp.execute("netdev_del", { id: netdev }).catch(() => undefined);
    throw error;
  }
}

/**
 * Has the guest give a nic back, and unplugs it; also one that is only half there.
 *
 * @throws YardError `vm.unplug-refused`, `vm.ended`, `vm.not-answering`
 */
export async function unplug(qmp: QmpClient, index: number, patience: QmpPatience): Promise<void> {
  const { device, netdev } = nicIds(index);
  if (await isPlugged(qmp, index, patience)) {
    const gone = qmp.event(about(device), "word that the nic is gone", { ...patience, timeout: UNPLUG_TIMEOUT });
    gone.catch(() => undefined);
    try {
      await qmp.execute("device_del", { id: device }, patience);
    } catch (error) {
      // It is being unplugged already: an earlier request may yet be answered.
      if (!(error instanceof QmpError) || !/already in the process of unplug/.test(error.message)) throw error;
    }
    const event = await gone.catch((cause: unknown) => {
      if (cause instanceof YardError && cause.code === "vm.not-answering") throw refused(index, cause);
      throw cause;
    });
    if (event.event !== "DEVICE_DELETED") throw refused(index);
  }
  try {
    await qmp.execute("netdev_del", { id: netdev }, patience);
  } catch (error) {
    if (!(error instanceof QmpError) || !/not found/.test(error.message)) throw error;
  }
}

function about(device: string): (event: QmpEvent) => boolean {
  return ({ event, data }) =>
    (event === "DEVICE_DELETED" || event === "DEVICE_UNPLUG_GUEST_ERROR") && data.device === device;
}

function refused(index: number, cause?: unknown): YardError {
  return new YardError("vm.unplug-refused", `the guest does not give nic ${index} back`, {
    hint: "let it finish booting; a guest without ACPI hot-plug must be stopped first",
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Whether a nic is in its slot. */
export async function isPlugged(qmp: QmpClient, index: number, patience: QmpPatience): Promise<boolean> {
  const list = await qmp.execute("qom-list", { path: "/machine/peripheral" }, patience);
  const { device } = nicIds(index);
  return Array.isArray(list) && list.some((entry) => isRecord(entry) && entry.name === device);
}
