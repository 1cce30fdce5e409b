import { type FormEvent, useState } from "react";
import { path } from "../api/api.ts";
import { problemText } from "../api/problem.ts";
import { Modal } from "../edit/modal.tsx";
import { usePage } from "../state/page.ts";
import { useStore } from "../state/store.ts";
import { usePortText } from "./bridge-panel.tsx";

/** The way of a packet through the switch. */
interface Trace {
  readonly hops: readonly {
    readonly bridge: string;
    /** The port that it comes in by where it has passed a pipe. */
    readonly by: string | null;
    readonly steps: readonly { readonly table: number; readonly rule: string; readonly does: readonly string[] }[];
  }[];
  readonly actions: string;
  readonly outputs: readonly string[];
}

/** Asks the switch what it would do with a packet that a nic sends, and draws it hop by hop. */
export function TraceDialog({ node, nic }: { node: string; nic: string }) {
  const { api, dialog, yard } = usePage();
  const nodes = useStore(yard, (view) => view?.nodes) ?? [];
  const [trace, setTrace] = useState<Trace | undefined>(undefined);
  const [problem, setProblem] = useState("");
  const others = nodes
    .flatMap((other) => other.nics.map(({ name }) => `${other.name}:${name}`))
    .filter((at) => at !== `${node}:${nic}`);
  const ask = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const [to = "", toNic = ""] = String(form.get("to")).split(":");
    const port = Number(form.get("port"));
    const body = {
      protocol: String(form.get("protocol")),
      ...(to === "" ? {} : { to: { node: to, nic: toNic } }),
      ...(port > 0 ? { port } : {}),
    };
    try {
      setTrace((await api.post(`${path("nodes", node, "nics", nic)}/trace`, body)) as Trace);
      setProblem("");
    } catch (thrown) {
      setProblem(problemText(thrown));
    }
  };
  return (
    <Modal title={`Trace a packet from ${node}:${nic}`} onClose={() => dialog.set(undefined)}>
      <form onSubmit={(event) => void ask(event)}>
        <label>
          To
          <select name="to">
            <option value="">everybody</option>
            {others.map((at) => (
              <option key={at}>{at}</option>
            ))}
          </select>
        </label>
        <label>
          Protocol
          <select name="protocol">
            <option>icmp</option>
            <option>tcp</option>
            <option>udp</option>
            <option>arp</option>
          </select>
        </label>
        <label>
          Port (of tcp and udp)
          <input name="port" type="number" min={1} max={65535} />
        </label>
        <div className="actions">
          <button type="button" onClick={() => dialog.set(undefined)}>
            Close
          </button>
          <button type="submit" className="primary">
            Trace
          </button>
        </div>
      </form>
      {problem === "" ? null : (
        <p className="alert" role="alert">
          {problem}
        </p>
      )}
      {trace === undefined ? null : <Hops from={`${node}:${nic}`} trace={trace} />}
    </Modal>
  );
}

function Hops({ from, trace }: { from: string; trace: Trace }) {
  const portText = usePortText();
  return (
    <ol className="hops" aria-label="Way of the packet">
      <li>{from} sends it</li>
      {trace.hops.map(({ bridge, by, steps }, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: hops are what they are by their order
        <li key={at}>
          <strong>{bridge}</strong>
          {by === null ? null : `, out of a pipe by ${by}`}
          {steps.map(({ table, rule, does }, n) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: so are steps
            <div key={n} className="mono">
              table {table}: {rule} → {does.join("; ")}
            </div>
          ))}
        </li>
      ))}
      <li>
        {trace.outputs.length > 0
          ? `leaves by ${trace.outputs.map(portText).join(", ")}`
          : `then: ${trace.actions || "dropped"}`}
      </li>
    </ol>
  );
}
