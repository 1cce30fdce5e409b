import { existsSync, rmdirSync, rmSync } from "node:fs";
import { type Logger, tryRun, YardError } from "@switchyard/base";
import {
  applyLinks,
  changeMasquerades,
  deleteNamespaces,
  type LinkOp,
  listMasquerades,
  listNamespaces,
  marksAddresses,
  type NamespaceRef,
  releaseForwarding6,
  viewNamespace,
  viewNamespaces,
} from "@switchyard/linux";
import { freeUnderlays, removeOwned, stopDatabaseServer, stopVswitchd } from "@switchyard/vswitch";
import { type EngineKey, Engines, parseEngineId } from "./engines.ts";
import { NETNS_ETC, ownFolders, ownLinks } from "./files.ts";
import { Hypervisor } from "./hypervisor.ts";
import { endProcessesIn, handlesTermination } from "./inhabitants.ts";
import { graceOf } from "./machine-work.ts";
import { parseAlias } from "./mark.ts";
import { isNatTable, natTablePrefix, openPortsTable } from "./names.ts";
import { parseMember } from "./observe-host.ts";
import { observeVteps } from "./observe-vteps.ts";
import { parsePassed, returnNic } from "./passthrough.ts";
import {
  DHCP_SUFFIX,
  DNSMASQ_SUFFIX,
  runDirectory,
  SYSTEM_SWITCH,
  SYSTEM_YARD,
  stateDirectory,
  type YardPaths,
} from "./paths.ts";
import { ownWords, peersFolder } from "./peers.ts";
import { Services } from "./services.ts";
import { systemSwitchAbsence } from "./system-switch.ts";

/** Milliseconds that what runs in the yard has between SIGTERM and SIGKILL. */
const GRACE = 2_000;

/**
 * Takes a yard away, all of it, by the marks that its things bear: nothing needs to run for it, and any half of a yard
 * will do. What it does not find is gone already. Of the host's own switch only what this yard made is removed.
 *
 * The caller holds the yard's lock, or is its agent.
 */
export async function dismantle(paths: YardPaths, log: Logger): Promise<void> {
  const engines = await recordedEngines(paths);
  await using stack = new AsyncDisposableStack();
  const services = stack.use(new Services(paths.run, log, () => {}));
  await Promise.all([...services.running().keys()].map((id) => services.stop(id)));
  await Promise.all([
    removeContainers(stack.use(new Engines(paths, log)), engines),
    removeMachines(stack.use(new Hypervisor(paths, log))),
  ]);

  // The switch goes first: removing its ports one by one would take it 20 ms each.
  if (paths.yard === SYSTEM_YARD) await leaveSystemSwitch(log);
  else await stopVswitchd(paths.run);
  await stopDatabaseServer(paths.run);

  const own = listNamespaces().filter((name) => name === paths.namespace || name.startsWith(`${paths.namespace}_`));
  await endProcessesIn(own, GRACE);
  // Before the namespaces go: the kernel is busy with those for a while, and any question about links waits for it.
  returnNics(paths.yard, own, log);
  leaveHost(paths.yard);
  // A switch that had died has left its devices in there.
  if (own.includes(paths.namespace)) freeUnderlays({ name: paths.namespace });
  for (const { name, message } of deleteNamespaces(own)) log.warn({ namespace: name, message }, "a namespace was left");

  await removeMasquerades(paths.yard).catch((error) =>
    log.warn({ message: error instanceof Error ? error.message : String(error) }, "source NAT may be left"),
  );

  const ofServices = [DHCP_SUFFIX, DNSMASQ_SUFFIX].map((suffix) => `${paths.run}${suffix}`);
  for (const file of ownWords(paths.run, paths.yard)) rmSync(file, { force: true });
  for (const folder of [...ownFolders(paths), ...ownLinks(paths), ...ofServices, paths.run, paths.state])
    rmSync(folder, { recursive: true, force: true });
  rmSync(paths.lock, { force: true });
  for (const folder of [NETNS_ETC, runDirectory(), `${stateDirectory()}/yards`, stateDirectory()])
    removeIfEmpty(folder);
  // The agents of other yards watch it.
  if (!existsSync(runDirectory())) removeIfEmpty(peersFolder(paths.run));
}

