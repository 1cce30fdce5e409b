/** Disk images: looked at, and made, by qemu-img(1). */
import { statSync } from "node:fs";
import { resolve } from "node:path";
import { type CommandOptions, tryRun, YardError } from "@switchyard/base";
import { qemuMissing } from "./accelerator.ts";
import { isRecord } from "./qmp.ts";
import type { VmDisk, VmSnapshot } from "./types.ts";

/** One file of a disk; those after it are what it is laid over. */
export interface ImageLayer {
  readonly file: string;
  readonly format: string;
  /** Bytes of the disk. */
  readonly size: number;
  readonly snapshots: readonly VmSnapshot[];
}

/** qemu-img in front of what is not told by its exit code. @throws YardError `vm.qemu-missing` */
async function qemuImg(args: readonly string[], options: CommandOptions = {}) {
  try {
    // Its messages are understood in English only.
    return await tryRun(["qemu-img", ...args], { timeout: 600_000, ...options });
  } catch (error) {
    if (error instanceof YardError && error.code === "command.not-found") throw qemuMissing(error);
    throw error;
  }
}

function withSignal(signal: AbortSignal | undefined): CommandOptions {
  return signal === undefined ? {} : { signal };
}

/** What qemu-img, or QEMU itself, says of an image, as an error of ours. */
export function imageError(file: string, said: string): YardError {
  const text =
    said
      .trim()
      .split("\n")
      .at(-1)
      ?.replace(/^qemu-\S+: /, "") ?? "";
  const details = { where: file };
  if (/Failed to get .*lock|Is another process using the image/s.test(said))
    return new YardError("vm.image-in-use", `the image ${file} is in use by another machine or program`, {
      ...details,
      hint: "end that one, or let both have the image without persistent: each then writes to an overlay of its own",
    });
  if (/No such file or directory/.test(said))
    return new YardError(
      "vm.image-absent",
      `there is no image ${file}, or it is laid over one that is gone: ${text}`,
      details,
    );
  if (/not in \S+ format/.test(said))
    return new YardError("vm.image-format", `the image ${file} does not have the format that was named: ${text}`, {
      ...details,
      hint: `see what it is: qemu-img info ${file}`,
    });
  return new YardError("vm.image-corrupt", `the image ${file} cannot be used: ${text}`, {
    ...details,
    hint: `look at it: qemu-img check ${file}`,
  });
}

/**
 * The files that a disk is made of, the top one first.
 *
 * @throws YardError `vm.image-absent`, `vm.image-in-use`, `vm.image-corrupt`
 */
export async function imageLayers(
  file: string,
  signal?: AbortSignal,
  shared = false,
): Promise<readonly [ImageLayer, ...ImageLayer[]]> {
  checkFile(file);
  const share = shared ? ["--force-share"] : [];
  const { code, stdout, stderr } = await qemuImg(
    ["info", ...share, "--backing-chain", "--output=json", file],
    withSignal(signal),
  );
  if (code !== 0) throw imageError(file, stderr);
  const value: unknown = JSON.parse(stdout);
  const [top, ...below] = (Array.isArray(value) ? value : []).map((layer) => readLayer(file, layer));
  if (top === undefined) throw imageError(file, "qemu-img tells nothing of it");
  return [top, ...below];
}

function readLayer(image: string, layer: unknown): ImageLayer {
  if (!isRecord(layer) || typeof layer.filename !== "string" || typeof layer.format !== "string")
    throw imageError(image, "qemu-img tells nothing of it");
  const { "format-specific": specific } = layer;
  const data = isRecord(specific) && isRecord(specific.data) ? specific.data : {};
  if (data.corrupt === true) throw imageError(layer.filename, "it is marked as corrupt");
  // QEMU would open any file that the image names, whoever has written that name there.
  if (typeof data["data-file"] === "string")
    throw new YardError("vm.image-format", `the image ${layer.filename} keeps its data in another file`, {
      hint: "make one file of it: qemu-img convert -O qcow2",
    });
  return {
    file: resolve(image, "..", layer.filename),
    format: layer.format,
    size: Number(layer["virtual-size"]),
    snapshots: (Array.isArray(layer.snapshots) ? layer.snapshots : []).flatMap((entry) => readSnapshot(entry) ?? []),
  };
}

