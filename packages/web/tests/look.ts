import { afterAll, beforeAll, describe, test } from "bun:test";
import { requires } from "@switchyard/testing";
import axe from "axe-core";
import { handsOf } from "./hands.ts";
import { OFFICE, openStage, type Stage } from "./stage.ts";

/** With something that has failed. */
const LAB = OFFICE.replace("\nlinks:", "  bad: { kind: container, runtime: oci, image: no-such-image }\n\nlinks:");

const able = requires("root", "openvswitch", "iproute2", "chromium");

/** How the page looks to axe, in all that it can show. */
export function looks(dark: boolean): void {
  describe.skipIf(!able)(`the page ${dark ? "in the dark" : "by day"}`, () => {
    let stage: Stage;
    beforeAll(async () => {
      stage = await openStage(LAB, { dark, mayFail: true });
    });
    afterAll(async () => stage?.[Symbol.asyncDispose]());

    /** Looks at what is open, and what axe says of it. */
    const isFine = async (what: string) => {
      const found = await offences(stage);
      if (found.length > 0) throw new Error(`${what}: ${found.join("\n")}`);
    };
    const { plan, menu } = handsOf(() => stage);
    const cancel = () => stage.page.getByRole("button", { name: "Cancel" }).click();

    test("can be read by everybody: the picture, with what has failed, and the list", async () => {
      const { page } = stage;
      await page.locator('[data-node="bad"] .problem').waitFor();
      await isFine("the picture");
      await page.getByRole("button", { name: "List" }).click();
      await page.getByRole("complementary", { name: "List of the yard" }).waitFor();
      await isFine("the list");
    });

    test("can be read by everybody: every menu", async () => {
      const { page } = stage;
      for (const thing of ['[data-node="web"] .node-name', '[data-nic="web:eth0"]', '[data-network="desk"]']) {
        await page.locator(thing).click({ button: "right" });
        await page.getByRole("menu").waitFor();
        await isFine(`the menu of ${thing}`);
        await page.keyboard.press("Escape");
      }
    });

    test("can be read by everybody: every form", async () => {
      const { page } = stage;
      for (const button of ["+ Node", "+ Network", "+ Wire", "+ Lab"]) {
        await page.getByRole("button", { name: button }).click();
        await isFine(button);
        if (!dark && (button === "+ Node" || button === "+ Network")) {
          await page.getByText("More, as the lab file writes it").click();
          const choice = page.locator("dialog select").first();
          for (const { value } of await choice.evaluate((it) =>
            [...(it as HTMLSelectElement).options].map(({ value }) => ({ value })),
          )) {
            await choice.selectOption(value);
            await isFine(`${button} ${value}`);
          }
        }
        await cancel();
      }
      for (const entry of ["Plug into a network…", "Join to another nic by a wire…"]) {
        await menu('[data-nic="web:eth0"]', entry);
        await isFine(entry);
        await cancel();
      }
    });

    test("can be read by everybody: a plan, sliders, and the way of a packet", async () => {
      const { page } = stage;
      await menu('[data-node="web"] .node-name', "Remove…");
      await plan().waitFor();
      await isFine("a plan");
      await cancel();
      await menu('[data-nic="web:eth0"]', "Impair…");
      await page.getByRole("slider", { name: "Delay" }).first().press("End");
      await plan().waitFor();
      await isFine("sliders");
      await cancel();
      await menu('[data-nic="web:eth0"]', "Trace a packet from it…");
      await page.locator('select[name="to"]').selectOption("pc:eth0");
      await page.getByRole("button", { name: "Trace", exact: true }).click();
      await page.getByLabel("Way of the packet").waitFor();
      await isFine("the way of a packet");
      await page.getByRole("button", { name: "Close" }).click();
    });

    test("can be read by everybody: a bridge, a terminal, rates, packets, the lab file", async () => {
      const { page, yard } = stage;
      await page.locator('[data-network="desk"]').dblclick();
      await page.locator("[data-bridge] tr", { hasText: "NORMAL" }).waitFor();
      await isFine("a bridge");
      await page.locator('[data-node="web"] .node-name').dblclick();
      await page.locator('[data-terminal="web"] .xterm-rows', { hasText: "web:" }).waitFor();
      await isFine("a terminal");
      await menu('[data-nic="pc:eth0"]', "Rates over time");
      await page.locator('[data-rates="pc:eth0"] canvas').waitFor();
      await isFine("rates");
      await page.locator('[data-nic="pc:eth0"]').dblclick();
      await page.locator('[data-capture="pc:eth0"][data-phase="listening"]').waitFor();
      await yard("exec", "pc", "--", "ping", "-c", "1", "web");
      await page.locator('tr[data-protocol="ICMP"]').first().click();
      await isFine("packets");
      await page.getByRole("button", { name: "Lab file" }).click();
      await page.getByRole("textbox", { name: "Lab file" }).click();
      await page.keyboard.press("Control+End");
      await page.keyboard.type("net");
      await page.locator(".cm-tooltip-autocomplete").waitFor();
      await isFine("the editor's suggestions");
      await page.keyboard.press("Escape");
      await page.locator(".cm-lint-marker-error").waitFor();
      await isFine("the lab file with an error");
    });
  });
}

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
