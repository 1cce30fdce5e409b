import { readFileSync } from "node:fs";
import type { Locator } from "playwright-core";
import type { Stage } from "./stage.ts";

/** What somebody does with the page again and again. */
export interface Hands {
  /** What the lab's file says. */
  file(): string;
  /** The plan that is shown. */
  plan(): Locator;
  /** Chooses from the menu of something. */
  menu(selector: string, entry: string): Promise<void>;
  /** Makes what is proposed, which is then said to be done. */
  make(done: string): Promise<void>;
  /** Answers the form for what is added, and looks at its plan. */
  add(button: string, answers: Readonly<Record<string, string>>): Promise<void>;
  /** Adds a node by its form, which then runs. */
  addNode(kind: string, name: string, answers: Readonly<Record<string, string>>): Promise<void>;
  undo(what: string): Promise<void>;
  /** The lines of a node's terminal. */
  rows(node: string): Locator;
}

/** @param stage asked each time, as it is opened later than its hands */
export function handsOf(stage: () => Stage): Hands {
  const plan = () => stage().page.getByLabel("What would be done");
  const hands: Hands = {
    file: () => readFileSync(stage().labFile, "utf8"),
    plan,
    menu: async (selector, entry) => {
      const { page } = stage();
      await page.locator(selector).first().click({ button: "right" });
      await page.getByRole("menuitem", { name: entry, exact: true }).click();
    },
    make: async (done) => {
      const { page } = stage();
      await page.getByRole("button", { name: "Make it so" }).click();
      await page.getByRole("status").getByText(`${done}: done`).waitFor();
    },
    add: async (button, answers) => {
      const { page } = stage();
      await page.getByRole("button", { name: button }).click();
      for (const [label, text] of Object.entries(answers)) {
        const named = { name: label, exact: true };
        const dialog = page.locator("dialog");
        const field = dialog.getByRole("combobox", named).or(dialog.getByRole("textbox", named));
        if ((await field.evaluate(({ tagName }) => tagName)) === "SELECT") await field.selectOption(text);
        else await field.fill(text);
      }
      await page.locator("dialog").getByRole("button", { name: "See the plan" }).click();
      await plan().waitFor();
    },
    addNode: async (kind, name, answers) => {
      await hands.add("+ Node", { Kind: kind, Name: name, ...answers });
      await plan().getByText(name).first().waitFor();
      await hands.make(`Add the node ${name}`);
      await stage().page.locator(`[data-node="${name}"][data-state="running"]`).waitFor();
    },
    rows: (node) => stage().page.locator(`[data-terminal="${node}"] .xterm-rows`),
    undo: async (what) => {
      const { page } = stage();
      await page.getByRole("button", { name: "Undo:" }).click();
      await page.getByText(`Undone: ${what}`).waitFor();
    },
  };
  return hands;
}
