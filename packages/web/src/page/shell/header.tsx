import type { HistoryStep } from "../api/api.ts";
import { PaletteButton } from "../edit/palette.tsx";
import { doingText } from "../state/doing.ts";
import { usePage } from "../state/page.ts";
import { useStore } from "../state/store.ts";
import { countNodes, progressText } from "./progress.ts";

/** The bar above: which yard, how it is, and what can be done with all of it. */
export function Header({ side, onSide }: { side: Side; onSide: (side: Side) => void }) {
  const { yard, role } = usePage();
  const name = useStore(yard, (view) => view?.yard);
  const mayChange = useStore(role, (it) => it === "operate");
  return (
    <header className="bar">
      <h1>Switchyard {name ?? ""}</h1>
      <div className="statuses">
        <YardStatus />
        <DoingStatus />
      </div>
      <LabChoice />
      {mayChange ? (
        <>
          <PaletteButton />
          <HistoryButtons />
        </>
      ) : (
        <span className="status">looking only</span>
      )}
      <SideButton side="outline" shown={side} onSide={onSide}>
        List
      </SideButton>
      <SideButton side="file" shown={side} onSide={onSide}>
        Lab file
      </SideButton>
    </header>
  );
}

/** What stands beside the picture. */
export type Side = "none" | "outline" | "file";

function SideButton(props: { side: Side; shown: Side; onSide: (side: Side) => void; children: string }) {
  const { side, shown, onSide, children } = props;
  const isShown = side === shown;
  return (
    <button type="button" aria-pressed={isShown} onClick={() => onSide(isShown ? "none" : side)}>
      {children}
    </button>
  );
}

function YardStatus() {
  const { connection, yard, progress } = usePage();
  const link = useStore(connection, (it) => it);
  const view = useStore(yard, (it) => it);
  const { wanted, applied } = useStore(progress, (it) => it);
  if (link === "refused")
    return (
      <span className="status bad" role="alert">
        the server was started anew: open the link that it has printed
      </span>
    );
  if (link === "lost")
    return (
      <span className="status bad" role="alert">
        the yard does not answer; trying again
      </span>
    );
  if (view === undefined) return <span className="status">connecting</span>;
  if (view.error !== null) return <span className="status bad">{view.error.message}</span>;
  if (view.agent === null) return <span className="status bad">no agent runs</span>;
  const count = countNodes(view.nodes);
  const isBusy = wanted > applied || count.left > 0;
  const text = isBusy && count.left === 0 ? "being made so" : progressText(view.nodes.length, count);
  return (
    <span className={`status ${isBusy ? "busy" : count.failed > 0 ? "bad" : ""}`} data-busy={isBusy}>
      {text}
    </span>
  );
}

/** What the agent does at this moment; its steps, when one looks at it. */
function DoingStatus() {
  const { doing } = usePage();
  const now = useStore(doing, (it) => it);
  if (now === undefined) return null;
  return (
    <span className="status doing" data-at-work={now.ended === undefined} title={now.first.join("\n")}>
      {doingText(now)}
    </span>
  );
}

function LabChoice() {
  const { yard, work } = usePage();
  const labs = useStore(yard, (view) => view?.labs);
  const chosen = useStore(work.lab, (it) => it);
  if (labs === undefined || labs.length === 0) return null;
  return (
    <label>
      Lab{" "}
      <select value={chosen ?? ""} onChange={({ target }) => work.lab.set(target.value || undefined)}>
        <option value="">none</option>
        {labs.map(({ name }) => (
          <option key={name}>{name}</option>
        ))}
      </select>
    </label>
  );
}

function HistoryButtons() {
  const { work } = usePage();
  const { undo, redo } = useStore(work.history.next, (it) => it);
  return (
    <>
      <HistoryButton way="undo" name="Undo" step={undo} />
      <HistoryButton way="redo" name="Redo" step={redo} />
    </>
  );
}

function HistoryButton({ way, name, step }: { way: "undo" | "redo"; name: string; step: HistoryStep | null }) {
  const { history } = usePage().work;
  // What it is stands beside it, not on it: the bar would else be another one after each change.
  const text = step === null ? name : `${name}: ${history.title(step)}`;
  return (
    <button
      type="button"
      disabled={step === null}
      onClick={() => void history.move(way)}
      aria-label={text}
      title={text}
    >
      {name}
    </button>
  );
}
