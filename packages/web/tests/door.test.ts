import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createServer } from "node:http";
import { requires } from "@switchyard/testing";
import { OFFICE, openStage, type Stage } from "./stage.ts";

setDefaultTimeout(60_000);

const able = requires("root", "openvswitch", "iproute2", "chromium");

describe.skipIf(!able)("who may use the page, and how", () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await openStage(OFFICE);
  });
  afterAll(async () => stage?.[Symbol.asyncDispose]());

  test("a page of a stranger's in the same browser gets nothing", async () => {
    const { browser, link } = stage;
    const [context] = browser.contexts();
    const strangers = await context?.newPage();
    const { origin } = new URL(link);
    const server = createServer((_, response) => response.setHeader("content-type", "text/html").end("<p>hello"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" ? address?.port : undefined;
    await strangers?.goto(`http://127.0.0.1:${port}/`);
    const seen = await strangers?.evaluate(async (yard) => {
      const said = (promise: Promise<Response>) =>
        promise.then(async (it) => `${it.status} ${await it.text()}`, String);
      const socket = await new Promise((resolve) => {
        const tried = new WebSocket(`${yard.replace("http", "ws")}/api/v1/nodes/web/shell`);
        tried.onopen = () => resolve("open");
        tried.onerror = () => resolve("refused");
      });
      const read = await said(fetch(`${yard}/api/v1/yard`, { credentials: "include" }));
      const simple = { method: "POST", mode: "no-cors", credentials: "include", body: "{}" } as const;
      const posted = await said(fetch(`${yard}/api/v1/nodes`, simple));
      return { socket, read, posted };
    }, origin);
    server.close();
    await strangers?.close();
    expect(seen?.socket).toBe("refused");
    expect(seen?.read).toMatch(/^TypeError/);
    // What answers a request without CORS is hidden from the page; that nothing was done is seen in the yard.
    expect(seen?.posted).not.toContain("web");
    expect(await stage.yard("ps", "-q")).toBe("web\npc\nvault\nleft\nright\n");
  });

  test("the page runs no script but its own", async () => {
    const { page, complaints } = stage;
    const ran = await page.evaluate(() => {
      const script = document.createElement("script");
      script.textContent = "window.intruded = true";
      document.body.append(script);
      return "intruded" in window;
    });
    expect(ran).toBe(false);
    expect(complaints.filter((text) => text.includes("Content Security Policy")).length).toBe(1);
  });

  test("the page takes no style but its own", async () => {
    const { page, link } = stage;
    await page.locator('[data-node="web"] .node-name').dblclick();
    await page.locator('[data-terminal="web"] .xterm-rows', { hasText: "web:" }).waitFor();
    await page.getByRole("button", { name: "Lab file" }).click();
    await page.getByRole("textbox", { name: "Lab file" }).waitFor();
    // Those of the terminal and the editor count; a stranger's does not.
    const isTaken = await page.evaluate(() => {
      const stranger = document.createElement("style");
      stranger.textContent = ".bar { display: none }";
      document.head.append(stranger);
      return [...document.querySelectorAll("style")].map((style) => [style === stranger, style.sheet !== null]);
    });
    expect(isTaken.length).toBeGreaterThan(3);
    expect(isTaken.filter(([isStranger, isSo]) => isStranger === isSo)).toEqual([]);
    const { origin, searchParams } = new URL(link);
    const headers = { authorization: `Bearer ${searchParams.get("token")}` };
    const answers = await Promise.all([1, 2].map(() => fetch(`${origin}/`, { headers })));
    expect(new Set(answers.map((answer) => answer.headers.get("content-security-policy"))).size).toBe(2);
  });

  test("who may only look is offered nothing else", async () => {
    const { browser, lookingLink } = stage;
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
    const page = await context.newPage();
    await page.goto(lookingLink);
    await page.getByText("looking only").waitFor();
    expect(await page.getByRole("button", { name: "+ Node" }).count()).toBe(0);
    await page.locator('[data-nic="web:eth0"]').click({ button: "right" });
    expect(await page.getByRole("menuitem").allTextContents()).toEqual(["Rates over time", "Trace a packet from it…"]);
    await context.close();
  });

  test("a wrong token and a wrong Host header get nothing", async () => {
    const { origin } = new URL(stage.link);
    const asked = async (headers: Record<string, string>, path = "/api/v1/yard") =>
      (await fetch(`${origin}${path}`, { headers })).status;
    expect(await asked({ authorization: "Bearer wrong-wrong-wrong-wrong" })).toBe(401);
    expect(await asked({}, "/")).toBe(401);
    expect(await asked({ host: "evil.example" })).toBe(421);
    const token = new URL(stage.link).searchParams.get("token") ?? "";
    expect(await asked({ authorization: `Bearer ${token}`, host: "evil.example" })).toBe(421);
    expect(await asked({ authorization: `Bearer ${token}` })).toBe(200);
  });

  test("a page whose server is started anew says where to go", async () => {
    await stage.serveAnew();
    await stage.page.getByText("the server was started anew: open the link that it has printed").waitFor();
  });
});
