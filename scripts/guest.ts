/**
 * Makes a small guest for virtual machines out of Debian's kernel and this host's busybox: `bun scripts/guest.ts FOLDER`
 * leaves `vmlinuz` and `initrd.img` there.
 */
import { copyFileSync, mkdirSync } from "node:fs";
import { ensureGuest } from "@switchyard/testing";

const [folder] = process.argv.slice(2);
if (folder === undefined) {
  process.stderr.write("usage: bun scripts/guest.ts FOLDER\n");
  process.exit(2);
}
const { kernel, initrd } = await ensureGuest();
mkdirSync(folder, { recursive: true });
copyFileSync(kernel, `${folder}/vmlinuz`);
copyFileSync(initrd, `${folder}/initrd.img`);
process.stdout.write(`made ${folder}/vmlinuz and ${folder}/initrd.img\n`);
