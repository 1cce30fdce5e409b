import { useEffect, useRef, useState } from "react";
import type { Step } from "../api/api.ts";
import { problemText } from "../api/problem.ts";
import { usePage } from "../state/page.ts";
import { NO_SLIDES, SLIDERS, type Slides, slidesOf, writtenOf } from "./impair-sliders.ts";
import { type Impaired, impairedText, impairOf, waysOf } from "./impaired.ts";
import { Modal } from "./modal.tsx";
import { Plan } from "./plan-dialog.tsx";

/** Milliseconds between two changes while a slider moves. */
const PACE = 200;

interface Ways {
  readonly forward: Slides;
  readonly backward: Slides;
}

/** What the sliders have come to. */
interface Shown {
  readonly plan: readonly Step[] | undefined;
  readonly problem: string;
}

interface Live {
  timer: number;
  /** What is on its way to the yard. */
  work: Promise<void> | undefined;
  isChanged: boolean;
  /** Whether anything of it has been done. */
  isFelt: boolean;
}

/**
 * Sliders for what befalls frames. What moving them would do is shown as the plan that it is, and then done while they
 * move, unless that is switched off.
 */
export function ImpairDialog({ target }: { target: Impaired }) {
  const { dialog, yard, work } = usePage();
  const [since] = useState(() => work.history.last());
  // What was written when the dialog was opened: what has no slider stays so.
  const [was] = useState(() => {
    const view = yard.get();
    const { forward = {}, backward = {} } = (view && impairOf(view, target)) ?? {};
    return { forward, backward };
  });
  const [ways, setWays] = useState<Ways>(() => ({ forward: slidesOf(was.forward), backward: slidesOf(was.backward) }));
  const [isLive, setLive] = useState(true);
  const [shown, setShown] = useState<Shown>({ plan: undefined, problem: "" });
  const live = useRef<Live>({ timer: 0, work: undefined, isChanged: false, isFelt: false });
  const open = useRef({ ways, isLive });
  open.current = { ways, isLive };

  const written = ({ forward, backward }: Ways) => ({
    forward: writtenOf(forward, was.forward),
    backward: writtenOf(backward, was.backward),
  });
  // Each has its plan shown and is then done; of those that come meanwhile only the last.
  const follow = async () => {
    try {
      for (let done: Ways | undefined; done !== open.current.ways; ) {
        done = open.current.ways;
        const impair = written(done);
        setShown({ plan: await work.impairPlan(target, impair), problem: "" });
        if (!open.current.isLive) continue;
        live.current.isFelt = true;
        await work.impairNow(target, impair);
      }
    } catch (thrown) {
      setShown({ plan: undefined, problem: problemText(thrown) });
    }
    live.current.work = undefined;
  };
  const slide = (next: Ways) => {
    setWays(next);
    live.current.isChanged = true;
    window.clearTimeout(live.current.timer);
    live.current.timer = window.setTimeout(() => {
      live.current.work ??= follow();
    }, PACE);
  };
  const close = async (keep: boolean) => {
    window.clearTimeout(live.current.timer);
    dialog.set(undefined);
    await live.current.work;
    const { isChanged, isFelt } = live.current;
    if (keep && isChanged) await work.impair(target, written(ways), since);
    else if (!keep && isFelt) await work.impairBack(target, was, since);
  };
  useEffect(() => () => window.clearTimeout(live.current.timer), []);

  const view = yard.get();
  const [ahead, back] = view === undefined ? ["Forward", "Backward"] : waysOf(view, target);
  return (
    <Modal title={`Impair ${impairedText(target)}`} onClose={() => void close(false)}>
      <Way title={ahead} slides={ways.forward} onSlide={(forward) => slide({ ...ways, forward })} />
      <Way title={back} slides={ways.backward} onSlide={(backward) => slide({ ...ways, backward })} />
      <label className="switch">
        <input type="checkbox" checked={isLive} onChange={({ target }) => setLive(target.checked)} />
        Felt while they move
      </label>
      <div className="impair-plan">
        {shown.problem === "" ? null : (
          <p className="alert" role="alert">
            {shown.problem}
          </p>
        )}
        {shown.plan === undefined ? (
          <p className="status">The plan stands here as they move.</p>
        ) : (
          <Plan steps={shown.plan} />
        )}
      </div>
      <div className="actions">
        <button type="button" onClick={() => slide({ forward: NO_SLIDES, backward: NO_SLIDES })}>
          None
        </button>
        <button type="button" onClick={() => void close(false)}>
          Cancel
        </button>
        <button type="button" className="primary" onClick={() => void close(true)}>
          Keep it so
        </button>
      </div>
    </Modal>
  );
}

function Way({ title, slides, onSlide }: { title: string; slides: Slides; onSlide: (slides: Slides) => void }) {
  return (
    <fieldset className="sliders">
      <legend>{title}</legend>
      {SLIDERS.map(({ setting, label, marks, text }) => {
        const at = slides[setting];
        return (
          <Slider
            key={setting}
            label={label}
            text={text(at)}
            at={at}
            most={marks - 1}
            onSlide={(to) => onSlide({ ...slides, [setting]: to })}
          />
        );
      })}
    </fieldset>
  );
}

function Slider(props: { label: string; text: string; at: number; most: number; onSlide: (at: number) => void }) {
  const { label, text, at, most, onSlide } = props;
  return (
    <>
      <span aria-hidden="true">{label}</span>
      <input
        type="range"
        aria-label={label}
        aria-valuetext={text}
        min={0}
        max={most}
        value={at}
        onChange={({ target }) => onSlide(Number(target.value))}
      />
      <output>{text}</output>
    </>
  );
}
