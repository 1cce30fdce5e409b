import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { requires } from "@switchyard/testing";
import { drag, middle, OFFICE, openStage, type Stage } from "./stage.ts";

setDefaultTimeout(60_000);

describe.skipIf(!requires("root", "openvswitch", "iproute2", "chromium"))("the picture of a yard", () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await openStage(OFFICE);
  });
  afterAll(async () => stage?.[Symbol.asyncDispose]());

  test("shows every node, network, nic and wire", async () => {
    const { page } = stage;
    expect(await page.locator("[data-node]").count()).toBe(5);
    expect((await page.locator("[data-network]").allInnerTexts()).toSorted()).toEqual([
      "cellar\nlan · 10.61.2.0/24",
      "desk\nlan · 10.61.1.0/24",
    ]);
    expect(await page.locator("[data-nic]").count()).toBe(5);
    const lines = page.locator(".lines .attachment");
    expect(await lines.evaluateAll((paths) => paths.map((path) => path.getAttribute("data-lines")))).toEqual([
      "2",
      "1",
    ]);
    expect(await page.locator(".lines .wire").count()).toBe(1);
    await page.locator('[data-nic="web:eth0"][data-state="up"][data-spied="false"]').waitFor();
    await page.getByText("5 nodes, all as declared").waitFor();
  });

  test("shows what a command changes, as it happens", async () => {
    const { page, yard } = stage;
    await yard("add", "netns", "late", "-n", "desk");
    await page.locator('[data-node="late"][data-state="running"]').waitFor();
    await yard("spy", "web:eth0", "on");
    await page.locator('[data-nic="web:eth0"][data-spied="true"]').waitFor();
    await yard("rm", "late");
    await page.locator('[data-node="late"]').waitFor({ state: "detached" });
  });

  test("shows what the agent does at each moment, step by step", async () => {
    const { page, yard } = stage;
    await page.evaluate(() => {
      const said: string[] = [];
      Object.assign(window, { said });
      const look = () => said.push(document.querySelector(".doing")?.textContent ?? "");
      new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true });
    });
    await yard("add", "netns", "brief", "-n", "desk");
    await page.locator('[data-node="brief"][data-state="running"]').waitFor();
    await page.locator('[data-node="brief"][data-at-work="false"]').waitFor();
    await page.locator(".doing").waitFor({ state: "detached" });
    const said = await page.evaluate(() => (window as unknown as { said: string[] }).said);
    const work = said.filter((text) => text.includes("node brief"));
    expect(work.some((text) => /: \d+ steps$/.test(text))).toBe(true);
    expect(work.some((text) => /: \d+ steps in \d+ ms$/.test(text))).toBe(true);
    await yard("rm", "brief");
    await page.locator('[data-node="brief"]').waitFor({ state: "detached" });
  });

  test("shows traffic while it passes", async () => {
    const { page, yard } = stage;
    const ping = yard("exec", "pc", "--", "ping", "-c", "4", "-i", "0.5", "web");
    await page.locator('[data-nic="pc:eth0"][data-traffic="out in"]').waitFor();
    await ping;
    await page.locator('[data-nic="pc:eth0"][data-traffic=""]').waitFor();
  });

  test("says in words what is wrong, where it is", async () => {
    const { page, yard } = stage;
    await yard("up", await lab(stage, `${OFFICE}  - { endpoints: ["left:up0", "right:up0"], mtu: 9000 }\n`));
    await page.getByText("5 nodes, all as declared").waitFor();
    const failing = OFFICE.replace(
      "\nlinks:",
      "  shop: { kind: container, runtime: oci, image: no-such-image }\n\nlinks:",
    );
    await yard("up", await lab(stage, failing)).catch(() => {});
    await page.locator('[data-node="shop"][data-state="failed"] .problem', { hasText: "no-such-image" }).waitFor();
    await yard("up", await lab(stage, OFFICE));
    await page.locator('[data-node="shop"]').waitFor({ state: "detached" });
    expect(await page.locator(".problem").count()).toBe(0);
  });

  test("keeps boxes where they were put", async () => {
    const { page } = stage;
    await drag(page, '[data-node="vault"] .node-name', '[data-network="desk"]');
    const before = await position(stage, "vault");
    await page.reload();
    await page.locator("[data-node]").first().waitFor();
    expect(await position(stage, "vault")).toBe(before);
  });

  test("is served with nothing to complain of", () => {
    expect(stage.complaints).toEqual([]);
  });
});

async function lab({ labFile }: Stage, text: string): Promise<string> {
  await Bun.write(labFile, text);
  return labFile;
}

/** Where a node stands in the picture, however that is moved. */
async function position({ page }: Stage, node: string): Promise<string> {
  await middle(page, `[data-node="${node}"]`);
  const style = await page.locator(`[data-id="node:${node}"]`).getAttribute("style");
  return /translate\([^)]*\)/.exec(style ?? "")?.[0] ?? "";
}
