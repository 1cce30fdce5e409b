import { useEffect, useRef, useState } from "react";
import type { ImpairView } from "../api/contract.ts";
import { usePage } from "../state/page.ts";
import { useStore } from "../state/store.ts";
import { NO_SLIDES, SLIDERS, type Slides, slidesOf, writtenOf } from "./impair-sliders.ts";
import { Modal } from "./modal.tsx";

/** Milliseconds between two changes while a slider moves. */
const PACE = 250;

/** Sliders for what befalls the frames of a nic or a wire; they act while they move. */
export function ImpairDialog({ target }: { target: string }) {
  const { dialog, yard, work } = usePage();
  const impair = useStore(yard, (view) => view && impairOf(view, target));
  const [before] = useState(() => ({
    forward: slidesOf(impair?.forward ?? {}),
    backward: slidesOf(impair?.backward ?? {}),
  }));
  const [ways, setWays] = useState(before);
  const live = useRef<{ timer: number | undefined; changed: boolean }>({ timer: undefined, changed: false });

  const written = (of: { readonly forward: Slides; readonly backward: Slides }) => ({
    forward: writtenOf(of.forward, impair?.forward ?? {}),
    backward: writtenOf(of.backward, impair?.backward ?? {}),
  });
  const slide = (next: typeof ways) => {
    setWays(next);
    live.current.changed = true;
    window.clearTimeout(live.current.timer);
    live.current.timer = window.setTimeout(() => void work.impair(target, written(next), written(before), false), PACE);
  };
  const close = () => {
    window.clearTimeout(live.current.timer);
    if (live.current.changed) void work.impair(target, written(ways), written(before), true);
    dialog.set(undefined);
  };
  useEffect(() => () => window.clearTimeout(live.current.timer), []);

  const [ahead, back] = target.includes("--")
    ? target.split("--").map((end) => `From ${end}`)
    : ["What it sends", "What it gets"];
  return (
    <Modal title={`Impair ${target}`} onClose={close}>
      <p className="status">Felt at once; closing this writes it into the lab file, and undo takes it back.</p>
      <Way title={ahead ?? ""} slides={ways.forward} onSlide={(forward) => slide({ ...ways, forward })} />
      <Way title={back ?? ""} slides={ways.backward} onSlide={(backward) => slide({ ...ways, backward })} />
      <div className="actions">
        <button type="button" onClick={() => slide({ forward: NO_SLIDES, backward: NO_SLIDES })}>
          None
        </button>
        <button type="button" className="primary" onClick={close}>
          Close
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

function impairOf(
  view: {
    readonly links: readonly { readonly name: string; readonly impair: ImpairView | null }[];
    readonly nodes: readonly {
      readonly name: string;
      readonly nics: readonly { readonly name: string; readonly impair: ImpairView | null }[];
    }[];
  },
  target: string,
): ImpairView | null {
  if (target.includes("--")) return view.links.find(({ name }) => name === target)?.impair ?? null;
  const [node, nic] = target.split(":");
  return view.nodes.find(({ name }) => name === node)?.nics.find(({ name }) => name === nic)?.impair ?? null;
}
