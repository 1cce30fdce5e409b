import { Argument, type Command } from "commander";
import { completionScript, type Shell, shells } from "../completion/scripts.ts";
import { examples } from "../help.ts";
import type { Session } from "../session.ts";

/** `yard completion bash|zsh|fish` */
export function define(command: Command, session: Session): void {
  command
    .description("Print the script that completes verbs, options, names of nodes, networks and yards in a shell.")
    .addArgument(new Argument("<shell>", "which shell").choices(shells))
    .action((shell: Shell) => void session.streams.stdout.write(completionScript(shell)));
  examples(
    command,
    ['eval "$(yard completion bash)"', "in ~/.bashrc"],
    ["yard completion zsh > ~/.zfunc/_yard", "in a folder of fpath"],
    ["yard completion fish | source", "in ~/.config/fish/config.fish"],
  );
}
