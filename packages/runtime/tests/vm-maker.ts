/** Makes and starts a virtual machine, and waits to be killed: `vm-maker.ts <folder> <config as JSON>`. */
import { createLogger } from "@switchyard/base/log";
import { openVmEngine } from "../src/mod.ts";

const [folder = "", config = "{}"] = process.argv.slice(2);
const engine = await openVmEngine({
  stateDir: `${folder}/state`,
  runDir: `${folder}/run`,
  log: createLogger("test", "silent"),
});
const wanted = JSON.parse(config);
process.stdout.write("begin\n");
await engine.create(wanted);
const { pid } = await engine.start(wanted.name);
process.stdout.write(`started ${pid}\n`);
await new Promise(() => setInterval(() => undefined, 60_000));
