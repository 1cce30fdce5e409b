import { existsSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { errnoOf, YardError } from "@switchyard/base";
import { initialLab } from "@switchyard/yard/model";
import type { Command } from "commander";
import { examples } from "../help.ts";
import { shownPath } from "../labfile.ts";
import { print, type Session } from "../session.ts";

/** `yard init [FILE]` */
export function define(command: Command, session: Session): void {
  command
    .description("Write a commented lab file that comes up as it is: change it to what you need.")
    .argument("[file]", "the file to write (default: <folder>.yard.yaml)")
    .action((given: string | undefined) => init(session, given));
  examples(
    command,
    ["yard init && yard up", "write a lab file and bring it up"],
    ["yard init office.yard.yaml", "name it; the lab is called office"],
  );
}

function init(session: Session, given: string | undefined): void {
  const file = resolve(session.cwd, given ?? `${labNameOf(basename(session.cwd))}.yard.yaml`);
  const shown = shownPath(session.cwd, file);
  try {
    const name = labNameOf(basename(file).replace(/(\.yard)?\.ya?ml$/, ""));
    writeFileSync(file, initialLab(name, schemaFile()), { flag: "wx" });
  } catch (cause) {
    if (errnoOf(cause) === "EEXIST")
      throw new YardError("lab.file-exists", `${shown} exists already`, {
        hint: "name another file, or remove it first",
      });
    throw new YardError(
      "lab.file-unwritable",
      `${shown} cannot be written: ${cause instanceof Error ? cause.message : cause}`,
      { cause },
    );
  }
  print(session, `wrote ${shown}`, "bring it up: yard up, prove it: yard check, take it away: yard down");
}

/** Where the schema of lab files is: installed beside the executable, or in the sources that it was built in. */
function schemaFile(): string | undefined {
  const beside = dirname(process.execPath);
  return ["../share/switchyard/lab.schema.json", "../schemas/lab.schema.json"]
    .map((path) => join(beside, path))
    .find((path) => existsSync(path));
}

/** A name that the grammar of labs takes, as near as may be to the folder's. */
export function labNameOf(text: string): string {
  const name = text
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, "-")
    .replace(/^[^a-z]+|-+$/g, "")
    .slice(0, 20);
  return name === "" ? "lab" : name;
}
