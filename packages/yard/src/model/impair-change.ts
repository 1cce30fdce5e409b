/** An impairment changed while it is in use. */
import { contradiction, impairSpec, type Setting, UNIMPAIRED, withSetting } from "./impair.ts";
import type { Impairment, ImpairSpec } from "./types.ts";

/** Settings as they are written in a lab file, which are set; or `off`: none of any. */
export type ImpairSettings = readonly (readonly [Setting, string])[] | "off";

/** What each way is to become; what is left out stays as it is. */
export interface ImpairChange {
  readonly forward?: ImpairSettings;
  readonly backward?: ImpairSettings;
}

/**
 * An impairment with some of its settings changed; those that are not named stay.
 *
 * @returns undefined when nothing is left of it
 * @throws YardError `impair.jitter-over-delay`, `impair.without-effect`, and what a value is refused with
 */
export function changedImpair(present: ImpairSpec | undefined, change: ImpairChange): ImpairSpec | undefined {
  return impairSpec(
    changed(present?.forward ?? UNIMPAIRED, change.forward),
    changed(present?.backward ?? UNIMPAIRED, change.backward),
  );
}

function changed(before: Impairment, settings: ImpairSettings | undefined): Impairment {
  if (settings === undefined) return before;
  if (settings === "off") return UNIMPAIRED;
  const after = settings.reduce((it, [setting, text]) => withSetting(it, setting, text), before);
  const wrong = contradiction(after);
  if (wrong) throw wrong.error;
  return after;
}
