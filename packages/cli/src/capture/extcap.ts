/**
 * This executable called as `yard-extcap`: how Wireshark and tshark capture from what is no interface of the
 * host (extcap(4) of Wireshark, "extcap: Adding Capture Interfaces" in its developer's guide). They ask for the list of
 * interfaces, their link types and settings, and have one write to a FIFO.
 */
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { parseArgs } from "node:util";
import { errnoOf, YardError } from "@switchyard/base";
import { listYards } from "@switchyard/yard/agent";
import { capture, captureAgent, WHOLE_FRAME } from "@switchyard/yard/capture";
import { yardPaths } from "@switchyard/yard/paths";
import { print, type Session } from "../session.ts";
import { findNicPath } from "../target.ts";
import { APPLICATION, version } from "../version.ts";
import { readYard } from "../view/open.ts";
import { fileOutput } from "./output.ts";

const BUFFER_MIB = 32;
const options = {
  "extcap-interfaces": { type: "boolean" },
  "extcap-dlts": { type: "boolean" },
  "extcap-config": { type: "boolean" },
  "extcap-version": { type: "string" },
  "extcap-interface": { type: "string" },
  "extcap-capture-filter": { type: "string" },
  capture: { type: "boolean" },
  fifo: { type: "string" },
  snaplen: { type: "string", default: String(WHOLE_FRAME) },
  buffer: { type: "string", default: String(BUFFER_MIB) },
} as const;

/** @throws YardError `usage.wrong`, and those of a capture */
export async function runExtcap(session: Session, argv: readonly string[]): Promise<void> {
  const { values } = parse(argv);
  if (values["extcap-interfaces"]) return print(session, ...(await interfaces(session)));
  const name = values["extcap-interface"];
  if (name === undefined) throw wrong("it says no interface");
  const filter = values["extcap-capture-filter"] ?? "";
  if (values["extcap-dlts"]) return print(session, sentence("dlt", { number: 1, name: "EN10MB", display: "Ethernet" }));
  if (values["extcap-config"]) return print(session, ...settings());
  const { yard, path } = parseInterface(name);
  const { fifo } = values;
  if (!values.capture) {
    // What is typed into the field of the filter is asked about alone; no answer is that all is well.
    await using agent = await captureAgent(yardPaths(yard, session.env));
    return await agent.checkFilter(filter);
  }
  if (fifo === undefined) throw wrong("it says no --fifo");
  const limits = { snaplen: Number(values.snaplen), buffer: Number(values.buffer) << 20, filter };
  let opened = false;
  const write = (head: Buffer) => {
    const output = fileOutput(fifo);
    opened = true;
    void output.write(head);
    return output;
  };
  try {
    await using agent = await captureAgent(yardPaths(yard, session.env));
    const view = await readYard(session, yard);
    const { signal } = session;
    const unlimited = { ...limits, count: undefined, duration: undefined, application: APPLICATION, signal };
    await capture(agent, { view, ...findNicPath(view, path) }, unlimited, write);
  } catch (error) {
    if (isReaderGone(error)) return;
    if (!opened && !session.signal.aborted) await release(fifo, session.signal);
    throw error;
  }
}

/** Who waits for the other end of the FIFO to be opened would wait for ever. */
async function release(fifo: string, signal: AbortSignal): Promise<void> {
  const closed = open(fifo, constants.O_WRONLY).then((file) => file.close());
  const aborted = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  // It may be gone: then nobody waits.
  await Promise.race([closed.catch(() => {}), aborted]);
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options, allowPositionals: true });
  } catch (cause) {
    throw wrong(cause instanceof Error ? cause.message : String(cause));
  }
}

/** Every nic that is plugged in, of every yard whose agent runs and that the caller may use. */
async function interfaces(session: Session): Promise<string[]> {
  const yards = (await listYards()).filter(({ running }) => running).map(({ name }) => name);
  const views = await Promise.all(yards.map((yard) => readYard(session, yard).catch(() => undefined)));
  const help = "https://www.wireshark.org/docs/man-pages/extcap.html";
  return [
    sentence("extcap", { version, help, display: "Switchyard" }),
    ...views.flatMap((view) =>
      (view?.nodes ?? []).flatMap((node) =>
        node.nics
          .filter(({ network, link }) => network !== null || link !== null)
          .map((nic) => {
            const path = `${node.name}:${nic.name}`;
            return sentence("interface", {
              value: `yard:${view?.yard}:${path}`,
              display: `${path} of yard ${view?.yard}`,
            });
          }),
      ),
    ),
  ];
}

function settings(): string[] {
  const number = { type: "unsigned", group: "Capture" };
  return [
    sentence("arg", {
      number: 0,
      call: "--snaplen",
      display: "Bytes kept of each frame",
      ...number,
      range: "1,262144",
      default: WHOLE_FRAME,
    }),
    sentence("arg", {
      number: 1,
      call: "--buffer",
      display: "Buffer of the kernel in MiB",
      ...number,
      range: "1,1024",
      default: BUFFER_MIB,
    }),
  ];
}

/** A line of an answer: `interface {value=…}{display=…}`. */
function sentence(word: string, fields: Readonly<Record<string, string | number>>): string {
  return `${word} ${Object.entries(fields)
    .map(([name, value]) => `{${name}=${value}}`)
    .join("")}`;
}

/** `yard:<yard>:<node>:<nic>`; none of them has a colon. @throws YardError `usage.wrong` */
function parseInterface(name: string): { readonly yard: string; readonly path: string } {
  const [, yard, path] = /^yard:([^:]+):([^:]+:[^:]+)$/.exec(name) ?? [];
  if (yard === undefined || path === undefined) throw wrong(`"${name}" is none of its interfaces`);
  return { yard, path };
}

function wrong(why: string): YardError {
  return new YardError("usage.wrong", `this is not how Wireshark calls it: ${why}`, {
    hint: "Wireshark finds it in its folder of extcap programs; `yard capture` is for people",
  });
}

/** Whoever has seen enough closes the FIFO. */
function isReaderGone(error: unknown): boolean {
  const cause = error instanceof YardError ? error.cause : undefined;
  return errnoOf(cause) === "EPIPE";
}
