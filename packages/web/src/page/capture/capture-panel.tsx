import { useEffect, useMemo, useState } from "react";
import { path } from "../api/api.ts";
import { type DisplayFilter, FilterError, parseFilter } from "../dissect/filter.ts";
import { usePage } from "../state/page.ts";
import { useStore } from "../state/store.ts";
import { Capture, type CaptureState } from "./capture-store.ts";
import { PacketDetails } from "./packet-details.tsx";
import { PacketList } from "./packet-list.tsx";

/** What passes a nic, as it does. */
export default function CapturePanel({ node, nic }: { node: string; nic: string }) {
  const { api } = usePage();
  const [capture, setCapture] = useState<Capture | undefined>(undefined);
  const [round, setRound] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another round is another capture
  useEffect(() => {
    const begun = new Capture(api, node, nic, "");
    setCapture(begun);
    return () => begun.close();
  }, [api, node, nic, round]);
  if (capture === undefined) return null;
  return <CaptureView key={round} capture={capture} node={node} nic={nic} onAgain={() => setRound(round + 1)} />;
}

interface ViewProps {
  capture: Capture;
  node: string;
  nic: string;
  onAgain: () => void;
}

function CaptureView({ capture, node, nic, onAgain }: ViewProps) {
  const state = useStore(capture.state, (it) => it);
  const [filterText, setFilterText] = useState("");
  const [selected, setSelected] = useState<number | undefined>(undefined);
  const filter = useMemo(() => readFilter(filterText), [filterText]);
  const passes = typeof filter === "string" ? undefined : filter;
  const shown = useMemo(
    () => (passes === undefined ? state.packets : state.packets.filter(({ dissection }) => passes(dissection))),
    [state.packets, passes],
  );
  const packet = state.packets.find(({ number }) => number === selected);
  return (
    <div className="capture" data-capture={`${node}:${nic}`} data-phase={state.phase}>
      <form onSubmit={(event) => event.preventDefault()}>
        <input
          aria-label="Display filter"
          aria-invalid={typeof filter === "string"}
          placeholder="display filter: icmp || tcp.port == 80"
          title={typeof filter === "string" ? filter : ""}
          spellCheck={false}
          value={filterText}
          onChange={({ target }) => setFilterText(target.value)}
        />
        <CaptureStatus state={state} shown={shown.length} wrong={typeof filter === "string" ? filter : ""} />
        {state.phase === "ended" ? (
          <button type="button" onClick={onAgain}>
            Again
          </button>
        ) : (
          <button type="button" onClick={() => capture.stop()}>
            Stop
          </button>
        )}
        <button type="button" onClick={() => save(capture.file(), `${node}-${nic}.pcapng`)}>
          Download
        </button>
        <WiresharkLine node={node} nic={nic} />
      </form>
      <PacketList packets={shown} selected={selected} onSelect={setSelected} />
      <PacketDetails packet={packet} />
    </div>
  );
}

function CaptureStatus({ state, shown, wrong }: { state: CaptureState; shown: number; wrong: string }) {
  const { phase, packets, problem } = state;
  const count = shown === packets.length ? `${packets.length} packets` : `${shown} of ${packets.length} packets`;
  const isWrong = wrong !== "" || problem !== undefined;
  return (
    <span className={`status ${isWrong ? "bad" : ""}`} role="status">
      {wrong !== "" ? wrong : (problem ?? (phase === "starting" ? "starting" : `${phase}, ${count}`))}
    </span>
  );
}

/** The one line that shows the same in Wireshark. */
function WiresharkLine({ node, nic }: { node: string; nic: string }) {
  const { yard, notice, api } = usePage();
  const name = useStore(yard, (view) => view?.yard ?? "main");
  const line = `sudo yard -y ${name} capture ${node}:${nic} | wireshark -k -i -`;
  return (
    <button
      type="button"
      title={`${line}\nor from elsewhere, with a token:\ncurl -H "Authorization: Bearer $TOKEN" ${api.address(path("nodes", node, "nics", nic, "capture.pcapng"))} | wireshark -k -i -`}
      onClick={() => void navigator.clipboard.writeText(line).then(() => notice.set(`Copied: ${line}`))}
    >
      Copy the line for Wireshark
    </button>
  );
}

/** @returns what is wrong with it, in words, where something is */
function readFilter(text: string): DisplayFilter | string {
  try {
    return parseFilter(text);
  } catch (thrown) {
    if (thrown instanceof FilterError) return thrown.message;
    throw thrown;
  }
}

/** Has the browser save a file. */
function save(file: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
