/** The devices of pipes: how they are made, and known again. */
import { hasNetem, type Link, type LinkOp, setNetem } from "@switchyard/linux";
import { digest } from "../store/canonical.ts";
import { type Action, type ActionOf, only } from "./action.ts";
import type { Blame } from "./blame.ts";
import { LinkWork } from "./link-work.ts";
import { formatAlias, parseAlias } from "./mark.ts";
import type { Site } from "./site.ts";
import type { PipeState } from "./state.ts";
import type { Subject } from "./subject.ts";

/** How the aliases of the two ends begin; the other's name follows, and at the near end the purpose. */
const NEAR = "pipe ";
const FAR = "pipe-end ";

/** Whether the text of a link's alias is that of the end of a pipe. */
export function isPipeAlias(text: string): boolean {
  return text.startsWith(NEAR) || text.startsWith(FAR);
}

/** Whether netem impairs; `SWITCHYARD_IMPAIR=relay` has the relay do it where both could. */
export async function usesNetem(environment: NodeJS.ProcessEnv = process.env): Promise<boolean> {
  return environment.SWITCHYARD_IMPAIR !== "relay" && (await hasNetem());
}

/**
 * The pipes whose ends are among these links. One that lacks an end fits nothing, and is made anew.
 *
 * @param emulated the devices that have netem
 */
export function pipesIn(
  yard: string,
  links: ReadonlyMap<string, Link>,
  desired: ReadonlyMap<string, PipeState>,
  emulated: ReadonlySet<string>,
): Map<string, PipeState> {
  const pipes = new Map<string, PipeState>();
  for (const link of links.values()) {
    const text = parseAlias(yard, link.alias);
    if (text?.startsWith(NEAR)) {
      const [far = "", told = "", ...purpose] = text.slice(NEAR.length).split(" ");
      const end = links.get(far);
      const whole = end !== undefined && parseAlias(yard, end.alias) === `${FAR}${link.name}`;
      const wanted = desired.get(link.name);
      const so = emulated.has(link.name) && emulated.has(far) && wanted !== undefined && told === tellingOf(wanted);
      pipes.set(link.name, {
        far: whole ? far : "",
        by: link.kind === "veth" ? "netem" : "relay",
        mtu: end?.mtu === link.mtu ? link.mtu : 0,
        up: link.up && (end?.up ?? false),
        forward: so ? wanted.forward : "",
        backward: so ? wanted.backward : "",
        purpose: purpose.join(" "),
      });
    } else if (text?.startsWith(FAR) && !links.has(text.slice(FAR.length)))
      pipes.set(text.slice(FAR.length), { ...LOST, by: link.kind === "veth" ? "netem" : "relay" });
  }
  return pipes;
}

/** What is left of a pipe whose near end is gone. */
const LOST = { far: "", mtu: 0, up: false, forward: "", backward: "", purpose: "" };

/** What netem has been told, as a word of the near end's alias. */
function tellingOf({ forward, backward }: PipeState): string {
  return forward === "" && backward === "" ? "-" : digest(`${forward}/${backward}`, 12);
}

/** Makes, changes and removes pipes. */
export async function applyPipes(site: Site, actions: readonly Action[], blame: Blame): Promise<void> {
  const batch = new LinkWork(site);
  for (const { pipe, far, subject } of only(actions, "pipe-delete")) remove(batch, subject, pipe, far);
  for (const { pipe, state, subject } of only(actions, "pipe-create")) {
    // In a namespace of our own half a pipe, not yet marked, may be left from an agent that was killed.
    if (site.namespace !== "self") remove(batch, subject, pipe, state.far);
    for (const op of creation(site, pipe, state)) batch.near(subject, op);
  }
  for (const { pipe, state, subject } of only(actions, "pipe-set"))
    for (const name of [pipe, state.far]) batch.near(subject, { op: "set", name, mtu: state.mtu, up: state.up });
  await batch.run(blame);
  await emulate(site, [...only(actions, "pipe-create"), ...only(actions, "pipe-set")], blame);
}

/** Tells netem of each way, and notes in the aliases that it has been told. */
async function emulate(
  site: Site,
  actions: readonly ActionOf<"pipe-create" | "pipe-set">[],
  blame: Blame,
): Promise<void> {
  const batch = new LinkWork(site);
  const due = actions.filter(({ state }) => state.by === "netem");
  await Promise.all(
    due.map(async ({ pipe, state, subject }) => {
      try {
        // What the switch sends out by the near end goes forward.
        await setNetem(site.namespace, pipe, state.forward.split(" "));
        await setNetem(site.namespace, state.far, state.backward.split(" "));
        batch.near(subject, { op: "set", name: pipe, alias: nearAlias(site.paths.yard, state, tellingOf(state)) });
      } catch (error) {
        blame.add(subject, error, "netem.refused");
      }
    }),
  );
  await batch.run(blame);
}

function remove(batch: LinkWork, subject: Subject, ...names: readonly string[]): void {
  for (const name of names) if (name !== "") batch.near(subject, { op: "delete", name });
}

function nearAlias(yard: string, { far, purpose }: PipeState, telling: string): string {
  return formatAlias(yard, `${NEAR}${far} ${telling} ${purpose}`);
}

function creation(site: Site, pipe: string, state: PipeState): LinkOp[] {
  const { yard } = site.paths;
  const { far, mtu, up } = state;
  const near = { name: pipe, alias: nearAlias(yard, state, "-"), mtu, up, port: true };
  const other = { name: far, alias: formatAlias(yard, `${FAR}${pipe}`), up, port: true };
  switch (state.by) {
    case "netem":
      return [{ op: "veth", ...near, peer: { ...other, namespace: site.namespace } }];
    case "relay":
      return [
        { op: "tap", mtu, ...other },
        { op: "tap", ...near },
      ];
  }
}
