import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { statSync } from "node:fs";
import { createInterface } from "node:readline";
import { type Browser, chromium, type Page } from "playwright-core";
import { type Figure, median } from "./figure.ts";
import { hostsLab } from "./lab.ts";
import { type BenchYard, benchYard } from "./yard.ts";

const OPENINGS = 5;
const CHANGES = 9;

/** The page of a yard: how soon it is seen, how soon a change is, how it moves with a thousand nodes, and how large it is. */
export async function page(): Promise<Figure[]> {
  await using yard = await benchYard("bench");
  await yard.run("up", await yard.write("page.yard.yaml", hostsLab("page", 200, 10)));
  await using stack = new AsyncDisposableStack();
  const { server, link } = await serve(yard);
  stack.defer(() => ended(server));
  const browser = await chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
  });
  stack.defer(() => browser.close());

  const openings: Opening[] = [];
  for (let n = 0; n < OPENINGS; n++) openings.push(await opened(browser, link));
  const changes = await changesSeen(browser, link, yard);
  await yard.run("up", await yard.write("page.yard.yaml", hostsLab("page", 1_000, 20)));
  const large = await opened(browser, link);
  const frames = await framesOf(browser, link);
  const pack = statSync(new URL("../packages/web/dist/page.pack", import.meta.url)).size;
  const figure = (name: string, unit: string, runs: readonly number[], limit?: number): Figure => ({
    case: "page",
    name,
    unit,
    value: median(runs),
    runs,
    ...(limit === undefined ? {} : { target: { of: "value", at: "most", limit } }),
  });
  return [
    figure(
      "first paint, 200 nodes",
      "s",
      openings.map(({ paint }) => paint),
      1,
    ),
    figure(
      "all of 200 nodes on screen",
      "s",
      openings.map(({ nodes }) => nodes),
    ),
    figure("all of 1000 nodes on screen", "s", [large.nodes]),
    figure("a node on screen after the kernel had it, 200 nodes", "s", changes, 0.2),
    figure("a frame while the picture of 1000 nodes is moved", "s", frames.moved),
    figure("the slowest twentieth of these frames", "s", slowest(frames.moved)),
    figure("a frame while it is zoomed", "s", frames.zoomed),
    figure("a frame while a node of the 1000 is dragged", "s", frames.dragged),
    figure("what is loaded at first, compressed", "MB", [openings[0]?.bytes ?? Number.NaN]),
    figure("the whole page in the executable, compressed", "MB", [pack / 1e6]),
  ];
}

interface Opening {
  /** Seconds from the request on. */
  readonly paint: number;
  readonly nodes: number;
  /** MB. */
  readonly bytes: number;
}

/** Opens the page in a browser that has not seen it before. */
async function opened(browser: Browser, link: string): Promise<Opening> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  try {
    const tab = await context.newPage();
    await tab.addInitScript(`
      window.seen = new Promise((resolve) => {
        const look = () => {
          if (document.querySelector("[data-node]")) requestAnimationFrame(() => resolve(performance.now()));
          else requestAnimationFrame(look);
        };
        requestAnimationFrame(look);
      });
      window.painted = new Promise((resolve) => {
        new PerformanceObserver((list) => {
          for (const { name, startTime } of list.getEntries()) if (name === "first-contentful-paint") resolve(startTime);
        }).observe({ type: "paint", buffered: true });
      });
    `);
    await tab.goto(link);
    const [paint, nodes, bytes] = await numbers(
      tab,
      `Promise.all([window.painted, window.seen]).then(([painted, seen]) => [
        painted,
        seen,
        performance.getEntriesByType("resource").filter(({ name }) => !name.includes("/api/")).reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0),
      ])`,
    );
    return {
      paint: (paint ?? Number.NaN) / 1000,
      nodes: (nodes ?? Number.NaN) / 1000,
      bytes: (bytes ?? Number.NaN) / 1e6,
    };
  } finally {
    await context.close();
  }
}

