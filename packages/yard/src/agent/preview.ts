import { copyFileSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { createLogger } from "@switchyard/base/log";
import { bootId, viewNamespaces } from "@switchyard/linux";
import { openSwitch, type Switch, startDatabaseServer, stopDatabaseServer, tunnelBridges } from "@switchyard/vswitch";
import type { Lab } from "../model/types.ts";
import { declareLab } from "../store/declare.ts";
import type { Place } from "../store/draft.ts";
import { type Rows, rowsOf } from "../store/rows.ts";
import { openStore, type Store } from "../store/store.ts";
import schema from "../store/switchyard.ovsschema" with { type: "text" };
import type { Action } from "./action.ts";
import { desire } from "./desire.ts";
import { foreignPorts } from "./desire-guest.ts";
import { Engines } from "./engines.ts";
import type { HostFacts } from "./host-facts.ts";
import { hostNetwork, kernelBridges } from "./host-network.ts";
import { Hypervisor } from "./hypervisor.ts";
import { readLeases } from "./leases.ts";
import { observe } from "./observe.ts";
import { SYSTEM_YARD, switchRemote, type YardPaths, yardPaths } from "./paths.ts";
import { peerFacts } from "./peers.ts";
import { usesNetem } from "./pipe-work.ts";
import { plan } from "./plan.ts";
import { register } from "./register.ts";
import { marksOf } from "./report.ts";
import { runningServices } from "./services.ts";
import { connectSocket } from "./socket.ts";
import { EMPTY, type State } from "./state.ts";
import { finishesPackets } from "./system-switch.ts";
import { wireguardBy } from "./tunnel.ts";
import { withoutUnreachable } from "./unreachable.ts";

/** A lab to be declared, or another change, which is written into whatever store it is given. */
type Preview = Lab | ((store: Store, place: Place) => Promise<unknown>);

/**
 * What a change would do. Nothing of the yard is touched or started: it is declared in a copy of its database, by the
 * code that declares it in earnest, and the host is looked at.
 *
 * @param change undefined: what the yard declares already
 * @throws YardError as `declareLab`, or the change, would
 */
export async function previewPlan(
  yard: string,
  change: Preview | undefined,
  options: { readonly executable: readonly string[]; readonly signal?: AbortSignal },
): Promise<Action[]> {
  const paths = yardPaths(yard);
  const { rows, host } = await declared(paths, change, options.signal);
  const facts: Omit<HostFacts, keyof SwitchFacts> = {
    yard,
    host: host.name,
    datapath: host.datapath,
    offloads: finishesPackets(yard, host.datapath),
    ...hostNetwork(paths.yard),
    leases: readLeases(paths.run),
    captured: await capturedPorts(paths),
    netem: await usesNetem(),
    ...peerFacts(rows, paths.run, yard === SYSTEM_YARD ? "self" : { name: paths.namespace }),
    wireguard: wireguardBy(),
    run: paths.run,
    state: paths.state,
    executable: options.executable,
  };
  const want = (seen: SwitchFacts) => desire(rows, { ...facts, ...seen });
  const { desired, actual } = await compared(paths, want, rows);
  return plan(desired, actual, { revive: true });
}

/** What of the desired state hangs on what others have made on the switch. */
type SwitchFacts = Pick<HostFacts, "tunnels" | "kernelBridges" | "foreign">;

function switchFacts(rows: Rows, vswitch: Switch | undefined): SwitchFacts {
  return {
    tunnels: vswitch ? tunnelBridges(vswitch) : new Set(),
    kernelBridges: kernelBridges(rows, (name) => vswitch?.table("Bridge").find({ name }) !== undefined),
    foreign: vswitch ? foreignPorts(rows, vswitch) : new Map(),
  };
}

/** What the running agent would spy on beside what the rows say. */
async function capturedPorts(paths: YardPaths): Promise<ReadonlySet<string>> {
  await using agent = await connectSocket(paths.agentSocket);
  const ports = await agent?.request("captured").catch(() => undefined);
  return new Set(Array.isArray(ports) ? ports.map(String) : []);
}

/** The rows as they would be. */
async function declared(paths: YardPaths, change: Preview | undefined, signal: AbortSignal | undefined) {
  const folder = mkdtempSync(join(tmpdir(), "yard-plan-"));
  const copy = { ...paths, database: join(folder, "copy.db"), databaseSocket: join(folder, "db.sock"), run: folder };
  try {
    if (existsSync(paths.database)) copyFileSync(paths.database, copy.database);
    await startDatabaseServer({
      socket: copy.databaseSocket,
      runDir: folder,
      databases: [{ file: copy.database, schema }],
      ...(signal === undefined ? {} : { signal }),
    });
    await using store = await openStore({
      remote: `unix:${copy.databaseSocket}`,
      ...(signal === undefined ? {} : { signal }),
    });
    const known = [...store.db.table("Host")][0];
    const host = known ?? { name: hostname(), datapath: "netdev" };
    if (!known)
      await register(store.db, { yard: paths.yard, host: host.name, datapath: host.datapath, agentPid: process.pid });
    const place = { yard: paths.yard, host: host.name };
    if (typeof change === "function") await change(store, place);
    else if (change) await declareLab(store, change, place);
    return { rows: rowsOf(store.db), host };
  } finally {
    await stopDatabaseServer(folder);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Both states as the agent would compare them; where it does not run, there is nothing to compare with. */
async function compared(
  paths: YardPaths,
  want: (seen: SwitchFacts) => State,
  rows: Rows,
): Promise<{ desired: State; actual: State }> {
  await using agent = await connectSocket(paths.agentSocket);
  if (!agent) return { desired: want(switchFacts(rows, undefined)), actual: EMPTY };
  const system = paths.yard === SYSTEM_YARD;
  await using vswitch = await openSwitch(switchRemote(paths));
  const wanted = want(switchFacts(rows, vswitch));
  await using engines = new Engines(paths, createLogger("yard", "warn"));
  await using hypervisor = new Hypervisor(paths, createLogger("yard", "warn"));
  const services = runningServices(paths.run);
  const seen = await observe(
    {
      paths,
      boot: bootId(),
      namespace: system ? "self" : { name: paths.namespace },
      views: { read: async (refs) => viewNamespaces(refs) },
      vswitch,
      engines,
      hypervisor,
      services: { running: () => services },
    },
    wanted,
    marksOf(rows),
  );
  return withoutUnreachable(wanted, seen);
}
