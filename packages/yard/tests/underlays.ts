import { run } from "@switchyard/base";
import type { LiveYard } from "./live.ts";

/**
 * Joins the bridges `underlay` of two yards, by which their switches reach each other.
 *
 * @returns the link between them in the namespace of the first
 */
export async function joinUnderlays(a: LiveYard, b: LiveYard): Promise<string> {
  const [near, far] = [`tc${process.pid}`, `td${process.pid}`];
  const [inA, inB] = [a.paths.namespace, b.paths.namespace];
  await run(["ip", "-n", inA, "link", "add", near, "up", "type", "veth", "peer", "name", far, "netns", inB]);
  for (const [{ paths }, port, address] of [
    [a, near, "10.98.0.1/24"],
    [b, far, "10.98.0.2/24"],
  ] as const) {
    const { namespace } = paths;
    await run(["ip", "-n", namespace, "link", "set", port, "up"]);
    await run(["ovs-vsctl", "--timeout=10", `--db=unix:${paths.databaseSocket}`, "add-port", "_b_underlay", port]);
    await run(["ip", "-n", namespace, "address", "add", address, "dev", "_b_underlay"]);
    await run(["ip", "-n", namespace, "link", "set", "_b_underlay", "up"]);
  }
  return near;
}
