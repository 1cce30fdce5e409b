import { YardError } from "@switchyard/base";

/** What a shell would act on; here nothing does, so it is refused instead of being passed on as text. */
const SHELL = /[|&;<>()$`\n]/;

/**
 * Splits a command written as one text into its arguments. Blanks separate, '…' and "…" hold together, a backslash takes
 * the next character as it is (within "…" only before `"` and `\`). Nothing is expanded: there is no shell.
 *
 * @throws YardError `command.empty`, `command.open-quote`, `command.shell-syntax`
 */
export function splitWords(text: string): [string, ...string[]] {
  const words: string[] = [];
  let word: string | undefined;
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at);
    if (char === " " || char === "\t") {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (char === "'" || char === '"') {
      const [inside, end] = quoted(text, at);
      word = (word ?? "") + inside;
      at = end;
    } else if (char === "\\") {
      at++;
      if (at >= text.length)
        throw new YardError("command.open-quote", "the command ends with a backslash", {
          hint: "write the backslash twice, or take it out",
        });
      word = (word ?? "") + text.charAt(at);
    } else if (SHELL.test(char)) {
      throw new YardError(
        "command.shell-syntax",
        `${char === "\n" ? "a line break" : `"${char}"`} means something to a shell, and commands are run without one`,
        { hint: 'quote it to pass it on as text, or run a shell: ["sh", "-c", "…"]' },
      );
    } else {
      word = (word ?? "") + char;
    }
  }
  if (word !== undefined) words.push(word);
  const [program, ...rest] = words;
  if (program === undefined || program === "")
    throw new YardError("command.empty", "the command is empty", {
      hint: "write the program's name and its arguments",
    });
  return [program, ...rest];
}

/** The text between the quote at `start` and its partner, and the partner's index. */
function quoted(text: string, start: number): [string, number] {
  const quote = text.charAt(start);
  let inside = "";
  for (let at = start + 1; at < text.length; at++) {
    const char = text.charAt(at);
    if (char === quote) return [inside, at];
    const next = text.charAt(at + 1);
    if (quote === '"' && char === "\\" && (next === '"' || next === "\\")) {
      inside += next;
      at++;
    } else inside += char;
  }
  throw new YardError("command.open-quote", `the quote ${quote} is not closed`, { hint: `end it with ${quote}` });
}
