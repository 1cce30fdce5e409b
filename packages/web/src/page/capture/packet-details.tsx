import { useState } from "react";
import { problemText } from "../api/problem.ts";
import type { Field, Layer } from "../dissect/layer.ts";
import { usePage } from "../state/page.ts";
import type { Packet } from "./capture-store.ts";
import { hexLines } from "./hex.ts";

/** A packet layer by layer, and its bytes. */
export function PacketDetails({ packet }: { packet: Packet | undefined }) {
  if (packet === undefined)
    return (
      <section className="packet" aria-label="Packet">
        <p className="status">Choose a packet to see what is in it.</p>
      </section>
    );
  return <PacketOf key={packet.number} packet={packet} />;
}

function PacketOf({ packet: { bytes, length, dissection } }: { packet: Packet }) {
  const [marked, setMarked] = useState<Field | undefined>(undefined);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
    <section className="packet" aria-label="Packet" tabIndex={0}>
      {dissection.layers.map((layer, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: layers are what they are by their order
        <LayerDetails key={at} layer={layer} onMark={setMarked} />
      ))}
      {bytes.length < length ? (
        <p className="status">
          Of {length} bytes {bytes.length} were kept.
        </p>
      ) : null}
      <pre>{hexLines(bytes, marked).join("\n")}</pre>
      <ByTshark bytes={bytes} />
    </section>
  );
}

/** The same frame as tshark has it, which knows every protocol. */
function ByTshark({ bytes }: { bytes: Uint8Array }) {
  const { api } = usePage();
  const [text, setText] = useState("");
  const ask = () =>
    api.dissect(bytes).then(setText, (thrown: unknown) => {
      setText(problemText(thrown));
    });
  if (text !== "") return <pre data-by="tshark">{text}</pre>;
  return (
    <button type="button" onClick={() => void ask()}>
      As tshark has it
    </button>
  );
}

function LayerDetails({ layer, onMark }: { layer: Layer; onMark: (field: Field | undefined) => void }) {
  return (
    <details open>
      <summary>{layer.title}</summary>
      <dl>
        {layer.fields.map((field, at) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: a field may come several times
          <FieldLine key={at} field={field} onMark={onMark} />
        ))}
      </dl>
    </details>
  );
}

function FieldLine({ field, onMark }: { field: Field; onMark: (field: Field | undefined) => void }) {
  const { key, title, value, text } = field;
  return (
    <>
      <dt title={key}>{title}</dt>
      <dd title={key} onPointerEnter={() => onMark(field)} onPointerLeave={() => onMark(undefined)}>
        {text === undefined ? value : `${text} (${value})`}
      </dd>
    </>
  );
}
