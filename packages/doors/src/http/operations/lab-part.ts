import { z } from "zod";

/** The parts of a lab file that a request may have. */
export type LabPart = "node" | "nic" | "network";

/** What marks a schema that is described by another one: that of a part of a lab file. */
export const PART = "labPart";

/**
 * A part of a lab file, as data. It is described by the schema of the lab file, and read by the reader of lab files, so
 * that all ways mean and refuse the same.
 */
export function labPart(part: LabPart) {
  return z.record(z.string(), z.unknown()).meta({ [PART]: part });
}