/** Seconds from a node's last change in the kernel to its being drawn as running. */
async function changesSeen(browser: Browser, link: string, yard: BenchYard): Promise<number[]> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const monitor = spawn("ip", ["netns", "exec", `yard_${yard.name}`, "ip", "monitor", "link"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  try {
    let kernel = 0;
    monitor.stdout.on("data", (told: Buffer) => {
      if (told.includes("_k_")) kernel = Date.now();
    });
    const tab = await context.newPage();
    await tab.goto(link);
    await tab.locator("[data-node]").first().waitFor();
    const seconds: number[] = [];
    for (let n = 0; n < CHANGES; n++) {
      await tab.evaluate(`
        window.drawn = new Promise((resolve) => {
          const look = () => {
            if (document.querySelector('[data-node="late${n}"][data-state="running"]')) resolve(Date.now());
            else requestAnimationFrame(look);
          };
          look();
        });
        undefined;
      `);
      await yard.run("add", "netns", `late${n}`, "-n", "lan1");
      const [drawn] = await numbers(tab, "window.drawn.then((at) => [at])");
      seconds.push(((drawn ?? Number.NaN) - kernel) / 1000);
    }
    return seconds;
  } finally {
    await ended(monitor);
    await context.close();
  }
}

/** Seconds of each frame while the picture is dragged about, zoomed into and out of, and while one of its nodes is dragged. */
async function framesOf(browser: Browser, link: string) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  try {
    const tab = await context.newPage();
    await tab.goto(link);
    await tab.locator("[data-node]").first().waitFor();
    const during = async (work: () => Promise<void>) => {
      await tab.evaluate(`
        window.frames_ = [];
        window.last_ = performance.now();
        const step = (now) => { window.frames_.push(now - window.last_); window.last_ = now; window.next_ = requestAnimationFrame(step); };
        window.next_ = requestAnimationFrame(step);
        undefined;
      `);
      await work();
      const seconds = await numbers(tab, "(cancelAnimationFrame(window.next_), window.frames_)");
      return seconds.slice(1).map((milliseconds) => milliseconds / 1000);
    };
    const drag = async (x: number, y: number) => {
      await tab.mouse.move(x, y);
      await tab.mouse.down();
      for (let n = 0; n < 60; n++) await tab.mouse.move(x + n * 4, y + (n % 20) * 5);
      await tab.mouse.up();
    };
    const moved = await during(() => drag(20, 400));
    const zoomed = await during(async () => {
      await tab.mouse.move(640, 400);
      for (let n = 0; n < 20; n++) await tab.mouse.wheel(0, n < 10 ? -120 : 120);
    });
    const box = await tab.locator("[data-node]").nth(500).boundingBox();
    const dragged = await during(() =>
      drag((box?.x ?? 0) + (box?.width ?? 0) / 2, (box?.y ?? 0) + (box?.height ?? 0) / 2),
    );
    return { moved, zoomed, dragged };
  } finally {
    await context.close();
  }
}

function slowest(runs: readonly number[]): number[] {
  return runs.toSorted((a, b) => b - a).slice(0, Math.ceil(runs.length / 20));
}

async function numbers(tab: Page, expression: string): Promise<number[]> {
  const told: unknown = await tab.evaluate(expression);
  return Array.isArray(told) ? told.map(Number) : [];
}

async function serve(yard: BenchYard): Promise<{ readonly server: ChildProcess; readonly link: string }> {
  const [program = "", ...argv] = yard.argv("serve", "--http", "127.0.0.1:0");
  const server = spawn(program, argv, { env: { ...yard.env }, stdio: ["ignore", "pipe", "inherit"] });
  for await (const line of createInterface({ input: server.stdout }))
    if (line.startsWith("http")) return { server, link: line };
  throw new Error("the server has printed no link");
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = once(child, "close");
  child.kill("SIGTERM");
  await closed;
}
