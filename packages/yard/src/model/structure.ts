/** The first half of the validation: whether the file has the schema's shape, told in people's words. */
import { YardError } from "@switchyard/base";
import type { z } from "zod";
import { elsewhere, keysAt } from "./keys.ts";
import { nearest, suggest } from "./nearest.ts";
import type { Path, Places } from "./places.ts";
import { Repair } from "./repair.ts";
import { type LabFile, labSchema } from "./schema.ts";
import { KINDS } from "./schema-nodes.ts";

type Issue = z.core.$ZodIssue;

/** The part of the file that has the right shape, and what was left out of it. */
export interface Structure {
  readonly data: LabFile;
  /** Whether the entry at this path was left out, so that nothing can be said of who refers to it. */
  broken(path: Path): boolean;
}

/** A kind, a key of it and what that lacks, and one to spare. */
const MOST_ROUNDS = 4;

/** The words are ours; the library's own would ask a mapping with a key "constructor" what it is called. */
const UNWORDED = { error: () => "" };

/**
 * Holds the file against the schema. Every departure goes to the problems; entries that have one are left out of the
 * result (a mistyped key is put right first), so that the rest can still be examined.
 *
 * @returns undefined if nothing is left to be examined
 */
export function readStructure(places: Places): Structure | undefined {
  const raw = places.root.value;
  const whole = labSchema.safeParse(raw, UNWORDED);
  if (whole.success) return { data: whole.data, broken: () => false };
  const repair = new Repair(raw);
  let { issues } = whole.error;
  // What a node lacks whose kind was put right, say, is seen only in the next round.
  for (let rounds = 0; rounds < MOST_ROUNDS; rounds++) {
    // Mistyped keys first: what else is missing may be one of them.
    for (const issue of issues.toSorted((a, b) => Number(isUnknown(b)) - Number(isUnknown(a))))
      tell(issue, places, repair);
    const rest = labSchema.safeParse(repair.value, UNWORDED);
    if (rest.success) return { data: rest.data, broken: (path) => repair.broken.has(JSON.stringify(path)) };
    issues = rest.error.issues;
  }
  return undefined;
}

function isUnknown(issue: Issue): boolean {
  return issue.code === "unrecognized_keys";
}

function tell(found: Issue, places: Places, repair: Repair): void {
  const { issue, path } = narrow(found, []);
  if (issue.code === "unrecognized_keys") {
    for (const key of issue.keys) {
      const known = keysAt(path, places);
      const right = nearest(key, known);
      const hint = elsewhere(key, path, places) ?? suggest(key, known);
      places.reportKey(
        [...path, key],
        () =>
          new YardError(
            "lab.unknown-key",
            `"${key}" is not a key of ${subject(path)}`,
            hint === undefined ? {} : { hint },
          ),
      );
      repair.rename(path, key, right);
    }
    return;
  }
  const node = places.node(path);
  if (node === undefined && repair.renamed(path)) return;
  const meant = issue.code === "invalid_value" ? nearestValue(issue.values, node?.value) : undefined;
  if (meant === undefined) repair.drop(path);
  else repair.correct(path, meant);
  if (issue.code === "invalid_key" || (issue.code === "invalid_format" && path.length === 1)) tellName(path, places);
  else if (node === undefined) tellMissing(path, places);
  else places.report(path, () => misfit(issue, path, node.value));
}

function tellMissing(path: Path, places: Places): void {
  const around = path.slice(0, -1);
  const key = String(path.at(-1));
  places.reportKey(
    around,
    () => new YardError("lab.missing-key", `${subject(around)} needs the key "${key}"`, missingHint(key)),
  );
}

/** The error of a value that is there and does not fit. */
function misfit(issue: Issue, path: Path, value: unknown): YardError {
  const got = describe(value);
  switch (issue.code) {
    case "invalid_value": {
      const values = issue.values.map(String);
      const near = nearestValue(issue.values, value);
      const details = near === undefined ? {} : { hint: `did you mean "${near}"?` };
      return new YardError("lab.unknown-value", `${name(path)} is one of ${values.join(", ")}, not ${got}`, details);
    }
    case "too_big":
    case "too_small":
      return new YardError("lab.out-of-range", `${name(path)} ${bound(issue)}, not ${got}`);
    case "invalid_type":
      return wrongType(path, [issue.expected], value);
    case "invalid_union": {
      const expected = issue.errors.flatMap(([first]) => (first?.code === "invalid_type" ? [first.expected] : []));
      return wrongType(path, expected, value);
    }
    case "unrecognized_keys":
    case "invalid_key":
    case "invalid_format":
    case "not_multiple_of":
    case "invalid_element":
    case "custom":
      return new YardError("lab.wrong-type", `${name(path)} cannot be ${got}`);
  }
}

/** Of the values that a key can have the one that was most likely meant. */
function nearestValue(values: readonly unknown[], value: unknown): string | undefined {
  return typeof value === "string" ? nearest(value, values.map(String)) : undefined;
}

