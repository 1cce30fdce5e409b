import { expect, test } from "bun:test";
import { requires } from "@switchyard/testing";
import { createNamespaces, deleteNamespaces, MountWatch } from "../src/mod.ts";

/** Others may mount something at any time: it must come to rest once. */
function comesToRest(watch: MountWatch): boolean {
  return Array.from({ length: 1000 }).some(() => !watch.changed());
}

test.skipIf(!requires("root"))(
  "a watch of mounts tells once of each time that something is mounted or unmounted",
  () => {
    using watch = new MountWatch();
    const name = `tlinux_mounts_${process.pid}`;
    expect(comesToRest(watch)).toBe(true);
    try {
      createNamespaces([name]);
      expect(watch.changed()).toBe(true);
      expect(comesToRest(watch)).toBe(true);
    } finally {
      deleteNamespaces([name]);
    }
    expect(watch.changed()).toBe(true);
    expect(comesToRest(watch)).toBe(true);
  },
);
