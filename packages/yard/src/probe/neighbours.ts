import { readFileSync, writeFileSync } from "node:fs";

/** How many neighbours the kernel keeps, in all namespaces together (arp(7)); up to the first nothing is collected. */
const thresholds = ["gc_thresh1", "gc_thresh2", "gc_thresh3"].flatMap((name) =>
  ["ipv4", "ipv6"].map((family) => `/proc/sys/net/${family}/neigh/default/${name}`),
);

/**
 * Lets the kernel keep at least `count` neighbours until disposed. The table is one for the whole host and has room for
 * 1,024 by default: fifty nodes that all ping each other need 2,450, and every one too many is a packet dropped.
 */
export function roomForNeighbours(count: number): Disposable {
  const raised = thresholds.flatMap((file) => {
    const before = Number(read(file));
    return before >= count || !write(file, count) ? [] : [{ file, before }];
  });
  return {
    [Symbol.dispose]() {
      for (const { file, before } of raised) write(file, before);
    },
  };
}

/** How many neighbours all namespaces of the host may have together; undefined where that cannot be read. */
export function neighbourLimit(): number | undefined {
  const text = read("/proc/sys/net/ipv4/neigh/default/gc_thresh3");
  return text === "" ? undefined : Number(text);
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    return "";
  }
}

/** A container's /proc/sys is read-only: then there is just the room that there is. */
function write(file: string, value: number): boolean {
  try {
    writeFileSync(file, String(value));
    return true;
  } catch {
    return false;
  }
}
