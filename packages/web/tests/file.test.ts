import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { requires } from "@switchyard/testing";
import { handsOf } from "./hands.ts";
import { OFFICE, openStage, type Stage } from "./stage.ts";

setDefaultTimeout(60_000);

describe.skipIf(!requires("root", "openvswitch", "iproute2", "chromium"))("the lab file beside the picture", () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await openStage(OFFICE);
  });
  afterAll(async () => stage?.[Symbol.asyncDispose]());

  const { file, plan, menu, make, undo } = handsOf(() => stage);
  const editor = () => stage.page.getByRole("textbox", { name: "Lab file" });
  /** Writes a line behind one that is there. */
  const writeAfter = async (line: string, text: string) => {
    const { page } = stage;
    await editor().getByText(line).click();
    await page.keyboard.press("End");
    await page.keyboard.press("Enter");
    await page.keyboard.type(text);
  };

  test("the lab file and the picture change each other, comments kept", async () => {
    const { page } = stage;
    await page.getByRole("button", { name: "Lab file" }).click();
    await writeAfter("# Where the page is served.", "new: { kind: netns, nics: [cellar] } # by hand");
    await page.getByRole("button", { name: "See the plan" }).click();
    await plan().getByText("new").first().waitFor();
    await make("Change the lab office");
    await page.locator('[data-node="new"][data-state="running"]').waitFor();
    await menu('[data-node="pc"] .node-name', "Remove…");
    await make("Remove pc");
    await editor().getByText("pc: {").waitFor({ state: "detached" });
    await editor().getByText("# by hand").waitFor();
    await undo("Remove pc");
    await editor().getByText("pc: {").waitFor();
    await undo("Change the lab office");
    expect(file()).toBe(OFFICE);
  });

  test("the editor completes from the schema, and shows errors where they are", async () => {
    const { page } = stage;
    await editor().getByText("# An office.").click();
    await page.keyboard.press("Control+End");
    await page.keyboard.type("net");
    await page.locator(".cm-tooltip-autocomplete").getByText("networks").waitFor();
    await page.keyboard.press("Escape");
    await page.locator(".cm-lint-marker-error").waitFor();
    await page.getByRole("button", { name: "Put back" }).click();
    await page.locator(".cm-lint-marker-error").waitFor({ state: "detached" });
  });

  test("a lab is exported as it was written", async () => {
    const { page } = stage;
    const saving = page.waitForEvent("download");
    await page.getByRole("link", { name: "Export" }).click();
    const download = await saving;
    expect(download.suggestedFilename()).toBe("office.yard.yaml");
    expect(readFileSync(await download.path(), "utf8")).toBe(OFFICE);
  });

  test("a lab is imported from a file", async () => {
    const { page } = stage;
    await page.getByRole("button", { name: "+ Lab" }).click();
    const text = "name: annex # imported\nnodes:\n  shed: { kind: netns }\n";
    const annex = { name: "annex.yard.yaml", mimeType: "application/yaml", buffer: Buffer.from(text) };
    await page.locator('input[type="file"]').setInputFiles(annex);
    await page.locator('dialog input[name="name"][value="annex"]').waitFor();
    await page.locator("dialog").getByRole("button", { name: "See the plan" }).click();
    await plan().getByText("shed").first().waitFor();
    await make("Change the lab annex");
    await page.locator('[data-node="shed"][data-state="running"]').waitFor();
    await page.getByRole("textbox", { name: "Lab file" }).getByText("# imported").waitFor();
    await undo("Change the lab annex");
    await page.locator('[data-node="shed"]').waitFor({ state: "detached" });
  });

  test("a change elsewhere is brought into what is being written", async () => {
    const { page } = stage;
    await writeAfter("# Where the page is served.", "new: { kind: netns, nics: [cellar] }");
    await menu('[data-nic="vault:eth0"]', "Spy on it…");
    await make("Spy on vault:eth0");
    await editor().getByText("spy: true").waitFor();
    await editor().getByText("new: { kind: netns").waitFor();
    await page.getByRole("button", { name: "See the plan" }).click();
    await plan().getByText("new").first().waitFor();
    await make("Change the lab office");
    expect(file()).toContain("spy: true");
    await undo("Change the lab office");
    await undo("Spy on vault:eth0");
    expect(file()).toBe(OFFICE);
  });

  test("a change of the same lines elsewhere is told, and one of both is kept", async () => {
    const { page } = stage;
    await editor().getByText("# Where the page is served.").click();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("End");
    await page.keyboard.type(" # mine");
    await menu('[data-nic="web:eth0"]', "Spy on it…");
    await make("Spy on web:eth0");
    const told = page.getByRole("alert").getByText("have been changed elsewhere since you began");
    await told.waitFor();
    expect(await page.getByRole("button", { name: "See the plan" }).isDisabled()).toBe(true);
    await editor().getByText("# mine").waitFor();
    await page.getByRole("button", { name: "Take the file's" }).click();
    await told.waitFor({ state: "detached" });
    await editor().getByText("# mine").waitFor({ state: "detached" });
    await undo("Spy on web:eth0");
    expect(file()).toBe(OFFICE);
  });

  test("is shown with nothing to complain of", () => {
    expect(stage.complaints).toEqual([]);
  });
});
