import { dirname, resolve } from "node:path";
import { contains, type Ip, YardError } from "@switchyard/base";
import { imageDirectory } from "../agent/paths.ts";
import { readChecks } from "./checks.ts";
import { tooManyNics } from "./joints.ts";
import { readLinks } from "./links.ts";
import { DEFAULT_NETWORK } from "./making.ts";
import { readNetworks } from "./networks.ts";
import { UNPLUGGED } from "./nics.ts";
import { type DraftNode, type Nodes, readNodes } from "./nodes.ts";
import { type Path, Places } from "./places.ts";
import { Problems } from "./problems.ts";
import { Reading } from "./reading.ts";
import { checkRoutes, reaches } from "./routes.ts";
import { Segments } from "./segments.ts";
import { readSource } from "./source.ts";
import { readStructure } from "./structure.ts";
import type { Lab, NetworkSpec } from "./types.ts";

/** Where a lab file's text comes from. */
export interface LabSource {
  /** The file's path; empty when the text came from elsewhere, and relative paths then mean the current folder. */
  readonly file: string;
  /** How errors name the file; as `file` without it. */
  readonly shown?: string;
  /** The caller's environment: `DOCKER_HOST` and `CONTAINER_HOST` say which engine is meant. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Where images of virtual machines are looked for beside the lab file's folder; the host's folder of images without it. */
  readonly images?: string;
}

/** A lab, and the way back into its text. */
export interface ParsedLab {
  readonly lab: Lab;
  /** An error that others find in the lab, with the place of what stands at `path`, or of the nearest around it. */
  locate(path: Path, error: YardError): YardError;
}

/**
 * Reads a lab file: YAML 1.2, held against the schema, then against itself, expanded.
 *
 * @throws YardErrors with everything that is wrong, in the file's order, each with `where` (file:line:column) and an
 *   excerpt; nothing has been touched then
 */
export function parseLab(text: string, { file, shown, environment, images }: LabSource): ParsedLab {
  const problems = new Problems(text, shown ?? (file === "" ? "<input>" : file));
  const root = readSource(text, problems);
  if (root === undefined) return problems.refuse();
  const places = new Places(root, problems);
  const structure = readStructure(places);
  if (structure === undefined) return problems.refuse();
  const folder = file === "" ? process.cwd() : dirname(resolve(file));
  const reading = new Reading(places, structure, folder, environment, images ?? imageDirectory());
  const declared = readNetworks(reading);
  const networks = new Map([[DEFAULT_NETWORK.name, DEFAULT_NETWORK], ...declared]);
  const nodes = readNodes(networks, reading);
  const links = readLinks(nodes, reading);
  checkNics(nodes, networks, reading);
  const checks = readChecks(nodes, reading);
  problems.throwIfAny();
  return {
    lab: {
      name: reading.data.name,
      file: file === "" ? "" : resolve(file),
      networks: [...declared.values()],
      nodes: [...nodes.byName.values()].map(({ spec }) => spec),
      links,
      checks,
    },
    locate: (path, error) => places.located(path, error),
  };
}

/** What can be said of nics once links have theirs: attachment, addresses, next hops. */
function checkNics(nodes: Nodes, networks: ReadonlyMap<string, NetworkSpec>, reading: Reading): void {
  const segments = new Segments(reading, networks);
  for (const [name, node] of nodes.byName) {
    const many = tooManyNics(node.spec, node.nics.length);
    if (many) reading.places.report(node.paths.at(-1) ?? ["nodes", name], () => many);
    let whole = true;
    for (const [index, nic] of node.nics.entries()) {
      const path = node.paths[index] ?? [];
      if (reading.unsure([...path, "ip"]) || reading.unsure([...path, "network"])) whole = false;
      else if (nic.network === undefined && nic.link === undefined) {
        const written = reading.places.node(path);
        if ((written?.entries?.get("network")?.node ?? written)?.value === UNPLUGGED) continue;
        whole = false;
        // A network that is named but unknown has been told of.
        if (written?.entries !== undefined && !written.entries.has("network") && !written.entries.has("type"))
          reading.places.report(
            path,
            () =>
              new YardError("nic.unattached", `nic "${nic.name}" of "${name}" is on no network and no link`, {
                hint: `give it a network, or name "${name}:${nic.name}" in \`links\``,
              }),
          );
      } else segments.add(nic, `nic "${nic.name}" of "${name}"`, path);
    }
    if (node.first && whole) checkNextHops(node, networks, reading);
  }
  segments.checkRoom();
}

function checkNextHops(node: DraftNode, networks: ReadonlyMap<string, NetworkSpec>, reading: Reading): void {
  for (const [index, nic] of node.nics.entries()) {
    const path = [...(node.paths[index] ?? []), "gateway"];
    for (const gateway of nic.gateway ?? [])
      if (!reaches(gateway, [nic], networks, reading))
        reading.places.report(
          path,
          () =>
            new YardError(
              "nic.gateway-unreachable",
              `the gateway ${gateway} is not in a network that nic "${nic.name}" has an address in`,
              { hint: gatewayHint(nic.network, networks, gateway) },
            ),
        );
  }
  checkRoutes(node.routes, node.nics, networks, reading);
}

function gatewayHint(network: string | undefined, networks: ReadonlyMap<string, NetworkSpec>, gateway: Ip): string {
  const cidr = network === undefined ? undefined : networks.get(network)?.cidr[0];
  if (cidr === undefined) return "a gateway is a neighbour: give the nic an address in its network";
  return contains(cidr, gateway)
    ? "a gateway is another one than the nic itself"
    : `a gateway is a neighbour: one of ${cidr}`;
}
