#!/usr/bin/env bun
/**
 * The executable's beginning. A CNI plugin runs for each nic of each container, and its start is most of what it takes:
 * nothing of the command line is loaded for it.
 */
import { basename } from "node:path";

void main();

/** No top-level await: the bytecode of the executable could not hold it. */
async function main(): Promise<void> {
  const name = basename(process.argv0);
  switch (name) {
    case "switchyard":
    case "ovs":
    case "userspace":
    case "ovs-mirror-producer":
    case "ovs-mirror-consumer":
      return (await import("./cni/plugin.ts")).runCniPlugin(name);
    default:
      await import("./personalities.ts");
  }
}
