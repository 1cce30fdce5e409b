/** What may be said of a nic in two ways: as this file has it, and as Zero-OS does (`hwaddr`, and a `config` mapping). */
import { YardError } from "@switchyard/base";
import type { Path } from "./places.ts";
import type { Reading } from "./reading.ts";
import type { NicFile } from "./schema-nics.ts";

/** A nic in one spelling, and where each key of it is written. */
export interface Spelled {
  readonly file: NicFile;
  at(key: keyof NicFile): Path;
}

/** The other ways to say each key. */
const OTHERS = [
  ["mac", ["hwaddr"]],
  ["ip", ["config", "cidr"]],
  ["gateway", ["config", "gateway"]],
  ["gateway", ["config", "gw"]],
  ["dns", ["config", "dns"]],
  ["dhcp", ["config", "dhcp"]],
] as const satisfies readonly (readonly [keyof NicFile, Path])[];

/** Reads both spellings; what is said twice must be the same. */
export function respell(written: NicFile, path: Path, reading: Reading): Spelled {
  const { hwaddr, config, ...file } = written;
  const values: Readonly<Record<string, unknown>> = { hwaddr, ...config };
  const places = new Map<keyof NicFile, Path>();
  let spelled: NicFile = file;
  for (const [key, way] of OTHERS) {
    const value = values[way.at(-1) ?? ""];
    if (value === undefined) continue;
    const at = [...path, ...way];
    const before = spelled[key];
    if (before === undefined) {
      spelled = { ...spelled, [key]: value };
      places.set(key, at);
    } else if (JSON.stringify(before) !== JSON.stringify(value)) {
      const first = reading.places.where(places.get(key) ?? [...path, key]);
      reading.places.reportKey(
        at,
        () =>
          new YardError("nic.two-spellings", `"${way.join(".")}" says another thing than "${key}" at ${first}`, {
            hint: "they mean the same: write one of the two",
          }),
      );
    }
  }
  return { file: spelled, at: (key) => places.get(key) ?? [...path, key] };
}
