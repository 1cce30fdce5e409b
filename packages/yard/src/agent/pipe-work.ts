/** The devices of pipes: how they are made, and known again. */
import type { Link, LinkOp } from "@switchyard/linux";
import { type Action, only } from "./action.ts";
import type { Site } from "./apply.ts";
import type { Blame } from "./blame.ts";
import { LinkWork } from "./link-work.ts";
import { formatAlias, parseAlias } from "./mark.ts";
import type { PipeState } from "./state.ts";
import type { Subject } from "./subject.ts";

/** How the aliases of the two ends begin; the other's name follows, and at the near end the purpose. */
const NEAR = "pipe ";
const FAR = "pipe-end ";

/** Whether the text of a link's alias is that of the end of a pipe. */
export function isPipeAlias(text: string): boolean {
  return text.startsWith(NEAR) || text.startsWith(FAR);
}

/** The pipes whose ends are among these links. One that lacks an end fits nothing, and is made anew. */
export function pipesIn(yard: string, links: ReadonlyMap<string, Link>): Map<string, PipeState> {
  const pipes = new Map<string, PipeState>();
  for (const link of links.values()) {
    const text = parseAlias(yard, link.alias);
    if (text?.startsWith(NEAR)) {
      const [far = "", ...purpose] = text.slice(NEAR.length).split(" ");
      const end = links.get(far);
      const whole = end !== undefined && parseAlias(yard, end.alias) === `${FAR}${link.name}`;
      pipes.set(link.name, {
        far: whole ? far : "",
        by: link.kind === "veth" ? "netem" : "relay",
        mtu: end?.mtu === link.mtu ? link.mtu : 0,
        up: link.up && (end?.up ?? false),
        forward: "",
        backward: "",
        purpose: purpose.join(" "),
      });
    } else if (text?.startsWith(FAR) && !links.has(text.slice(FAR.length)))
      pipes.set(text.slice(FAR.length), {
        far: "",
        by: "relay",
        mtu: 0,
        up: false,
        forward: "",
        backward: "",
        purpose: "",
      });
  }
  return pipes;
}

/** Makes, changes and removes pipes. */
export async function applyPipes(site: Site, actions: readonly Action[], blame: Blame): Promise<void> {
  const batch = new LinkWork(site);
  for (const { pipe, far, subject } of only(actions, "pipe-delete")) remove(batch, subject, pipe, far);
  for (const { pipe, state, subject } of only(actions, "pipe-create")) {
    // In a namespace of our own half a pipe, not yet marked, may be left from an agent that was killed.
    if (site.namespace !== "self") remove(batch, subject, pipe, state.far);
    for (const op of creation(site.paths.yard, pipe, state)) batch.near(subject, op);
  }
  for (const { pipe, state, subject } of only(actions, "pipe-set"))
    for (const name of [pipe, state.far]) batch.near(subject, { op: "set", name, mtu: state.mtu, up: state.up });
  await batch.run(blame);
}

function remove(batch: LinkWork, subject: Subject, ...names: readonly string[]): void {
  for (const name of names) if (name !== "") batch.near(subject, { op: "delete", name });
}

function creation(yard: string, pipe: string, { far, mtu, up, purpose }: PipeState): LinkOp[] {
  const end = { op: "tap", mtu, up, port: true } as const;
  return [
    { ...end, name: far, alias: formatAlias(yard, `${FAR}${pipe}`) },
    { ...end, name: pipe, alias: formatAlias(yard, `${NEAR}${far} ${purpose}`) },
  ];
}
