/** Where boxes were put, kept by the browser for each yard. */
import type { Store } from "../state/store.ts";
import type { Point, Positions } from "./layout.ts";

function keyOf(yard: string): string {
  return `switchyard positions ${yard}`;
}

/** Takes up what was kept of a yard, and keeps what changes from now on. */
export function keepPositions(positions: Store<Positions>, yard: string, storage: Storage): void {
  positions.set(new Map([...readPositions(storage.getItem(keyOf(yard))), ...positions.get()]));
  positions.subscribe(() => {
    const settled = [...positions.get()].map(([id, { x, y }]) => [id, x, y]);
    storage.setItem(keyOf(yard), JSON.stringify(settled));
  });
}

/** @param text of whatever wrote there; what is no position is passed over */
function readPositions(text: string | null): Map<string, Point> {
  const kept: unknown = parse(text ?? "[]");
  const entries = (Array.isArray(kept) ? kept : []).flatMap((entry: unknown): [string, Point][] => {
    const [id, x, y] = Array.isArray(entry) ? entry : [];
    return typeof id === "string" && Number.isFinite(x) && Number.isFinite(y) ? [[id, { x, y }]] : [];
  });
  return new Map(entries);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
