/** What the doctor found out about one thing. */
export interface Finding {
  readonly name: string;
  /** `ok`; `missing`: it cannot be had as the host is; `limited`: works, but less well than it could. */
  readonly state: "ok" | "limited" | "missing";
  /** What was found, for people: a version, a reason. */
  readonly found: string;
  /** What it is for. */
  readonly purpose: string;
  /** What to do about it, where it is not `ok`. */
  readonly remedy: string | undefined;
  /** Whether nothing at all works without it. */
  readonly essential: boolean;
}

/** How an attempt came out: what was found, and whether that is good. */
export type Outcome =
  | { readonly ok: true; readonly found: string }
  | { readonly ok: false; readonly found: string; readonly remedy: string; readonly limited?: boolean };

/** Something to try. Never rejects: a failure is what it finds. */
export interface Examination {
  readonly name: string;
  readonly purpose: string;
  readonly essential?: boolean;
  readonly examine: () => Promise<Outcome>;
}

/** Tries one thing. */
export async function examine({ name, purpose, essential = false, examine }: Examination): Promise<Finding> {
  const outcome = await examine().catch(
    (error: unknown): Outcome => ({
      ok: false,
      found: error instanceof Error ? error.message : String(error),
      remedy: "",
    }),
  );
  return {
    name,
    purpose,
    essential,
    state: outcome.ok ? "ok" : outcome.limited ? "limited" : "missing",
    found: outcome.found,
    remedy: outcome.ok || outcome.remedy === "" ? undefined : outcome.remedy,
  };
}
