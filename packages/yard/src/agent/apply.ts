import type { ContainerState, VmState } from "@switchyard/runtime";
import { type Action, only, PHASES, type Phase, phaseOf } from "./action.ts";
import type { Failure } from "./blame.ts";
import { applyToSwitch } from "./network-work.ts";
import type { ExecMark } from "./observe.ts";
import type { Site } from "./site.ts";
import type { State } from "./state.ts";
import { checkSwitch } from "./switch-check.ts";
import { checkVteps } from "./vtep-work.ts";
import { type Inhabitants, Work } from "./work.ts";

/** What came of a plan. */
export interface Outcome {
  /** What could not be done; everything else was. */
  readonly failures: readonly Failure[];
  /** The containers that were started, by node. */
  readonly started: ReadonlyMap<string, ContainerState>;
  /** The virtual machines that were started, by node. */
  readonly booted: ReadonlyMap<string, VmState>;
  /** The nodes whose container or virtual machine was stopped. */
  readonly stopped: ReadonlySet<string>;
  /** The marks of the nodes whose commands were run. */
  readonly marks: ReadonlyMap<string, ExecMark>;
}

/**
 * Carries a plan out, phase by phase, each as one batch. A failure is told with whom it was for and spares everybody
 * else: only what hangs on the thing that failed is left undone.
 *
 * @param seen the yard's containers and virtual machines as observed, by node
 * @param asked whether somebody waits for this state, and shall hear of all that is not so
 */
export async function apply(
  site: Site,
  desired: State,
  actions: readonly Action[],
  seen: Inhabitants,
  asked: boolean,
): Promise<Outcome> {
  const work = new Work(site, desired, seen);
  const phases = Map.groupBy(actions, phaseOf);
  const run = async (phase: Phase, act = (due: readonly Action[]) => work.run(phase, due)) => {
    site.signal.throwIfAborted();
    const due = (phases.get(phase) ?? []).filter(({ subject }) => !work.blame.blocks(subject));
    if (due.length === 0) return;
    const began = performance.now();
    site.log.debug({ phase, actions: due.length }, "phase begins");
    await act(due);
    site.log.debug({ phase, actions: due.length, milliseconds: Math.round(performance.now() - began) }, "phase done");
  };

  // Containers need the files before they are made. Most are made while the switch is at work: so are the files then.
  let rest: readonly Phase[] = phases.has("create containers with a namespace of their own")
    ? PHASES
    : PHASES.toSpliced(PHASES.indexOf("files"), 1).toSpliced(PHASES.indexOf("switch"), 0, "files");
  const doomed = [
    ...only(actions, "port-delete"),
    ...only(actions, "mirror-delete"),
    ...only(actions, "bridge-delete"),
  ];
  // Without a switch, nobody is kept waiting for as long as a container or machine may take to end.
  const awaits = [...only(actions, "container-stop"), ...only(actions, "machine-stop")].some(({ grace }) => grace > 0);
  if (site.bounce && !awaits && worthBouncing(doomed.length, site)) {
    const deletions: readonly Phase[] = [
      "stop services",
      "stop and remove containers",
      "unplug nics",
      "delete namespaces",
      "delete links",
    ];
    await site.bounce(async () => {
      for (const phase of deletions) await run(phase);
      await applyToSwitch(site, doomed, work.blame, { wait: false });
    });
    const done = new Set<Action>(doomed);
    for (const phase of ["unplug", "switch"] as const)
      phases.set(phase, phases.get(phase)?.filter((it) => !done.has(it)) ?? []);
    rest = rest.filter((phase) => !deletions.includes(phase));
  }
  const portsFirst = arePortsFirst(phases, site);
  let switching: Promise<void> | undefined;
  for (const phase of rest) {
    // The daemon takes its transaction while we configure the namespaces and make what lives in them: it is the longest
    // step of a large plan.
    if (phase === "links" && portsFirst) {
      const made = Promise.withResolvers<void>();
      // What keeps all of them from being made is no failure of the switch's, and is told when that is through.
      const devices = () => run("links").then(made.resolve, made.reject);
      const through = run("switch", (due) => applyToSwitch(site, due, work.blame, { devices }));
      switching = through;
      switching.catch(() => {});
      try {
        await Promise.race([made.promise, through]);
      } catch (error) {
        await through;
        throw error;
      }
    } else if (phase === "switch") {
      switching ??= run(phase);
      switching.catch(() => {});
    } else if (phase === "create containers") {
      await run(phase);
      await work.prepare((phases.get("start containers") ?? []).filter(({ subject }) => !work.blame.blocks(subject)));
      await switching;
    } else await run(phase);
  }
  await work.published(asked || actions.length > 0);
  checkVteps(site, desired, work.blame);
  await checkSwitch(site, desired, (node) => work.lives(node), work.blame, asked || actions.length > 0);
  const { started, booted, stopped, marks } = work;
  return { failures: work.blame.failures(), started, booted, stopped, marks };
}

/** As many devices are there before the daemon comes to them, when it has been told of their ports. */
const FEW = 8;

/** With fewer ports than this it is through with them before a device is made, and would look for that in vain. */
const MANY = 300;

/**
 * Whether the switch is told of new ports before their devices are made. At each change of a link the daemon goes through
 * all of its ports, 60 ms for a thousand, and what it is told meanwhile waits for that and then takes as long again. Told
 * first, it is at it when the devices come, and takes them with the others.
 */
function arePortsFirst(phases: ReadonlyMap<Phase, readonly Action[]>, site: Site): boolean {
  const links = phases.get("links") ?? [];
  const ports = new Set(only(phases.get("switch") ?? [], "port-set").map(({ port }) => port));
  return (
    site.vswitch.table("Port").size >= MANY &&
    links.length > 0 &&
    links.length <= FEW &&
    !phases.has("unplug") &&
    links.every((it) => it.do === "veth-create" && ports.has(it.veth))
  );
}

/**
 * Whether it is quicker, and stalls the others' traffic for less time, to end the daemon and start it on what remains
 * than to have it remove `doomed` ports: it takes some 20 ms for each, forwarding nothing meanwhile, against 300 ms to
 * start and 1.2 ms for each port that stays.
 */
function worthBouncing(doomed: number, site: Site): boolean {
  const remaining = Math.max(site.vswitch.table("Port").size - doomed, 0);
  return doomed * 20 > 500 + remaining * 1.2;
}