function readSnapshot(value: unknown): VmSnapshot | undefined {
  if (!isRecord(value) || typeof value.name !== "string") return undefined;
  const { "date-sec": seconds, "date-nsec": nanoseconds, "vm-state-size": memory } = value;
  return {
    tag: value.name,
    time: Number(seconds) * 1000 + Math.floor(Number(nanoseconds) / 1e6),
    memory: Number(memory),
  };
}

/** Snapshots as `query-block` of QMP and `qemu-img info` tell them. */
export function readSnapshots(list: unknown): VmSnapshot[] {
  return (Array.isArray(list) ? list : []).flatMap((entry) => readSnapshot(entry) ?? []);
}

function checkFile(file: string): void {
  const stat = statSync(file, { throwIfNoEntry: false });
  if (stat === undefined)
    throw new YardError("vm.image-absent", `there is no image ${file}`, { where: file, hint: "check the path" });
  if (!stat.isFile() && !stat.isBlockDevice())
    throw new YardError("vm.image-format", `${file} is no image, but a folder or device`, { where: file });
}

/**
 * Whether an image is what it is said to be, whole, and free.
 *
 * @throws YardError `vm.image-absent`, `vm.image-format`, `vm.image-corrupt`, `vm.image-in-use`
 */
export async function checkImage({ file, format }: VmDisk, signal?: AbortSignal): Promise<void> {
  const [top] = await imageLayers(file, signal);
  if (top.format !== format)
    throw new YardError("vm.image-format", `the image ${file} is ${top.format}, not ${format}`, {
      where: file,
      hint:
        top.format === "qcow2" || top.format === "raw"
          ? `name the format ${top.format}`
          : "make a qcow2 of it: qemu-img convert -O qcow2",
    });
  if (format !== "qcow2") return;
  const { code, stdout, stderr } = await qemuImg(["check", "-q", "-f", format, file], withSignal(signal));
  // 3: clusters that nobody uses, which harms nothing.
  if (code !== 0 && code !== 3) throw imageError(file, stderr === "" ? stdout : stderr);
}

/** Makes an empty layer over an image. @throws YardError as {@link imageLayers} */
export async function makeOverlay(overlay: string, { file, format }: VmDisk, signal?: AbortSignal): Promise<void> {
  const { code, stderr } = await qemuImg(
    ["create", "-q", "-f", "qcow2", "-F", format, "-b", resolve(file), overlay],
    withSignal(signal),
  );
  if (code !== 0) throw imageError(file, stderr);
}

/** Makes an empty qcow2 image of so many bytes. @throws YardError `vm.save-failed` */
export async function makeImage(file: string, size: number, signal?: AbortSignal): Promise<void> {
  const { code, stderr } = await qemuImg(["create", "-q", "-f", "qcow2", file, String(size)], withSignal(signal));
  if (code !== 0) throw new YardError("vm.save-failed", `${file} cannot be made: ${stderr.trim()}`);
}

/** Copies a disk, with all that it is laid over, into one qcow2 file. @throws YardError `vm.save-failed` */
export async function flatten(source: ImageLayer, target: string, signal?: AbortSignal): Promise<void> {
  const args = ["convert", "-q", "-f", source.format, "-O", "qcow2", source.file, target];
  const { code, stderr } = await qemuImg(args, withSignal(signal));
  if (code !== 0) throw new YardError("vm.save-failed", `${source.file} cannot be copied: ${stderr.trim()}`);
}

/** A snapshot of an image that no machine uses: `-c` takes it, `-a` goes back to it, `-d` deletes it. */
export async function snapshotImage(
  what: "-c" | "-a" | "-d",
  tag: string,
  file: string,
  signal?: AbortSignal,
): Promise<void> {
  const { code, stderr } = await qemuImg(["snapshot", "-q", what, tag, file], withSignal(signal));
  if (code === 0) return;
  if (/Can't find|not found|does not have/i.test(stderr)) throw snapshotAbsent(tag);
  throw imageError(file, stderr);
}

export function snapshotAbsent(tag: string): YardError {
  return new YardError("vm.snapshot-absent", `there is no snapshot ${tag}`);
}
