import type { Step } from "../api/api.ts";
import { usePage } from "../state/page.ts";
import { useStore } from "../state/store.ts";
import { Modal } from "./modal.tsx";

/** What a change would do, before it is made. */
export function PlanDialog() {
  const { work } = usePage();
  const proposal = useStore(work.proposal, (it) => it);
  if (proposal === undefined) return null;
  const { title, plan, problem, isMaking } = proposal;
  return (
    <Modal title={title} onClose={() => work.drop()}>
      {problem === undefined ? null : (
        <p className="alert" role="alert">
          {problem}
        </p>
      )}
      {plan === undefined ? problem === undefined && <p className="status">asking the yard</p> : <Plan steps={plan} />}
      <div className="actions">
        <button type="button" onClick={() => work.drop()}>
          Cancel
        </button>
        <button
          type="button"
          className="primary"
          disabled={plan === undefined || isMaking}
          onClick={() => void work.make()}
        >
          {isMaking ? "Being made so" : "Make it so"}
        </button>
      </div>
    </Modal>
  );
}

/** Step by step. */
export function Plan({ steps }: { steps: readonly Step[] }) {
  if (steps.length === 0) return <p className="status">On the switch and in the kernel nothing is to be done.</p>;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
    <ol className="plan" aria-label="What would be done" tabIndex={0}>
      {steps.map(({ text }, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the steps of a plan are what they are by their order
        <li key={at} className={stepClass(text)}>
          {text}
        </li>
      ))}
    </ol>
  );
}

function stepClass(text: string): string {
  if (text.startsWith("+")) return "made";
  return text.startsWith("-") ? "gone" : "other";
}
