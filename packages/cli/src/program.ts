import { shellWords, YardError } from "@switchyard/base";
import { Command, CommanderError, Help, Option } from "commander";
import { RootNeeded, type Session } from "./session.ts";
import { hiddenVerbs, type Verb, verbOf, verbs } from "./verbs.ts";
import { version } from "./version.ts";

/**
 * The command line as commander knows it: the verb that `argv` calls, loaded; or all verbs for the help, not loaded.
 */
export async function createProgram(session: Session, argv: readonly string[]): Promise<Command> {
  const program = new Command("yard");
  configure(program, session);
  program
    .summary("Open vSwitch networking for containers and virtual machines")
    .description(
      "Switchyard gives containers and virtual machines Open vSwitch networking: from one nic on one\n" +
        "bridge to a thousand-node lab, declared in a file or built command by command.",
    )
    .usage("[-y NAME | --system] VERB …")
    .version(version, "-V, --version", "print the version")
    .helpOption("-h, --help", "show help")
    .commandsGroup("Yards and the host:")
    .helpCommand("help [verb...]", "show help for a verb")
    .enablePositionalOptions()
    .addHelpText(
      "after",
      `
Examples:
  yard init && yard up && yard check      write a lab, bring it up, prove that it works
  yard ps                                 what runs, with addresses
  yard exec web -- ip address             run a command in a node
  yard down                               take all labs of the yard away

Exit codes: 0 done, 1 failed, 2 wrong usage.`,
    );
  common(program);
  const called = wanted(argv);
  for (const verb of shown(argv)) {
    const command = new Command(verb.name);
    configure(command, session);
    command.summary(verb.summary).description(sentence(verb.summary)).helpGroup(verb.group);
    command.helpOption("-h, --help", "show help");
    if (called.has(verb.name)) {
      const module = await verb.load();
      module.define(command, session);
    }
    common(command);
    program.addCommand(command, { hidden: hiddenVerbs.includes(verb) });
  }
  return program;
}

/** All verbs with their arguments and options, for completion and for the reference. */
export async function describeProgram(session: Session): Promise<Command> {
  return createProgram(session, ["help", ...verbs.map(({ name }) => name)]);
}

/**
 * Runs a command line.
 *
 * @throws YardError `usage.wrong`, and whatever the verb throws
 */
export async function runProgram(session: Session, argv: readonly string[]): Promise<void> {
  if (verbOf(argv) === "help") return showHelp(session, argv.slice(argv.indexOf("help") + 1));
  const program = await createProgram(session, argv);
  try {
    if (argv.length === 0) program.outputHelp();
    else await program.parseAsync([...argv], { from: "user" });
  } catch (error) {
    if (error instanceof RootNeeded && (await throughAgent(session, error, argv))) return;
    if (!(error instanceof CommanderError)) throw error;
    // Help and version end the parse this way too, having printed.
    if (error.exitCode === 0) return;
    throw usageError(error, argv);
  }
}

/** Help for a verb, or for one below it: `yard help nic add`. @throws YardError `usage.wrong` for a verb that is none */
async function showHelp(session: Session, argv: readonly string[]): Promise<void> {
  const words = argv.filter((word) => !word.startsWith("-"));
  const [verb] = words;
  if (verb === undefined || verb === "help") return (await createProgram(session, [])).outputHelp();
  // Parsed, and thus told to be none, like any unknown verb; those that are hidden would run.
  if (hiddenVerbs.some(({ name }) => name === verb))
    throw new YardError("usage.wrong", `unknown command '${verb}'`, { hint: "`yard help` lists the verbs" });
  if (!verbs.some(({ name }) => name === verb)) return runProgram(session, [verb]);
  let command = await createProgram(session, [verb]);
  for (const word of words) {
    const below = command.commands.find((one) => one.name() === word || one.aliases().includes(word));
    if (below === undefined) break;
    command = below;
  }
  command.outputHelp();
}

/** Members of the group `yard` have the agent do what needs root; nothing of it has been done yet. */
async function throughAgent(session: Session, { yard }: RootNeeded, argv: readonly string[]): Promise<boolean> {
  if (yard === undefined) return false;
  const { sendErrand } = await import("./errand/send.ts");
  return sendErrand(session, yard, argv);
}

