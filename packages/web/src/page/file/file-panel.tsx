import { useCallback, useEffect, useState } from "react";
import { problemText } from "../api/problem.ts";
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

function LabFile({ lab }: { lab: string }) {
  const { api, work, texts, role } = usePage();
  const [written, setWritten] = useState<string | undefined>(undefined);
  const [text, setText] = useState("");
  const [problem, setProblem] = useState("");
  const count = useStore(texts, (it) => (it.lab === lab ? it.count : 0));
  const mayChange = useStore(role, (it) => it === "operate");
  const isChanged = written !== undefined && text !== written;

  // biome-ignore lint/correctness/useExhaustiveDependencies: each count is another text
  useEffect(() => {
    let isOver = false;
    api.lab(lab).then(
      ({ text: now }) => {
        if (isOver) return;
        setProblem(now === null ? "The lab's file cannot be read." : "");
        setWritten((before) => {
          // What somebody is writing is not taken away from under the pen.
          setText((open) => (before === undefined || open === before ? (now ?? "") : open));
          return now ?? "";
        });
      },
      (thrown: unknown) => setProblem(problemText(thrown)),
    );
    return () => {
      isOver = true;
    };
  }, [api, lab, count]);
  const check = useCallback((of: string) => api.check(of), [api]);

  return (
    <>
      <header>
        <h2>{lab}.yard.yaml</h2>
        <span className="gap" />
        <a href={`/api/v1/labs/${encodeURIComponent(lab)}/text`} download={`${lab}.yard.yaml`}>
          Export
        </a>
        <button type="button" disabled={!mayChange} onClick={() => void work.down(lab)}>
          Take down…
        </button>
        <button type="button" disabled={!isChanged} onClick={() => setText(written ?? "")}>
          Put back
        </button>
        <button
          type="button"
          className="primary"
          disabled={!isChanged || !mayChange}
          onClick={() => work.declare(lab, text, written)}
        >
          See the plan
        </button>
      </header>
      {problem === "" ? null : (
        <p className="alert" role="alert">
          {problem}
        </p>
      )}
      {written === undefined ? null : <Editor text={text} onText={setText} check={check} schema={() => api.schema()} />}
    </>
  );
}
