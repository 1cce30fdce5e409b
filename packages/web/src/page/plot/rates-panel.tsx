import { useEffect, useRef } from "react";
import uPlot from "uplot";
import { usePage } from "../state/page.ts";
import { bitsText, type Sample } from "./rates.ts";

const HEIGHT = 220;
/** Milliseconds of which a plot is made, unless more is known. */
const SPAN = 60_000;

/** What passes a nic, over the last minutes, and what of it was dropped. */
export default function RatesPanel({ node, nic }: { node: string; nic: string }) {
  const { rates } = usePage();
  const element = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const place = element.current;
    if (place === null) return undefined;
    const plot = new uPlot(options(place), dataOf([]), place);
    const draw = () => plot.setData(dataOf(rates.get().get(`${node}:${nic}`) ?? []));
    draw();
    const stop = rates.subscribe(draw);
    const resized = new ResizeObserver(() => plot.setSize({ width: Math.max(200, place.clientWidth), height: HEIGHT }));
    resized.observe(place);
    return () => {
      stop();
      resized.disconnect();
      plot.destroy();
    };
  }, [rates, node, nic]);
  return (
    <div ref={element} role="img" aria-label={`Rates of ${node}:${nic} over time`} data-rates={`${node}:${nic}`} />
  );
}

function options(place: HTMLElement): uPlot.Options {
  const color = (name: string) => getComputedStyle(place).getPropertyValue(name);
  const [text, rule] = [color("--quiet"), color("--line")];
  const line = { width: 2, points: { show: false } };
  const axis = {
    stroke: () => getComputedStyle(place).color,
    grid: { stroke: rule, width: 1 },
    ticks: { stroke: rule },
  };
  return {
    width: Math.max(200, place.clientWidth),
    height: HEIGHT,
    scales: {
      bits: { range: (_, __, most) => [0, Math.max(1000, most * 1.1)] },
      drops: { range: (_, __, most) => [0, Math.max(10, most)] },
    },
    series: [
      {},
      { ...line, label: "out", scale: "bits", stroke: "#3b82f6", value: (_, value) => bitsText(value ?? 0) },
      { ...line, label: "in", scale: "bits", stroke: "#22a06b", value: (_, value) => bitsText(value ?? 0) },
      { ...line, label: "dropped/s", scale: "drops", stroke: "#dc2626", value: (_, value) => (value ?? 0).toFixed(0) },
    ],
    axes: [
      axis,
      { ...axis, scale: "bits", size: 90, values: (_, marks) => marks.map(bitsText) },
      { ...axis, scale: "drops", side: 1, grid: { show: false }, stroke: () => text },
    ],
    cursor: { y: false },
  };
}

/** The samples as columns; where nothing was told, nothing passed. */
function dataOf(samples: readonly Sample[]): uPlot.AlignedData {
  const end = Date.now();
  const known = samples.length === 0 ? [] : samples;
  const start = Math.min(end - SPAN, known[0]?.at ?? end);
  const none = (at: number) => ({ at, outBits: 0, inBits: 0, dropped: 0 });
  const all = [
    none(start),
    ...(known[0] ? [none(known[0].at - 1)] : []),
    ...known,
    ...(known.length === 0 ? [none(end)] : []),
  ];
  return [
    all.map(({ at }) => at / 1000),
    all.map(({ outBits }) => outBits),
    all.map(({ inBits }) => inBits),
    all.map(({ dropped }) => dropped),
  ];
}
