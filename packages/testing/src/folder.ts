import { mkdtemp, rm } from "node:fs/promises";
import { run } from "@switchyard/base";
import { mountsBelow } from "./mounts.ts";

/** A folder that is gone, with whatever is mounted below it, once it is disposed of. */
export interface TemporaryFolder extends AsyncDisposable {
  readonly path: string;
}

/**
 * A new folder `/tmp/<prefix>XXXXXX`. In `/tmp`, and not where TMPDIR says, because the path of a unix socket below it
 * must stay under 108 bytes (unix(7)).
 */
export async function temporaryFolder(prefix: string): Promise<TemporaryFolder> {
  const path = await mkdtemp(`/tmp/${prefix}`);
  return {
    path,
    async [Symbol.asyncDispose]() {
      await unmountBelow(path);
      await rm(path, { recursive: true, force: true });
    },
  };
}

/** Unmounts all that is mounted at or below `folder`, the deepest first. */
async function unmountBelow(folder: string): Promise<void> {
  for (const point of mountsBelow(folder).reverse()) await run(["umount", "--lazy", point]);
}
