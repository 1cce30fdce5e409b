import { useCallback, useEffect, useState } from "react";
import { problemText } from "../api/problem.ts";
import { merged } from "../edit/same-lines.ts";
import { usePage } from "../state/page.ts";
import { useStore } from "../state/store.ts";
import { Editor } from "./editor.tsx";

/** The lab file beside the picture. What is changed in the picture is changed here, and the other way round. */
export default function FilePanel() {
  const { work, yard } = usePage();
  const chosen = useStore(work.lab, (it) => it);
  const lab = useStore(yard, (view) => view?.labs.find(({ name }) => name === chosen)?.name);
  return (
    <aside className="side" aria-label="Lab file">
      {lab === undefined ? (
        <p className="status outline">Choose or add a lab above.</p>
      ) : (
        <LabFile key={lab} lab={lab} />
      )}
    </aside>
  );
}

/** A text that somebody writes on, and what stands in the file. */
interface Draft {
  readonly text: string;
  /** What the file said when this text was begun from it. */
  readonly base: string;
  readonly file: string;
  readonly etag: string | null;
}

/** What somebody is writing is not taken away from under the pen: what the file says otherwise is brought into it. */
function withFile(draft: Draft | undefined, file: string, etag: string | null): Draft {
  const text = draft === undefined ? file : merged(draft.base, draft.text, file);
  return draft !== undefined && text === undefined
    ? { ...draft, file, etag }
    : { text: text ?? file, base: file, file, etag };
}

function LabFile({ lab }: { lab: string }) {
  const { api, work, texts, role } = usePage();
  const [draft, setDraft] = useState<Draft | undefined>(undefined);
  const [problem, setProblem] = useState("");
  const count = useStore(texts, (it) => (it.lab === lab ? it.count : 0));
  const mayChange = useStore(role, (it) => it === "operate");
  const isChanged = draft !== undefined && draft.text !== draft.file;
  const isAgainst = draft !== undefined && draft.base !== draft.file;

  // biome-ignore lint/correctness/useExhaustiveDependencies: each count is another text
  useEffect(() => {
    let isOver = false;
    api.lab(lab).then(
      ({ text: now, etag }) => {
        if (isOver) return;
        setProblem(now === null ? "The lab's file cannot be read." : "");
        setDraft((before) => withFile(before, now ?? "", etag));
      },
      (thrown: unknown) => setProblem(problemText(thrown)),
    );
    return () => {
      isOver = true;
    };
  }, [api, lab, count]);
  const check = useCallback((of: string) => api.check(of), [api]);
  const write = useCallback((text: string) => setDraft((it) => it && { ...it, text }), []);
  const begin = (keep: boolean) => setDraft((it) => it && { ...it, base: it.file, text: keep ? it.text : it.file });

  return (
    <>
      <header>
        <h2>{lab}.yard.yaml</h2>
        <span className="gap" />
        <a href={`/api/v1/labs/${encodeURIComponent(lab)}/text`} download={`${lab}.yard.yaml`}>
          Export
        </a>
        <button type="button" disabled={!mayChange} onClick={() => work.down(lab)}>
          Take down…
        </button>
        <button type="button" disabled={!isChanged} onClick={() => begin(false)}>
          Put back
        </button>
        <button
          type="button"
          className="primary"
          disabled={draft === undefined || isAgainst || !mayChange}
          onClick={() => draft && work.declare(lab, draft.text, draft)}
        >
          See the plan
        </button>
      </header>
      {problem === "" ? null : (
        <p className="alert" role="alert">
          {problem}
        </p>
      )}
      {isAgainst ? (
        <div className="alert" role="alert">
          The same lines have been changed elsewhere since you began.{" "}
          <button type="button" onClick={() => begin(true)}>
            Keep mine
          </button>{" "}
          <button type="button" onClick={() => begin(false)}>
            Take the file's
          </button>
        </div>
      ) : null}
      {draft === undefined ? null : (
        <Editor text={draft.text} onText={write} check={check} schema={() => api.schema()} />
      )}
    </>
  );
}
