/** Makes and starts a container over and over, to be killed while at it: `half-way.ts <folder> <config as JSON>`. */
import { createLogger } from "@switchyard/base/log";
import { openEngine } from "../src/mod.ts";

const [folder = "", config = "{}"] = process.argv.slice(2);
const engine = await openEngine("oci", {
  stateDir: `${folder}/state`,
  runDir: `${folder}/run`,
  imageDir: `${folder}/images`,
  log: createLogger("test", "silent"),
});
const wanted = JSON.parse(config);
process.stdout.write("begin\n");
await engine.create(wanted);
await engine.start(wanted.name);
process.stdout.write("started\n");
await engine.remove(wanted.name, 0);
process.stdout.write("removed\n");
