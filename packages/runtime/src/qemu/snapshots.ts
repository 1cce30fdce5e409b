/** Snapshots kept within a machine's qcow2 images: of its memory and disks while it runs, else of the disks. */
import { YardError } from "@switchyard/base";
import { diskNode } from "./command.ts";
import { imageLayers, readSnapshots, snapshotAbsent, snapshotImage } from "./images.ts";
import { runJob } from "./jobs.ts";
import { type MachinePaths, overlayPath } from "./paths.ts";
import { isRecord, type QmpClient, type QmpPatience } from "./qmp.ts";
import type { VmConfig, VmSnapshot } from "./types.ts";

/** @throws YardError `vm.bad-tag`; a number alone would be taken for the id that QEMU gives a snapshot */
export function checkTag(tag: string): void {
  if (!/^(?!\d+$)[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/.test(tag))
    throw new YardError("vm.bad-tag", `${JSON.stringify(tag)} cannot be the name of a snapshot`, {
      hint: "use letters, digits and _ . -, and not digits alone",
    });
}

/** The files that a machine writes to. @throws YardError `vm.snapshot-unsupported` */
export function writtenFiles(config: VmConfig, machine: MachinePaths): string[] {
  const raw = config.disks.find(({ persistent, format }) => persistent && format !== "qcow2");
  if (config.disks.length === 0 || raw !== undefined)
    throw new YardError(
      "vm.snapshot-unsupported",
      raw === undefined
        ? `${config.name} has no disk to keep a snapshot in`
        : `${raw.file} is raw, and keeps no snapshots`,
      { hint: "use qcow2 images, or leave persistent away" },
    );
  return config.disks.map(({ file, persistent }, index) => (persistent ? file : overlayPath(machine, index)));
}

/** Of a machine that does not run: those of its first disk, which has them all. */
export async function snapshotsOfFiles(files: readonly string[], signal?: AbortSignal): Promise<readonly VmSnapshot[]> {
  const [first] = files;
  return first === undefined ? [] : (await imageLayers(first, signal))[0].snapshots;
}

export async function changeFiles(
  what: "-c" | "-a" | "-d",
  tag: string,
  files: readonly string[],
  signal?: AbortSignal,
): Promise<void> {
  for (const file of files) await snapshotImage(what, tag, file, signal);
}

/** Of a running machine. */
export async function snapshotsByQmp(qmp: QmpClient, patience: QmpPatience): Promise<VmSnapshot[]> {
  const nodes = await qmp.execute("query-named-block-nodes", { flat: true }, patience);
  const node = (Array.isArray(nodes) ? nodes : []).find(
    (entry) => isRecord(entry) && entry["node-name"] === diskNode(0),
  );
  return isRecord(node) && isRecord(node.image) ? readSnapshots(node.image.snapshots) : [];
}

/** @throws YardError `vm.snapshot-absent`, `vm.job-failed` */
export async function changeByQmp(
  qmp: QmpClient,
  what: "snapshot-save" | "snapshot-load" | "snapshot-delete",
  tag: string,
  config: VmConfig,
  patience: QmpPatience,
): Promise<void> {
  const exists = (await snapshotsByQmp(qmp, patience)).some((snapshot) => snapshot.tag === tag);
  if (!exists && what !== "snapshot-save") throw snapshotAbsent(tag);
  const devices = config.disks.map((_, index) => diskNode(index));
  const memory = what === "snapshot-delete" ? {} : { vmstate: diskNode(0) };
  const args = { "job-id": what, tag, devices, ...memory };
  await runJob(qmp, what, () => qmp.execute(what, args, patience), patience);
}
