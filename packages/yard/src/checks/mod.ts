/** What must be so once a lab is up, tried: who reaches whom, and how fast. */
export { type IperfOptions, type IperfResult, iperf, parseReport } from "./iperf.ts";
export { type PairResult, pairsOf, pingAll } from "./pingall.ts";
export { addressFor, resolveTarget, sharedAddress } from "./reach.ts";
export { type CheckResult, type LabChecks, runChecks } from "./run.ts";
