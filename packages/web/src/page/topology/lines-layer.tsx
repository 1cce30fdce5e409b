import { ViewportPortal } from "@xyflow/react";
import { memo } from "react";
import type { DrawnLine } from "./lines.ts";
import { openMenu } from "./menu-state.ts";

/**
 * The lines of the picture, below its boxes. Those that nothing can be done with are one path: a thousand of them are then
 * drawn as quickly as one.
 */
export const LinesLayer = memo(function LinesLayer({
  lines,
  impaired,
}: {
  lines: readonly DrawnLine[];
  /** Names of wires. */
  impaired: ReadonlySet<string>;
}) {
  return (
    <ViewportPortal>
      <svg className="lines" aria-hidden="true">
        {(["attachment", "vlan"] as const).map((kind) => {
          const own = lines.filter((line) => line.kind === kind);
          return <path key={kind} className={kind} data-lines={own.length} d={own.map(({ path }) => path).join("")} />;
        })}
        {lines
          .filter(({ kind }) => kind === "wire")
          .map(({ id, path }) => {
            const link = id.slice("wire:".length);
            return (
              // biome-ignore lint/a11y/noStaticElementInteractions: with the keyboard a wire is reached in the list
              <g
                key={id}
                className={impaired.has(link) ? "wire impaired" : "wire"}
                data-link={link}
                onContextMenu={(event) => openMenu(event, { kind: "link", link })}
              >
                <path className="grip" d={path} />
                <path d={path} />
              </g>
            );
          })}
      </svg>
    </ViewportPortal>
  );
});
