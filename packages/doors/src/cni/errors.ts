/** Failures as CNI tells them: a number, words and details (CNI SPEC 1.1.0, section 5, "Error"). */
import { asYardError, YardError } from "@switchyard/base";

/** A plugin that was delegated to said no. Its message is in its words, and its number goes on to the runtime. */
export class DelegateError extends YardError {
  constructor(
    readonly plugin: string,
    readonly number: number,
    message: string,
  ) {
    super("cni.delegate-failed", `the plugin ${plugin} failed: ${message}`);
  }
}

/** The switch that a configuration names is not the one that is open here. */
export class Elsewhere extends Error {}

/** Below 100 as the specification has them; 8 is what the reference implementation says of namespaces. */
const numbers: Readonly<Record<string, number>> = {
  "cni.incompatible-version": 1,
  "cni.unsupported": 2,
  "namespace.missing": 3,
  "cni.bad-environment": 4,
  "link.bad-name": 4,
  "namespace.bad-name": 4,
  "cni.io": 5,
  "linux.call-failed": 5,
  "cni.not-json": 6,
  "cni.bad-config": 7,
  "yard.bad-name": 7,
  "cni.bad-namespace": 8,
  "namespace.not-permitted": 8,
  "cni.switch-away": 11,
  "switch.not-answering": 11,
  "kubernetes.unreachable": 11,
  "kubernetes.busy": 11,
  "cni.switch-limited": 51,
  "cni.no-bridge": 100,
  "switch.port-failed": 101,
  "cni.no-dpdk": 101,
  "cni.link-failed": 102,
  "cni.interface-exists": 103,
  "cni.check-failed": 104,
  "cni.ofport-taken": 105,
  "switch.name-taken": 106,
  "cni.no-plugin": 107,
  "cni.socket-taken": 108,
  "cni.mirror-taken": 109,
  "cni.no-port": 110,
  "cni.no-device": 111,
  "cni.bad-pod": 112,
  "kubernetes.no-config": 113,
  "kubernetes.refused": 113,
  "kubernetes.not-found": 113,
  "kubernetes.failed": 113,
};

const NOT_AVAILABLE = 50;
const INTERNAL = 999;

/** The object that goes to standard output. */
export function errorReport(thrown: unknown, version: string, command: string | undefined): string {
  const error = asYardError(thrown);
  const details = [error.hint, `[${error.code}]`].filter((text) => text !== undefined).join(" ");
  return JSON.stringify({ cniVersion: version, code: numberOf(error, command), msg: error.message, details });
}

function numberOf(error: YardError, command: string | undefined): number {
  if (error instanceof DelegateError) return error.number;
  // What can be tried again later by ADD is what STATUS is asked for.
  if (command === "STATUS" && (error.code === "cni.switch-away" || error.code === "cni.no-bridge"))
    return NOT_AVAILABLE;
  return numbers[error.code] ?? INTERNAL;
}
