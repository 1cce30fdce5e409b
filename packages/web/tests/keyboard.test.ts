import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { requires } from "@switchyard/testing";
import { handsOf } from "./hands.ts";
import { OFFICE, openStage, type Stage } from "./stage.ts";

setDefaultTimeout(60_000);

describe.skipIf(!requires("root", "openvswitch", "iproute2", "chromium"))("with the keyboard alone", () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await openStage(OFFICE);
  });
  afterAll(async () => stage?.[Symbol.asyncDispose]());

  const { file, plan } = handsOf(() => stage);
  const press = async (...keys: readonly string[]) => {
    for (const key of keys) await stage.page.keyboard.press(key);
  };
  const focused = () => stage.page.evaluate(() => document.activeElement?.textContent ?? null);
  /** Goes on by one key until something has the focus. */
  const pressUntil = async (key: string, wanted: string) => {
    for (let n = 0; n < 40; n++) {
      if ((await focused()) === wanted) return;
      await press(key);
    }
    throw new Error(`${key} does not come to ${wanted}, but to ${await focused()}`);
  };
  /** Goes on to a box of the picture. */
  const toBox = async (id: string) => {
    const { page } = stage;
    await page.getByRole("heading", { name: "Switchyard" }).evaluate((heading) => {
      heading.setAttribute("tabindex", "-1");
      if (heading instanceof HTMLElement) heading.focus();
    });
    for (let n = 0; n < 40; n++) {
      await press("Tab");
      if (await page.evaluate((box) => document.activeElement?.getAttribute("data-id") === box, id)) return;
    }
    throw new Error(`${id} cannot be reached`);
  };

  test("a nic is plugged into a network from the picture, and undo takes it back", async () => {
    const { page } = stage;
    await toBox("node:vault");
    await press("m");
    await pressUntil("ArrowDown", "Nic eth0 ▸");
    await press("Enter");
    await pressUntil("ArrowDown", "Plug into a network…");
    await press("Enter");
    await page.getByRole("heading", { name: "Plug vault:eth0 into" }).waitFor();
    await page.keyboard.type("desk");
    await press("Tab", "Tab", "Enter");
    await plan().getByText("vault").first().waitFor();
    await press("Tab", "Tab");
    await pressUntil("Tab", "Make it so");
    await press("Enter");
    await page.locator('[data-nic="vault:eth0"][data-on="desk"]').waitFor();
    await page.locator("dialog").waitFor({ state: "detached" });
    await press("Control+z");
    await page.locator('[data-nic="vault:eth0"][data-on="cellar"]').waitFor();
    expect(file()).toBe(OFFICE);
  });

  test("a box is opened by Enter, moved by arrows, and stays there", async () => {
    const { page } = stage;
    await toBox("network:desk");
    await press("Enter");
    await page.locator("[data-bridge] tr", { hasText: "NORMAL" }).waitFor();
    await toBox("node:pc");
    await press("Space", "ArrowRight", "ArrowDown");
    const style = () => page.locator('[data-id="node:pc"]').getAttribute("style");
    const moved = /translate\([^)]*\)/.exec((await style()) ?? "")?.[0] ?? "";
    await page.reload();
    await page.locator('[data-node="pc"]').waitFor();
    expect(await style()).toContain(moved);
  });

  test("a terminal is opened and left again", async () => {
    const { page } = stage;
    await toBox("node:web");
    await press("Enter");
    const rows = page.locator('[data-terminal="web"] .xterm-rows');
    await rows.locator("div", { hasText: "web:" }).first().waitFor();
    await page.keyboard.type("exit 3\n");
    await rows.getByText("ended with exit code 3").waitFor();
    await rows.getByText("Enter opens it again").waitFor();
    await press("Enter");
    await page.keyboard.type("echo $((40+2)) again\n");
    await rows.getByText("42 again").waitFor();
    await press("Shift+Escape");
    expect(await focused()).toBe("web");
    await press("Delete");
    await page.locator('[data-terminal="web"]').waitFor({ state: "detached" });
  });

  test("things are found in the list, and done from there", async () => {
    const { page } = stage;
    await page.getByRole("button", { name: "List" }).focus();
    await press("Enter");
    await page.keyboard.type("10.61.2.1");
    await page.getByRole("status").getByText("0 networks, 1 nodes").waitFor();
    await press("Tab");
    expect(await focused()).toBe("vault");
    await press("Enter");
    await pressUntil("ArrowDown", "Add a nic…");
    await press("Enter");
    await page.getByRole("heading", { name: "Give vault a nic" }).waitFor();
    await press("Escape");
    await page.getByRole("heading", { name: "Give vault a nic" }).waitFor({ state: "detached" });
    expect(await focused()).toBe("vault");
  });

  test("a screen reader is told what is there, and how it is", async () => {
    const { page } = stage;
    const outline = await page.getByRole("main").ariaSnapshot();
    expect(outline).toContain("node web, running");
    expect(outline).toContain("network desk, up");
    const list = await page.getByRole("complementary", { name: "List of the yard" }).ariaSnapshot();
    expect(list).toMatch(/vault.*\n.*netns, running/);
  });

  test("is shown with nothing to complain of", () => {
    expect(stage.complaints).toEqual([]);
  });
});
