import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expectSameMachine, snapshotMachine, temporaryFolder } from "@switchyard/testing";
import { type Browser, chromium, type Page } from "playwright-core";

const EXECUTABLE = new URL("../../../dist/yard", import.meta.url).pathname;
/** A token. */
const LOOKER = "only-to-look-at-it-all";
/** Milliseconds that anything on the page may take, on a machine that does much else. */
const PATIENCE = 15_000;

/** A real yard that is served, with a real browser that looks at its page. */
export interface Stage extends AsyncDisposable {
  readonly page: Page;
  readonly browser: Browser;
  /** The link that `yard serve` has printed. */
  readonly link: string;
  /** One that lets look only. */
  readonly lookingLink: string;
  readonly labFile: string;
  /** Ends the server, and starts another one at the same address. */
  serveAnew(): Promise<void>;
  /** What a command of yard's says, which must succeed. */
  yard(...argv: string[]): Promise<string>;
  /** What the browser has complained of: errors of scripts, refusals by the page's policy. */
  readonly complaints: readonly string[];
}

let count = 0;

export interface StageOptions {
  readonly dark?: boolean;
  /** Of the yard. */
  readonly name?: string;
  /** Whether part of the lab cannot be had, which `up` then says. */
  readonly mayFail?: boolean;
  /** For the yard's commands and its server. */
  readonly env?: Readonly<Record<string, string>>;
}

/** @param lab the text of a lab file, which is up when the page is opened */
export async function openStage(lab: string, options: StageOptions = {}): Promise<Stage> {
  await using stack = new AsyncDisposableStack();
  const name = options.name ?? `tpage${process.pid}-${count++}`;
  const before = await snapshotMachine();
  stack.defer(() => expectSameMachine(before, { ours: new RegExp(name) }));
  const folder = stack.use(await temporaryFolder("tpage-"));
  const env = {
    PATH: process.env.PATH,
    HOME: folder.path,
    LANG: "C.UTF-8",
    SWITCHYARD_RUN_DIR: join(folder.path, "run"),
    SWITCHYARD_STATE_DIR: join(folder.path, "state"),
    ...options.env,
  };
  const start = (argv: readonly string[]) =>
    spawn(EXECUTABLE, ["-y", name, ...argv], { env, cwd: folder.path, stdio: ["ignore", "pipe", "pipe"] });
  const yard = (...argv: string[]) => output(start(argv), argv);
  const labFile = join(folder.path, "lab.yard.yaml");
  writeFileSync(labFile, lab);
  stack.defer(async () => void (await yard("down", "--all")));
  const up = yard("up", labFile);
  await (options.mayFail ? up.catch(() => {}) : up);

  const tokens = join(folder.path, "tokens");
  writeFileSync(tokens, `looker read ${LOOKER}\n`);
  let server = start(["serve", "--http", "127.0.0.1:0", "--tokens", tokens]);
  stack.defer(() => ended(server));
  const link = await linkOf(server);
  const { host, origin } = new URL(link);
  const serveAnew = async () => {
    await ended(server);
    server = start(["serve", "--http", host, "--tokens", tokens]);
    await linkOf(server);
  };

  const browser = await chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
    env: { PATH: process.env.PATH ?? "", HOME: folder.path },
  });
  stack.defer(() => browser.close());
  const context = await browser.newContext({
    viewport: { width: 1280, height: 800 },
    colorScheme: options.dark ? "dark" : "light",
  });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  await page.goto(link);
  await page.locator("[data-node]").first().waitFor();
  const open = stack.move();
  const lookingLink = `${origin}/?token=${LOOKER}`;
  return {
    page,
    browser,
    link,
    lookingLink,
    serveAnew,
    labFile,
    yard,
    complaints,
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}

async function output(child: ChildProcess, argv: readonly string[]): Promise<string> {
  let [out, errors] = ["", ""];
  child.stdout?.on("data", (chunk) => {
    out += chunk;
  });
  child.stderr?.on("data", (chunk) => {
    errors += chunk;
  });
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`yard ${argv.join(" ")} ended with ${code}: ${out}${errors}`);
  return out;
}

/** The server prints it once it listens. */
async function linkOf(server: ChildProcess): Promise<string> {
  const said: string[] = [];
  server.stderr?.on("data", (chunk) => said.push(String(chunk)));
  if (server.stdout === null) throw new Error("the server has no output");
  for await (const line of createInterface({ input: server.stdout })) {
    said.push(line);
    if (/^https?:\/\//.test(line)) return line;
  }
  throw new Error(`the server has printed no link: ${said.join("\n")}`);
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = once(child, "close");
  child.kill("SIGTERM");
  await closed;
}

/** Drags with the mouse from the middle of one thing to the middle of another, as a hand does. */
export async function drag(page: Page, from: string, to: string): Promise<void> {
  const [start, end] = [await middle(page, from), await middle(page, to)];
  await page.mouse.move(start.x, start.y);
  await page.mouse.down();
  await page.mouse.move((start.x + end.x) / 2, (start.y + end.y) / 2, { steps: 5 });
  await page.mouse.move(end.x, end.y, { steps: 5 });
  await page.mouse.up();
}

export async function middle(page: Page, selector: string): Promise<{ readonly x: number; readonly y: number }> {
  const box = await page.locator(selector).boundingBox();
  if (box === null) throw new Error(`${selector} is not seen`);
  return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
}

/** A small office. */
export const OFFICE = `# An office.
name: office

networks:
  desk: { cidr: 10.61.1.0/24 }
  cellar: { cidr: 10.61.2.0/24 }

nodes:
  # Where the page is served.
  web: { kind: netns, nics: [desk] }
  pc: { kind: netns, nics: [desk] }
  vault: { kind: netns, nics: [cellar] }
  left: { kind: netns, nics: [{ name: wire0, ip: 10.61.9.1/30 }] }
  right: { kind: netns, nics: [{ name: wire0, ip: 10.61.9.2/30 }] }

links:
  - { endpoints: ["left:wire0", "right:wire0"] }
`;
