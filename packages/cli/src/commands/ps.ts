import { existsSync } from "node:fs";
import { yardPaths } from "@switchyard/yard/paths";
import { findLab, type YardView } from "@switchyard/yard/view";
import type { Command } from "commander";
import { yardRuns } from "../connect.ts";
import { examples, JSON_HELP } from "../help.ts";
import { renderLabs, renderNetworks, renderPs } from "../render/ps.ts";
import { type CommonOptions, print, printJson, type Session, say, yardName } from "../session.ts";
import { readYard } from "../view/open.ts";

interface Options extends CommonOptions {
  readonly quiet?: boolean;
  readonly lab?: string;
  readonly labs?: boolean;
  readonly networks?: boolean;
}

/** `yard ps` */
export function define(command: Command, session: Session): void {
  command
    .description("List the nodes of the yard: kind, state, networks, addresses, published ports.")
    .option("-q, --quiet", "print names only, one a line")
    .option("-l, --lab <name>", "only what belongs to this lab")
    .option("--labs", "list the labs")
    .option("--networks", "list the networks")
    .option("--json", JSON_HELP)
    .action(async (options: Options) => ps(session, yardName(command, session.env), options));
  examples(
    command,
    ["yard ps", "all nodes of all labs"],
    ["yard ps -q | wc -l", "how many there are"],
    ["yard ps --json | jq '.nodes[] | select(.state != \"running\")'", "those that do not run"],
  );
}

async function ps(session: Session, yard: string, options: Options): Promise<void> {
  const view = only(await readOrEmpty(session, yard), options.lab);
  const { style } = session;
  if (options.json) printJson(session, view);
  else if (options.quiet) print(session, ...names(view, options));
  else if (options.labs) print(session, ...renderLabs(view.labs, view.nodes, style));
  else if (options.networks) print(session, ...renderNetworks(view.networks, style));
  else print(session, ...renderPs(view, Date.now(), style));
}

/** A yard that does not run has no nodes: to list none of them is no failure. What it will have again is told. */
async function readOrEmpty(session: Session, yard: string): Promise<YardView> {
  if (yardRuns(session, yard)) return readYard(session, yard);
  if (existsSync(yardPaths(yard, session.env).database))
    say(session, `note: the yard "${yard}" is stopped; its labs come back with: yard -y ${yard} agent`);
  return { yard, agent: null, datapath: "", error: null, labs: [], networks: [], nodes: [], links: [], bridges: [] };
}

function only(view: YardView, lab: string | undefined): YardView {
  if (lab === undefined) return view;
  findLab(view, lab);
  return {
    ...view,
    labs: view.labs.filter(({ name }) => name === lab),
    networks: view.networks.filter((network) => network.lab === lab),
    nodes: view.nodes.filter((node) => node.lab === lab),
    links: view.links.filter((link) => link.lab === lab),
  };
}

function names(view: YardView, options: Options): string[] {
  const list = options.labs ? view.labs : options.networks ? view.networks : view.nodes;
  return list.map(({ name }) => name);
}
