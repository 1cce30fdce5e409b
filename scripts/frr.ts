/** Makes the root file system of a router out of this host's FRR and busybox: `bun scripts/frr.ts FOLDER`. */
import { makeRouterRoot } from "@switchyard/testing";

const [folder] = process.argv.slice(2);
if (folder === undefined) {
  process.stderr.write("usage: bun scripts/frr.ts FOLDER\n");
  process.exit(2);
}
await makeRouterRoot(folder);
process.stdout.write(`made ${folder}\n`);