/** Of a union's branches the one that was meant: that whose type the value has. */
function narrow(issue: Issue, base: Path): { issue: Issue; path: Path } {
  const path = [...base, ...issue.path.map((step) => (typeof step === "number" ? step : String(step)))];
  if (issue.code !== "invalid_union") return { issue, path };
  if (issue.discriminator !== undefined) {
    return { issue: { code: "invalid_value", values: [...KINDS], path: [], message: "" }, path };
  }
  for (const branch of issue.errors) {
    const [first] = branch;
    if (first !== undefined && (first.path.length > 0 || first.code !== "invalid_type")) return narrow(first, path);
  }
  return { issue, path };
}

function wrongType(path: Path, expected: readonly string[], value: unknown): YardError {
  const wanted = [...new Set(expected.map(typeWords))].filter((words) => words !== "nothing").join(" or ");
  const quote = typeof value !== "string" && typeof value !== "object" && expected.includes("string");
  return new YardError(
    "lab.wrong-type",
    `${name(path)} is ${wanted}, not ${describe(value)}`,
    quote ? { hint: `put it in quotes: "${String(value)}"` } : {},
  );
}

function tellName(path: Path, places: Places): void {
  const key = String(path.length === 1 ? describe(places.node(path)?.value) : `"${path.at(-1)}"`);
  const grammar = "up to 63 letters, digits, `-`, `_` and `.`, the first a letter or digit";
  const section = path.at(-2) ?? path[0];
  const tellAt = path.length === 1 ? places.report.bind(places) : places.reportKey.bind(places);
  tellAt(path, () => {
    switch (section) {
      case "networks":
        return new YardError("network.bad-name", `${key} cannot be the name of a network`, {
          hint: `a name is ${grammar}`,
        });
      case "nodes":
        return new YardError("node.bad-name", `${key} cannot be the name of a node`, { hint: `a name is ${grammar}` });
      case "env":
        return new YardError("env.bad-name", `${key} cannot be the name of an environment variable`, {
          hint: "a name is letters, digits, `_`, `.` and `-`, the first no digit",
        });
      case "sysctls":
        return new YardError("sysctl.bad-name", `${key} is not the name of a kernel parameter`, {
          hint: "write it with dots, as in net.ipv4.ip_forward",
        });
      default:
        return new YardError("lab.bad-name", `${key} cannot be the name of a lab`, { hint: `a name is ${grammar}` });
    }
  });
}

function bound(issue: Extract<Issue, { code: "too_big" | "too_small" }>): string {
  const [limit, word] =
    issue.code === "too_big"
      ? [issue.maximum, "at most"]
      : [issue.minimum, issue.inclusive === false ? "more than" : "at least"];
  if (issue.origin === "array") return issue.exact ? `has exactly ${limit} entries` : `has ${word} ${limit} entries`;
  return `is ${word} ${limit}`;
}

function typeWords(expected: string): string {
  switch (expected) {
    case "string":
      return "a text";
    case "number":
      return "a number";
    case "int":
      return "a whole number";
    case "boolean":
      return "true or false";
    case "array":
      return "a list";
    case "object":
    case "record":
      return "a mapping";
    case "null":
      return "nothing";
    default:
      return expected;
  }
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return "nothing";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  if (typeof value === "object") return "a mapping";
  const shown = JSON.stringify(value);
  const short = shown.length > 60 ? `${shown.slice(0, 57)}…"` : shown;
  return typeof value === "string" ? short : `the ${typeof value === "number" ? "number" : "value"} ${String(value)}`;
}

function name(path: Path): string {
  const last = path.at(-1);
  if (last === undefined) return "a lab file";
  if (typeof last === "number") return `entry ${last + 1} of "${path.at(-2)}"`;
  return path.length === 2 && (path[0] === "nodes" || path[0] === "networks") ? subject(path) : `"${last}"`;
}

/** What the mapping at a path is. */
function subject(path: Path): string {
  const [section, entry, key] = path;
  const last = path.at(-1);
  if (section === undefined) return "a lab file";
  if (path.length === 1) return `"${section}"`;
  if (section === "networks") return `network "${entry}"`;
  if (section === "nodes" && path.length === 2) return `node "${entry}"`;
  if (path.at(-2) === "routes") return "a route";
  if (section === "nodes" && key === "nics") return `a nic of "${entry}"`;
  if (section === "links") return "a link";
  if (section === "checks" && path.length === 2) return "a check";
  return `"${last}"`;
}

function missingHint(key: string): { hint?: string } {
  if (key === "kind")
    return {
      hint: "kind: netns is a bare network namespace, kind: container a container, kind: vm a virtual machine; a2b, tap, nat, c2c and phy join networks",
    };
  if (key === "name") return { hint: "for instance `name: office`" };
  return {};
}
