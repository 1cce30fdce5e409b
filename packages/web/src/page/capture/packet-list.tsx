import { type KeyboardEvent, memo, useEffect, useRef, useState } from "react";
import type { Packet } from "./capture-store.ts";

/** Pixels of a line; style.css has the same. */
const LINE = 22;
/** Lines that are drawn above and below what is seen. */
const SPARE = 20;

interface Props {
  packets: readonly Packet[];
  selected: number | undefined;
  onSelect: (number: number) => void;
}

/** Packets in one line each; of many, those are drawn that are seen. */
export function PacketList({ packets, selected, onSelect }: Props) {
  const element = useRef<HTMLElement>(null);
  const [view, setView] = useState({ top: 0, height: 400, isAtEnd: true });
  const began = packets[0]?.time ?? 0;
  useEffect(() => {
    const list = element.current;
    if (list !== null && view.isAtEnd && packets.length > 0) list.scrollTop = list.scrollHeight;
  }, [packets, view.isAtEnd]);
  const first = Math.max(0, Math.floor(view.top / LINE) - SPARE);
  const last = Math.min(packets.length, Math.ceil((view.top + view.height) / LINE) + SPARE);
  return (
    <section
      className="packets"
      ref={element}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
      tabIndex={0}
      aria-label="Packets"
      onKeyDown={(event) => onKey(event, packets, selected, onSelect)}
      onScroll={({ currentTarget: { scrollTop, clientHeight, scrollHeight } }) =>
        setView({ top: scrollTop, height: clientHeight, isAtEnd: scrollTop + clientHeight > scrollHeight - 2 * LINE })
      }
    >
      <table>
        <thead>
          <tr>
            <th>No.</th>
            <th>Time</th>
            <th>Source</th>
            <th>Destination</th>
            <th>Protocol</th>
            <th>Length</th>
            <th>What</th>
          </tr>
        </thead>
        <tbody>
          <Space lines={first} />
          {packets.slice(first, last).map((packet) => (
            <PacketLine
              key={packet.number}
              packet={packet}
              began={began}
              isSelected={packet.number === selected}
              onSelect={onSelect}
            />
          ))}
          <Space lines={packets.length - last} />
        </tbody>
      </table>
    </section>
  );
}

/** In the place of lines that are not drawn. */
function Space({ lines }: { lines: number }) {
  return lines > 0 ? <tr style={{ height: lines * LINE }} /> : null;
}

interface LineProps {
  packet: Packet;
  began: number;
  isSelected: boolean;
  onSelect: (number: number) => void;
}

const PacketLine = memo(function PacketLine({ packet, began, isSelected, onSelect }: LineProps) {
  const { number, time, length, dissection } = packet;
  return (
    <tr aria-selected={isSelected} data-protocol={dissection.protocol} onClick={() => onSelect(number)}>
      <td>{number}</td>
      <td className="mono">{((time - began) / 1000).toFixed(6)}</td>
      <td className="mono">{dissection.source}</td>
      <td className="mono">{dissection.destination}</td>
      <td>{dissection.protocol}</td>
      <td>{length}</td>
      <td className="info">{dissection.info}</td>
    </tr>
  );
});

function onKey(
  event: KeyboardEvent,
  packets: readonly Packet[],
  selected: number | undefined,
  onSelect: (number: number) => void,
): void {
  const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
  if (step === 0) return;
  event.preventDefault();
  const at = packets.findIndex(({ number }) => number === selected);
  const next = packets[at < 0 ? 0 : Math.min(packets.length - 1, Math.max(0, at + step))];
  if (next !== undefined) onSelect(next.number);
}
