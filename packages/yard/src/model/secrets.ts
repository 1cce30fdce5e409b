/** Lab files for those who may look at a yard and not into it. */
import { Problems } from "./problems.ts";
import { readSource, type SourceNode } from "./source.ts";

/** What stands in the place of what is hidden. */
export const HIDDEN = '"(hidden)"';

/**
 * A lab's text with what may be secret hidden: the values of `env`, and the user data of cloud-init. All else is as it was
 * written, comments too.
 *
 * @returns undefined where the text cannot be read without a problem, or says a value by a name (`*name`) that may stand elsewhere too: it must
 *   not be shown at all then
 */
export function withoutSecrets(text: string): string | undefined {
  const problems = new Problems(text, "lab");
  const root = readSource(text, problems);
  // Of a key that stands there twice, only the first is read.
  if (root === undefined || problems.some) return undefined;
  const entry = (node: SourceNode | undefined, name: string) => node?.entries?.get(name)?.node;
  const valuesOf = (node: SourceNode | undefined) => [...(node?.entries?.values() ?? [])].map((it) => it.node);
  const secrets = [entry(root, "defaults"), ...valuesOf(entry(root, "nodes"))].flatMap((node) => [
    ...[entry(node, "env")].flatMap((env) => (env === undefined ? [] : env.entries ? valuesOf(env) : [env])),
    ...[entry(entry(node, "cloud_init"), "user_data")].flatMap((it) => it ?? []),
  ]);
  const places = new Map(secrets.map(({ start, end }) => [start, end]));
  let shown = text;
  for (const [start, end] of [...places].toSorted(([a], [b]) => b - a)) {
    const written = text.slice(start, end);
    if (written.startsWith("*")) return undefined;
    // A value that is left out has the place of its key.
    if (written === "" || secrets.some((it) => it.start === start && it.value === null)) continue;
    shown = `${shown.slice(0, start)}${HIDDEN}${written.endsWith("\n") ? "\n" : ""}${shown.slice(end)}`;
  }
  return shown;
}