/** Gives a verb a verb below it, with what every verb has. */
export function subcommand(parent: Command, name: string, summary: string, session: Session): Command {
  const command = parent.command(name);
  configure(command, session);
  parent.enablePositionalOptions();
  command.summary(summary).description(sentence(summary)).helpOption("-h, --help", "show help");
  common(command);
  return command;
}

/** A wrong command line: exit code 2. */
export function isUsageError(error: unknown): boolean {
  return error instanceof YardError && usageCodes.has(error.code);
}
const usageCodes = new Set([
  "usage.wrong",
  "yard.two-names",
  "yard.bad-name",
  "cp.bad-path",
  "ovs.bad-argument",
  "ec.wrong-usage",
  "cloonix.bad-word",
  "cloonix.bad-net",
]);

function usageError(error: CommanderError, argv: readonly string[]): YardError {
  const verb = verbOf(argv);
  const known = verbs.some(({ name }) => name === verb);
  const [message = "", suggestion] = error.message.replace(/^error: /, "").split("\n");
  const see = known
    ? (misplaced(message, argv, verb) ?? `\`yard help ${verb}\` shows what it takes`)
    : "`yard help` lists the verbs";
  const meant =
    suggestion === undefined ? undefined : suggestion.replace(/^\(Did you mean (.*)\?\)$/, "did you mean $1?");
  return new YardError("usage.wrong", message, { hint: meant === undefined ? see : `${meant} ${see}` });
}

/** The hint for an option of a verb that stands before it. */
function misplaced(message: string, argv: readonly string[], verb: string | undefined): string | undefined {
  const [, option = ""] = /^unknown option '([^']+)'/.exec(message) ?? [];
  const [at, verbAt] = [argv.indexOf(option), argv.indexOf(verb ?? "")];
  if (at < 0 || at > verbAt) return undefined;
  const rest = argv.filter((_, index) => index !== at);
  rest.splice(verbAt, 0, option);
  return `only -y and --system may stand before the verb: ${shellWords(["yard", ...rest])}`;
}

/** Which verbs the program must know of: where one of them is called the others would only cost time. */
function shown(argv: readonly string[]): readonly Verb[] {
  const all = [...verbs, ...hiddenVerbs];
  const verb = verbOf(argv);
  const called = all.find(({ name }) => name === verb);
  return called === undefined ? all : [called];
}

/** Which verbs must be loaded: the one called, or those that help is asked for. */
function wanted(argv: readonly string[]): ReadonlySet<string> {
  const verb = verbOf(argv);
  if (verb === undefined) return new Set();
  return verb === "help" ? new Set(argv) : new Set([verb]);
}

function configure(command: Command, session: Session): void {
  const { streams, style, errorStyle } = session;
  command
    .exitOverride()
    .showSuggestionAfterError(true)
    .allowExcessArguments(false)
    .configureOutput({
      writeOut: (text) => void streams.stdout.write(text),
      writeErr: (text) => void streams.stderr.write(text),
      // The session renders the error, in its own form.
      outputError: () => {},
      getOutHelpWidth: () => Math.min(streams.stdout.columns ?? 100, 120),
      getErrHelpWidth: () => Math.min(streams.stderr.columns ?? 100, 120),
      getOutHasColors: () => style.bold("x") !== "x",
      getErrHasColors: () => errorStyle.bold("x") !== "x",
    })
    .configureHelp({
      showGlobalOptions: false,
      subcommandTerm: (verb) => verb.name(),
      // Lines of the source are not those of the terminal, which may be narrower.
      commandDescription: (verb) => verb.description().replaceAll(/(?<!\n)\n(?!\n)/g, " "),
      styleTitle: (title) => style.bold(title),
      commandUsage(verb) {
        // What stands in its place is an argument only so that our own error tells what is missing.
        if (verb.parent !== null && verb.commands.length > 0) return `yard ${verb.name()} COMMAND …`;
        return Help.prototype.commandUsage.call(this, verb);
      },
      visibleArguments(verb) {
        return verb.commands.length > 0 ? [] : Help.prototype.visibleArguments.call(this, verb);
      },
    });
}

/** `-y` and `--system` stand before or after the verb. */
function common(command: Command): void {
  command
    .addOption(new Option("-y, --yard <name>", "the yard to work on (SWITCHYARD_YARD, else main)").helpGroup("Yard:"))
    .addOption(new Option("--system", "work on the host's own Open vSwitch").helpGroup("Yard:"));
}

function sentence(summary: string): string {
  return `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`;
}
