import { type Lab, type ParsedLab, parseLab } from "@switchyard/yard/model";
import { type LabText, readLabFile, shownPath } from "./labfile.ts";
import type { Session } from "./session.ts";

/**
 * The lab that a file declares, wholly checked.
 *
 * @throws YardError those of {@link readLabFile}; YardErrors with every error of the file
 */
export async function parseLabFile(session: Session, given: string | undefined): Promise<Lab> {
  return parseText(session, await readLabFile(session.cwd, given, session.signal)).lab;
}

/** What has been read, with the way back into the text. @throws YardErrors with every error of the file */
export function parseText(session: Session, { file, text }: LabText): ParsedLab {
  return parseLab(text, { file: shownPath(session.cwd, file), environment: session.env });
}
