import { type Lab, type ParsedLab, parseLab } from "@switchyard/yard/model";
import { readLabFile, shownPath } from "./labfile.ts";
import type { Session } from "./session.ts";

/**
 * The lab that a file declares, wholly checked.
 *
 * @throws YardError those of {@link readLabFile}; YardErrors with every error of the file
 */
export function parseLabFile(session: Session, given: string | undefined): Lab {
  return readLab(session, given).lab;
}

/** As {@link parseLabFile}, with the way back into the text. */
export function readLab(session: Session, given: string | undefined): ParsedLab {
  const { file, text } = readLabFile(session.cwd, given);
  return parseLab(text, { file: shownPath(session.cwd, file), environment: session.env });
}
