/** The volume that cloud-init's NoCloud data source reads (cloudinit.readthedocs.io, "NoCloud"). */
import { chmodSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { run, YardError } from "@switchyard/base";
import type { VmSeed } from "./types.ts";

/** Programs that make ISO 9660 volumes, by Debian's preference; all know mkisofs' arguments. */
const MAKERS: readonly (readonly [string, ...string[]])[] = [
  ["genisoimage"],
  ["xorriso", "-as", "mkisofs"],
  ["mkisofs"],
];

/**
 * Makes the volume as a file. It may hold secrets: only root can read it.
 *
 * @throws YardError `vm.seed-maker-missing`, `vm.seed-failed`
 */
export async function makeSeed(file: string, seed: VmSeed, signal?: AbortSignal): Promise<void> {
  const maker = MAKERS.find(([program]) => Bun.which(program) !== null);
  if (maker === undefined)
    throw new YardError("vm.seed-maker-missing", "a seed for cloud-init needs a program that makes ISO images", {
      hint: "apt-get install --no-install-recommends genisoimage",
    });
  const folder = mkdtempSync(`${file}.`);
  try {
    const write = (name: string, text: string) => writeFileSync(`${folder}/${name}`, text, { mode: 0o600 });
    write("meta-data", seed.metaData);
    write("user-data", seed.userData);
    if (seed.networkConfig !== undefined) write("network-config", seed.networkConfig);
    const image = `${folder}.iso`;
    // The name of the volume is how cloud-init finds it; Joliet and Rock Ridge keep the names of the files.
    await run([...maker, "-quiet", "-output", image, "-volid", "cidata", "-joliet", "-rock", folder], {
      ...(signal === undefined ? {} : { signal }),
    });
    chmodSync(image, 0o600);
    renameSync(image, file);
  } catch (cause) {
    rmSync(`${folder}.iso`, { force: true });
    throw new YardError(
      "vm.seed-failed",
      `the seed ${file} cannot be made: ${cause instanceof Error ? cause.message : cause}`,
      {
        cause,
      },
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
