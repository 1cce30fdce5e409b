import { existsSync, readdirSync } from "node:fs";
import { isYardName, runDirectory } from "@switchyard/yard/paths";
import type { YardView } from "@switchyard/yard/view";
import type { Command } from "commander";
import { complete, type Known } from "../completion/candidates.ts";
import { createProgram } from "../program.ts";
import { print, type Session, yardName } from "../session.ts";
import { readYard } from "../view/open.ts";

/** `yard __complete -- WORD…`: what the last word may become, a line each, for the scripts of `yard completion`. */
export function define(command: Command, session: Session): void {
  command.argument("[words...]").action(async (words: readonly string[]) => {
    const program = await createProgram(session, words);
    const { candidates, files } = await complete(program, words, knownOf(session, yardOf(words, command, session)));
    print(session, ...candidates.map(({ value, meaning }) => `${value}\t${meaning}`), ...(files ? [":files"] : []));
  });
}

/** Whoever presses the tab key wants names, not errors: what cannot be read has none. */
function knownOf(session: Session, yard: string): Known {
  let view: Promise<YardView | undefined> | undefined;
  const read = async <Result>(part: (view: YardView) => readonly Result[]) => {
    view ??= readYard(session, yard).catch(() => undefined);
    const found = await view;
    return found === undefined ? [] : part(found);
  };
  return {
    nodes: () => read(({ nodes }) => nodes.map(({ name }) => name)),
    nics: () => read(({ nodes }) => nodes.flatMap((node) => node.nics.map((nic) => `${node.name}:${nic.name}`))),
    passages: () => read(({ nodes }) => nodes.filter(({ kind }) => kind === "a2b").map(({ name }) => name)),
    links: () => read(({ links }) => links.map(({ name }) => name)),
    bridges: () => read(({ bridges }) => bridges.map(({ name }) => name)),
    networks: () => read(({ networks }) => networks.map(({ name }) => name)),
    switchBridges: async () => {
      const { callOvs, yardPlace } = await import("@switchyard/doors/ovs");
      const names = await callOvs(
        yardPlace(yard, session.env),
        "list",
        {},
        { signal: session.signal, warn() {} },
      ).catch(() => []);
      return Array.isArray(names) ? names.map(String) : [];
    },
    labs: () => read(({ labs }) => labs.map(({ name }) => name)),
    yards: async () => {
      const folder = runDirectory(session.env);
      if (!existsSync(folder)) return [];
      const entries = readdirSync(folder, { withFileTypes: true });
      return entries.flatMap((it) => (it.isDirectory() && isYardName(it.name) ? [it.name] : []));
    },
  };
}

/** The yard that the words typed so far name. */
function yardOf(words: readonly string[], command: Command, session: Session): string {
  if (words.includes("--system")) return "system";
  const at = words.findIndex((word) => word === "-y" || word === "--yard");
  const named = at < 0 ? undefined : words[at + 1];
  return named || yardName(command, session.env);
}
