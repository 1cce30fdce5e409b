import { ensureAgent, stopYard, yardPaths, previewPlan, describe } from "@switchyard/yard/agent";
import { openStore, declareLab, waitApplied, rowsOf } from "@switchyard/yard/store";
import { parseLab } from "@switchyard/yard/model";
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
const [verb, file="/tmp/lead/a.yard.yaml", yard="tlead"] = process.argv.slice(2);
const exe = [process.execPath, "/work/main/packages/cli/src/main.ts"];
const t0 = performance.now(); const lap=(s:string)=>console.log(s, (performance.now()-t0).toFixed(0)+"ms");
if (verb === "down") { console.log(await stopYard(yard)); lap("down"); process.exit(0); }
const { lab } = parseLab(readFileSync(file,"utf8"), { file, environment: process.env });
lap("parsed");
if (verb === "plan") { for (const a of await previewPlan(yard, lab, {executable: exe})) console.log(describe(a)); lap("planned"); process.exit(0);}
await using agent = await ensureAgent(yard, { executable: exe });
lap("agent");
await using store = await openStore({ remote: `unix:${yardPaths(yard).databaseSocket}` });
lap("store");
const d = await declareLab(store, lab, { yard, host: hostname() });
lap("declared"); console.log(d);
console.log(await waitApplied(store, d.cfg));
lap("applied");
if (process.argv[5]) console.log(JSON.stringify(rowsOf(store.db), null, 1));
process.exit(0);
