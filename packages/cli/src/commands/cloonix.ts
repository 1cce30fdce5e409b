import { existsSync, lstatSync, mkdirSync, readlinkSync, rmSync, symlinkSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { YardError } from "@switchyard/base";
import { NAMES } from "@switchyard/doors/cloonix";
import type { Command } from "commander";
import { examples, JSON_HELP } from "../help.ts";
import { subcommand } from "../program.ts";
import { isCompiled } from "../self.ts";
import { type CommonOptions, print, printJson, type Session } from "../session.ts";

/** Where commands of a host's own go (FHS 3.0, 4.9). */
const PLACE = "/usr/local/bin";

/** `yard cloonix install|uninstall [FOLDER]` */
export function define(command: Command, session: Session): void {
  command
    .description(
      "Put cloonix's commands in place, cloonix_net, cloonix_cli and the others: links to this executable, which is\n" +
        "each of them when it is called so. docs/cloonix.md tells what they do.",
    )
    .argument("[what]", "install or uninstall")
    .action((what?: string) => {
      throw new YardError("usage.wrong", what === undefined ? "there is nothing to do" : `"${what}" cannot be done`, {
        hint: "yard cloonix install or yard cloonix uninstall",
      });
    });
  for (const [deed, summary, work] of [
    ["install", "make the links", link],
    ["uninstall", "take them away", unlink],
  ] as const)
    subcommand(command, deed, summary, session)
      .argument("[folder]", `where (default: ${PLACE})`)
      .option("--json", JSON_HELP)
      .action((folder: string | undefined, options: CommonOptions) => {
        const place = resolve(session.cwd, folder ?? PLACE);
        const names = work(place);
        if (options.json) printJson(session, { folder: place, names });
        else print(session, ...names.map((name) => join(place, name)));
      });
  examples(
    command,
    ["sudo yard cloonix install", "cloonix_net nemo then starts a net"],
    ["yard cloonix install ~/bin", "for oneself"],
  );
}

/** @throws YardError `cloonix.not-compiled`, `cloonix.name-taken` */
function link(folder: string): readonly string[] {
  if (!isCompiled())
    throw new YardError("cloonix.not-compiled", "only the built executable can be called by other names", {
      hint: "make build, then dist/yard cloonix install",
    });
  const foreign = NAMES.find((name) => isThere(join(folder, name)) && !isOurs(join(folder, name)));
  if (foreign !== undefined)
    throw new YardError("cloonix.name-taken", `${join(folder, foreign)} is there and no link to this executable`, {
      hint: "take it away, or name another folder",
    });
  mkdirSync(folder, { recursive: true });
  // Beside the executable they go where it goes.
  const target = existsSync(join(folder, basename(process.execPath))) ? basename(process.execPath) : process.execPath;
  for (const name of NAMES) {
    rmSync(join(folder, name), { force: true });
    symlinkSync(target, join(folder, name));
  }
  return NAMES;
}

function unlink(folder: string): readonly string[] {
  const ours = NAMES.filter((name) => isOurs(join(folder, name)));
  for (const name of ours) rmSync(join(folder, name));
  return ours;
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

function isOurs(path: string): boolean {
  return (
    lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true &&
    basename(readlinkSync(path)) === basename(process.execPath)
  );
}
