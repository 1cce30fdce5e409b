import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { run } from "@switchyard/base";
import { requires } from "@switchyard/testing";
import { bootId, canMakeNamespace, hugepages, kernelRelease, knowsLinkKind, namespaceId } from "../src/mod.ts";

describe.skipIf(!requires("root"))("what the kernel can do", () => {
  test("is found by trying, which leaves us at home", () => {
    const home = namespaceId("self");
    expect(canMakeNamespace()).toBe(true);
    expect(knowsLinkKind("veth")).toBe(true);
    expect(knowsLinkKind("nosuchkind")).toBe(false);
    expect(namespaceId("self")).toBe(home);
  });

  test("is named as other tools name it", async () => {
    expect(kernelRelease()).toBe((await run(["uname", "-r"])).trim());
    expect(bootId()).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    const size = /^Hugepagesize:\s+(\d+) kB$/m.exec(readFileSync("/proc/meminfo", "utf8"))?.[1];
    if (size !== undefined) expect(hugepages().map((pages) => pages.size)).toContain(Number(size));
  });
});
