import {
  autocompletion,
  type CompletionContext,
  type CompletionResult,
  completionKeymap,
} from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { yaml } from "@codemirror/lang-yaml";
import { HighlightStyle, indentOnInput, syntaxHighlighting } from "@codemirror/language";
import { type Diagnostic, linter, lintGutter, lintKeymap } from "@codemirror/lint";
import { EditorState, type Text } from "@codemirror/state";
import { drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { useEffect, useRef } from "react";
import type { ApiError, Problem } from "../api/problem.ts";
import { pageNonce } from "../shell/nonce.ts";
import { placeAt, type Schema, suggest } from "./completion.ts";

interface Props {
  text: string;
  onText: (text: string) => void;
  /** What is wrong with a text. */
  check: (text: string) => Promise<ApiError | undefined>;
  schema: () => Promise<object>;
}

/** An editor for lab files: it completes from the schema, and shows the yard's own errors where they are. */
export function Editor({ text, onText, check, schema }: Props) {
  const element = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | undefined>(undefined);
  const calls = useRef({ onText, check, schema });
  calls.current = { onText, check, schema };

  useEffect(() => {
    if (element.current === null) return undefined;
    let rules: Promise<object> | undefined;
    const completion = async (context: CompletionContext) => {
      rules ??= calls.current.schema();
      return completionsAt(context, (await rules) as Schema);
    };
    const opened = new EditorView({
      parent: element.current,
      state: EditorState.create({
        extensions: [
          ...EXTENSIONS,
          EditorView.cspNonce.of(pageNonce()),
          autocompletion({ override: [completion] }),
          linter(async ({ state }) => diagnosticsOf(state.doc, await calls.current.check(state.doc.toString())), {
            delay: 400,
          }),
          EditorView.updateListener.of(({ docChanged, state }) => {
            if (docChanged) calls.current.onText(state.doc.toString());
          }),
        ],
      }),
    });
    view.current = opened;
    return () => opened.destroy();
  }, []);

  useEffect(() => {
    const open = view.current;
    if (open === undefined || open.state.doc.toString() === text) return;
    open.dispatch({ changes: changeBetween(open.state.doc.toString(), text) });
  }, [text]);

  return <div className="editor" ref={element} />;
}

/** Readable by day and in the dark. */
const COLORS = HighlightStyle.define([
  { tag: tags.comment, color: "var(--quiet)", fontStyle: "italic" },
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--accent)" },
  { tag: [tags.string, tags.content], color: "var(--text)" },
  { tag: [tags.punctuation, tags.separator], color: "var(--quiet)" },
]);

const THEME = EditorView.theme({
  "&": { fontSize: "13px", backgroundColor: "var(--surface)", color: "var(--text)" },
  ".cm-scroller": { fontFamily: "var(--mono)" },
  ".cm-content": { caretColor: "var(--text)" },
  ".cm-cursor": { borderLeftColor: "var(--text)" },
  ".cm-gutters": { backgroundColor: "var(--surface)", color: "var(--quiet)", borderRight: "1px solid var(--line)" },
  ".cm-activeLine": { backgroundColor: "var(--ground)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": {
    backgroundColor: "var(--accent-ground)",
  },
  ".cm-tooltip": { backgroundColor: "var(--raised)", color: "var(--text)", border: "1px solid var(--line)" },
  ".cm-tooltip-autocomplete > ul > li[aria-selected]": {
    backgroundColor: "var(--accent-ground)",
    color: "var(--text)",
  },
});

const EXTENSIONS = [
  lineNumbers(),
  history(),
  drawSelection(),
  indentOnInput(),
  highlightActiveLine(),
  lintGutter(),
  yaml(),
  syntaxHighlighting(COLORS),
  // Tab leaves the editor, as it does every field: the keyboard is for all of the page.
  keymap.of([...completionKeymap, ...lintKeymap, ...historyKeymap, ...defaultKeymap]),
  EditorView.contentAttributes.of({ "aria-label": "Lab file", tabindex: "0" }),
  THEME,
];

/** What has to be replaced, so that the cursor stays where it is. */
function changeBetween(before: string, after: string): { from: number; to: number; insert: string } {
  let from = 0;
  while (from < before.length && from < after.length && before[from] === after[from]) from++;
  let [to, end] = [before.length, after.length];
  while (to > from && end > from && before[to - 1] === after[end - 1]) {
    to--;
    end--;
  }
  return { from, to, insert: after.slice(from, end) };
}

function completionsAt({ state, pos, explicit }: CompletionContext, schema: Schema): CompletionResult | null {
  const text = state.doc.toString();
  const place = placeAt(text, pos);
  if (place.prefix === "" && !explicit && !place.isValue) return null;
  const options = suggest(schema, place, text).map(({ text: label, kind, about }) => ({
    label,
    type: kind === "key" ? "property" : "enum",
    ...(kind === "key" ? { apply: `${label}: ` } : {}),
    ...(about === undefined ? {} : { info: about }),
  }));
  return { from: pos - place.prefix.length, options };
}

function diagnosticsOf(doc: Text, error: ApiError | undefined): Diagnostic[] {
  if (error === undefined) return [];
  const { problem } = error;
  return (problem.errors.length > 0 ? problem.errors : [problem]).map((each) => diagnosticOf(doc, each));
}

/** At its line and column: `lab:12:5`. */
function diagnosticOf(doc: Text, { where, detail, hint }: Problem): Diagnostic {
  const [, row = "1", column = "1"] = /:(\d+):(\d+)$/.exec(where ?? "") ?? [];
  const line = doc.line(Math.min(doc.lines, Math.max(1, Number(row))));
  const from = Math.min(line.to, line.from + Number(column) - 1);
  const word = /^[^\s,}\]]+/.exec(doc.sliceString(from, line.to))?.[0].length ?? 0;
  return { from, to: from + word, severity: "error", message: hint === undefined ? detail : `${detail}\n${hint}` };
}