/** Gives the host back its NICs, from wherever they are. */
function returnNics(yard: string, namespaces: readonly string[], log: Logger): void {
  const refs: readonly NamespaceRef[] = [...namespaces.map((name) => ({ name })), "self"];
  const views = viewNamespaces(refs);
  for (const [key, { links }] of views)
    for (const { name, alias } of links.values()) {
      const nic = parsePassed(yard, alias);
      if (nic === undefined) continue;
      try {
        returnNic(yard, nic, { namespace: key === "self" ? "self" : { name: key }, name });
      } catch (error) {
        log.warn({ nic: nic.name, message: error instanceof Error ? error.message : error }, "a NIC is not as it was");
      }
    }
}

/** Removes our links from the host's namespace; NICs of the host's that we have put into bridges only leave these. */
function leaveHost(yard: string): void {
  const ops = [...viewNamespace("self").links.values()].flatMap(({ name, alias }): LinkOp[] => {
    const member = parseMember(yard, alias);
    if (member) return [{ op: "set", name, master: "", alias: member.alias }];
    // One that did not get its name back is the host's all the same.
    if (parsePassed(yard, alias)) return [];
    return parseAlias(yard, alias) === undefined ? [] : [{ op: "delete", name }];
  });
  applyLinks([{ namespace: "self", ops }]);
}

/** Takes what is ours out of the host's switch. One that does not run or hangs keeps nothing else from going. */
async function leaveSystemSwitch(log: Logger): Promise<void> {
  try {
    // Asked first, as a client of a database waits for its server.
    if (!(await systemSwitchAbsence())) leaveUnderlays();
    if ((await systemSwitchAbsence()) || (await removeOwned(SYSTEM_SWITCH, SYSTEM_YARD)) === undefined)
      log.warn("the host's Open vSwitch does not run: bridges and ports of the yard may be left in its database");
  } catch (error) {
    if (!(error instanceof YardError) || error.code !== "switch.not-answering") throw error;
    log.warn({ error: error.message }, "the host's Open vSwitch has not yet taken the bridges and ports away");
  }
}

/** Takes our addresses off bridges that tunnels of ours go out by, where the bridges are not ours. */
function leaveUnderlays(): void {
  // Without a mark nobody can tell them from the operator's.
  if (!marksAddresses()) return;
  const host = viewNamespace("self");
  const lowers = new Set(Array.from(observeVteps(SYSTEM_YARD, host).values(), ({ lower }) => lower));
  const ops = [...lowers].flatMap((name) =>
    (host.links.get(name)?.addresses ?? [])
      .filter(({ ours }) => ours)
      .map(({ address }): LinkOp => ({ op: "address-delete", name, address })),
  );
  applyLinks([{ namespace: "self", ops }]);
}

async function removeMasquerades(yard: string): Promise<void> {
  const prefix = natTablePrefix(yard);
  const masquerades = await listMasquerades(prefix);
  await releaseForwarding6([...masquerades].map(([table, { device }]) => (device === "" ? table : device)));
  const found = [...masquerades.keys()].map((table) => `${prefix}${table}`);
  const ours = (table: string) => isNatTable(table.slice(prefix.length)) || table === openPortsTable(yard);
  await changeMasquerades(new Map(), found.filter(ours));
}

async function removeContainers(engines: Engines, keys: readonly EngineKey[]): Promise<void> {
  const { containers, failures } = await engines.list(keys);
  await Promise.all(
    [...containers.values()].map(async ({ key, state }) => {
      const grace = state.pid !== undefined && handlesTermination(state.pid) ? GRACE : 0;
      await (await engines.get(key)).remove(state.name, grace);
    }),
  );
  // What is left on an engine that does not answer would never be found again without the yard's database.
  for (const { error } of failures) throw error;
}

async function removeMachines(hypervisor: Hypervisor): Promise<void> {
  const machines = await hypervisor.list(false);
  if (machines.size === 0) return;
  const engine = await hypervisor.get();
  await Promise.all([...machines.values()].map((machine) => engine.remove(machine.name, graceOf(machine))));
}

/** The engines that the yard has used, read from the database file itself, as no server may run. */
async function recordedEngines(paths: YardPaths): Promise<EngineKey[]> {
  if (!existsSync(paths.database)) return [];
  const select = [{ op: "select", table: "Host", where: [], columns: ["external_ids"] }];
  const query = JSON.stringify(["Switchyard", ...select]);
  const { stdout } = await tryRun(["ovsdb-tool", "query", paths.database, query]);
  return [...stdout.matchAll(/\["engine:([^"]+)"/g)].flatMap(([, id]) => (id && parseEngineId(id)) || []);
}

function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // Other yards, or images, are in it.
  }
}
