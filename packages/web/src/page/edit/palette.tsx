import { usePage } from "../state/page.ts";
import { useStore } from "../state/store.ts";

/** What can be added. */
export function PaletteButton() {
  const { dialog, yard } = usePage();
  const hasLabs = useStore(yard, (view) => (view?.labs.length ?? 0) > 0);
  return (
    <>
      <button type="button" onClick={() => dialog.set({ kind: "add-node" })}>
        + Node
      </button>
      <button type="button" onClick={() => dialog.set({ kind: "add-network" })}>
        + Network
      </button>
      <button type="button" onClick={() => dialog.set({ kind: "wire", own: undefined })}>
        + Wire
      </button>
      <button type="button" className={hasLabs ? "" : "primary"} onClick={() => dialog.set({ kind: "add-lab" })}>
        + Lab
      </button>
    </>
  );
}
