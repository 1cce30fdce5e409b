import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { requires } from "@switchyard/testing";
import { handsOf } from "./hands.ts";
import { drag, OFFICE, openStage, type Stage } from "./stage.ts";

setDefaultTimeout(60_000);

describe.skipIf(!requires("root", "openvswitch", "iproute2", "ping", "chromium"))(
  "a yard that is changed by hand",
  () => {
    let stage: Stage;
    beforeAll(async () => {
      stage = await openStage(OFFICE);
    });
    afterAll(async () => stage?.[Symbol.asyncDispose]());

    const { file, plan, menu, make, add, undo } = handsOf(() => stage);

    test("a nic that is dragged to a network is plugged into it, after its plan was seen", async () => {
      const { page, yard } = stage;
      await drag(page, '[data-nic="vault:eth0"]', '[data-network="desk"]');
      await page.getByRole("heading", { name: "Plug vault:eth0 into desk" }).waitFor();
      await plan().getByText("vault").first().waitFor();
      expect(file()).toBe(OFFICE);
      await make("Plug vault:eth0 into desk");
      expect(file()).toBe(
        OFFICE.replace("vault: { kind: netns, nics: [cellar] }", "vault: { kind: netns, nics: [ desk ] }"),
      );
      await yard("exec", "vault", "--", "ping", "-c", "1", "-W", "2", "web");
    });

    test("undo is a click", async () => {
      const { page } = stage;
      await undo("Plug vault:eth0 into desk");
      expect(file()).toBe(OFFICE);
      await page.locator('[data-nic="vault:eth0"][data-on="cellar"]').waitFor();
      expect(await page.getByRole("button", { name: "Undo" }).isDisabled()).toBe(true);
    });

    test("redo is a click, and what is in no lab is undone, too", async () => {
      const { page, yard } = stage;
      await page.getByRole("button", { name: "Redo: Plug vault:eth0 into desk" }).click();
      await page.locator('[data-nic="vault:eth0"][data-on="desk"]').waitFor();
      await undo("Plug vault:eth0 into desk");
      expect(file()).toBe(OFFICE);
      await yard("add", "netns", "alone", "-n", "cellar");
      await menu('[data-node="alone"] .node-name', "Remove…");
      await plan().getByText("alone").first().waitFor();
      await make("Remove alone");
      await page.locator('[data-node="alone"]').waitFor({ state: "detached" });
      await undo("Remove alone");
      await page.locator('[data-node="alone"][data-state="running"]').waitFor();
      await yard("rm", "alone");
      await page.locator('[data-node="alone"]').waitFor({ state: "detached" });
    });

    test("what was changed is undone after the page has been opened anew", async () => {
      const { page } = stage;
      await menu('[data-nic="pc:eth0"]', "Spy on it…");
      await make("Spy on pc:eth0");
      await page.reload();
      await page.getByRole("button", { name: "Undo: change lab office" }).click();
      await page.locator('[data-nic="pc:eth0"][data-spied="false"]').waitFor();
      expect(file()).toBe(OFFICE);
    });

    test("a node and a network are added by forms, and removed by their menus", async () => {
      const { page, yard } = stage;
      await add("+ Network", { Name: "lab", Subnet: "10.61.3.0/24" });
      await make("Add the network lab");
      await page.locator('[data-network="lab"][data-state="up"]').waitFor();
      await add("+ Node", { Name: "probe", Network: "lab" });
      await plan().getByText("probe").first().waitFor();
      await make("Add the node probe");
      await page.locator('[data-node="probe"][data-state="running"]').waitFor();
      expect(await yard("exec", "probe", "--", "ip", "-br", "addr", "show", "eth0")).toContain("10.61.3.1/24");
      await menu('[data-node="probe"] .node-name', "Remove…");
      await plan().waitFor();
      await make("Remove probe");
      await page.locator('[data-node="probe"]').waitFor({ state: "detached" });
      await menu('[data-network="lab"]', "Remove…");
      await make("Remove the network lab");
      await page.locator('[data-network="lab"]').waitFor({ state: "detached" });
      expect(file()).toBe(OFFICE);
    });

    test("a nic is spied on, as the lab file then says", async () => {
      const { page } = stage;
      await menu('[data-nic="web:eth0"]', "Spy on it…");
      await make("Spy on web:eth0");
      await page.locator('[data-nic="web:eth0"][data-spied="true"]').waitFor();
      expect(file()).toContain("spy: true");
      await undo("Spy on web:eth0");
      await page.locator('[data-nic="web:eth0"][data-spied="false"]').waitFor();
    });

    test("sliders show their plan and impair a wire while they move, and a broken wire is seen", async () => {
      const { page, yard } = stage;
      await menu('[data-nic="left:wire0"]', "Impair…");
      const loss = page.getByRole("slider", { name: "Loss" }).first();
      await loss.focus();
      await page.keyboard.press("End");
      await plan().getByText("link left:wire0--right:wire0").first().waitFor();
      await page.locator(".lines .wire.impaired").waitFor({ state: "attached" });
      expect(await yard("exec", "left", "--", "ping", "-c", "1", "-W", "1", "10.61.9.2").catch(String)).toContain(
        "100% packet loss",
      );
      await page.getByRole("button", { name: "Keep it so" }).click();
      await page.getByText("Impair left:wire0--right:wire0: done").waitFor();
      expect(file()).toContain("impair: { forward: { loss: 100% } }");
      await undo("Impair left:wire0--right:wire0");
      await page.locator(".lines .wire:not(.impaired)").waitFor({ state: "attached" });
      // The kernel takes the neighbour for lost a moment longer.
      await yard("exec", "left", "--", "ping", "-c", "8", "-i", "0.5", "10.61.9.2");
      expect(file()).toBe(OFFICE);
    });

    test("sliders that shall not be felt show their plan alone, and what was felt is taken back by Cancel", async () => {
      const { page } = stage;
      await menu('[data-nic="pc:eth0"]', "Impair…");
      await page.getByRole("checkbox", { name: "Felt while they move" }).uncheck();
      await page.getByRole("slider", { name: "Delay" }).first().focus();
      await page.keyboard.press("End");
      await plan().getByText("nic pc:eth0").first().waitFor();
      expect(await page.locator('[data-nic="pc:eth0"]').getAttribute("data-impaired")).toBe("false");
      await page.getByRole("checkbox", { name: "Felt while they move" }).check();
      await page.getByRole("slider", { name: "Delay" }).first().focus();
      await page.keyboard.press("ArrowLeft");
      await page.locator('[data-nic="pc:eth0"][data-impaired="true"]').waitFor();
      await page.getByRole("button", { name: "Cancel" }).click();
      await page.locator('[data-nic="pc:eth0"][data-impaired="false"]').waitFor();
      expect(file()).toBe(OFFICE);
    });

    test("nics are joined by a wire, which is cut again", async () => {
      const { page, yard } = stage;
      await menu('[data-nic="vault:eth0"]', "Join to another nic by a wire…");
      await page.locator('select[name="to"]').selectOption("left:wire0");
      await page.locator("dialog").getByRole("button", { name: "See the plan" }).click();
      await make("Join vault:eth0 and left:wire0 by a wire");
      expect(await yard("inspect", "left", "--json")).toContain("vault:eth0--left:wire0");
      expect(file()).toContain("{ endpoints: [ vault:eth0, left:wire0 ] }");
      await undo("Join vault:eth0 and left:wire0 by a wire");
      expect(file()).toBe(OFFICE);
    });

    test("a wire is added from the bar, too, and needs two ends", async () => {
      const { page } = stage;
      await page.getByRole("button", { name: "+ Wire" }).click();
      await page.getByRole("combobox", { name: "From" }).selectOption("web:eth0");
      await page.getByRole("combobox", { name: "To" }).selectOption("web:eth0");
      await page.locator("dialog").getByRole("button", { name: "See the plan" }).click();
      await page.getByRole("alert").getByText("a wire has two ends").waitFor();
      await page.getByRole("combobox", { name: "To" }).selectOption("pc:eth0");
      await page.locator("dialog").getByRole("button", { name: "See the plan" }).click();
      await make("Join web:eth0 and pc:eth0 by a wire");
      await page.locator('.lines [data-link="web:eth0--pc:eth0"]').waitFor({ state: "attached" });
      await undo("Join web:eth0 and pc:eth0 by a wire");
      expect(file()).toBe(OFFICE);
    });

    test("a change that cannot be had says why, and nothing is changed", async () => {
      const { page } = stage;
      await page.getByRole("button", { name: "+ Node" }).click();
      await page.locator('input[name="name"]').fill("web");
      await page.locator("dialog").getByRole("button", { name: "See the plan" }).click();
      await page.getByRole("alert").getByText("the file declares a node web already").waitFor();
      expect(await page.getByRole("button", { name: "Make it so" }).isDisabled()).toBe(true);
      await page.getByRole("button", { name: "Cancel" }).click();
      expect(file()).toBe(OFFICE);
    });

    test("is shown with nothing to complain of", () => {
      expect(stage.complaints).toEqual([]);
    });
  },
);
