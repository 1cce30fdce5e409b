/** What other doors can do: this one passes it on. */
import { z } from "zod";
import type { LentCommand } from "../ground.ts";
import { json, type Operation } from "../operation.ts";

const reply = z
  .strictObject({
    answer: z.unknown().describe("What the command answers, as its `--json` prints it; null: nothing."),
    notes: z.array(z.string()).describe("Lines for people: arguments that were ignored, what still has to be done."),
  })
  .meta({ id: "CommandAnswer" });

export function lentOperations(commands: readonly LentCommand[]): Operation[] {
  return commands.map(({ door, name, method, schema, summary, call }) =>
    json({
      id: camel(name === "" ? door : `${door}-${name}`),
      method,
      path: name === "" ? `/${door}` : `/${door}/${name}`,
      role: method === "GET" ? "read" : "operate",
      tag: door,
      summary: `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`,
      ...(schema === undefined ? {} : { body: schema }),
      reply,
      handle: async ({ body, site, gone }) => {
        const notes: string[] = [];
        const signal = method === "GET" ? gone : site.signal;
        const answer = await call(body, { signal, warn: (line) => void notes.push(line) });
        return { answer: answer ?? null, notes };
      },
    }),
  );
}

function camel(words: string): string {
  return words.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}
