import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { requires } from "@switchyard/testing";
import axe from "axe-core";
import { OFFICE, openStage, type Stage } from "./stage.ts";

setDefaultTimeout(60_000);

const able = requires("root", "openvswitch", "iproute2", "chromium");

for (const dark of [false, true])
  describe.skipIf(!able)(`the page ${dark ? "in the dark" : "by day"}`, () => {
    let stage: Stage;
    beforeAll(async () => {
      stage = await openStage(OFFICE, { dark });
    });
    afterAll(async () => stage?.[Symbol.asyncDispose]());

    test("can be read by everybody: the picture and the list", async () => {
      const { page } = stage;
      await page.getByRole("button", { name: "List" }).click();
      await page.getByRole("complementary", { name: "List of the yard" }).waitFor();
      expect(await offences(stage)).toEqual([]);
    });

    test("can be read by everybody: a menu and dialogs", async () => {
      const { page } = stage;
      await page.getByRole("complementary").getByRole("button", { name: "web", exact: true }).click();
      await page.getByRole("menu").waitFor();
      expect(await offences(stage)).toEqual([]);
      await page.getByRole("menuitem", { name: "Remove…" }).click();
      await page.getByLabel("What would be done").waitFor();
      expect(await offences(stage)).toEqual([]);
      await page.getByRole("button", { name: "Cancel" }).click();
      await page.getByRole("button", { name: "+ Node" }).click();
      expect(await offences(stage)).toEqual([]);
      await page.getByRole("button", { name: "Cancel" }).click();
    });

    test("can be read by everybody: packets, a bridge, a terminal, the lab file", async () => {
      const { page, yard } = stage;
      await page.locator('[data-network="desk"]').dblclick();
      await page.locator("[data-bridge] tr", { hasText: "NORMAL" }).waitFor();
      expect(await offences(stage)).toEqual([]);
      await page.locator('[data-node="web"] .node-name').dblclick();
      await page.locator('[data-terminal="web"] .xterm-rows', { hasText: "web:" }).waitFor();
      expect(await offences(stage)).toEqual([]);
      await page.locator('[data-nic="pc:eth0"]').dblclick();
      await page.locator('[data-capture="pc:eth0"][data-phase="listening"]').waitFor();
      await yard("exec", "pc", "--", "ping", "-c", "1", "web");
      await page.locator('tr[data-protocol="ICMP"]').first().click();
      await page.getByRole("button", { name: "Lab file" }).click();
      await page.getByRole("textbox", { name: "Lab file" }).waitFor();
      expect(await offences(stage)).toEqual([]);
    });
  });

/** What axe finds to be serious or worse. */
async function offences({ page }: Stage): Promise<string[]> {
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(axe.source);
  const found: unknown = await page.evaluate(async () => {
    const { axe } = window as unknown as { axe: { run: (options: object) => Promise<{ violations: unknown[] }> } };
    return (await axe.run({ resultTypes: ["violations"] })).violations;
  });
  const violations = found as { id: string; impact: string; nodes: { html: string; failureSummary: string }[] }[];
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}: ${nodes[0]?.html.slice(0, 200)} ${nodes[0]?.failureSummary}`);
}
