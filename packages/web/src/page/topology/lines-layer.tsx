import { ViewportPortal } from "@xyflow/react";
import { memo } from "react";
import type { DrawnLine } from "./lines.ts";
import { openMenu } from "./menu-state.ts";

/**
 * The lines of the picture, below its boxes. Those that nothing can be done with are one path for each box that they lead
 * to: a thousand of them are then drawn as quickly as a few, and where a box is moved only those that it moves.
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
        {[...Map.groupBy(lines, ({ kind, to }) => (kind === "wire" ? undefined : `${kind} ${to}`))].map(([key, own]) =>
          key === undefined ? null : (
            <path
              key={key}
              className={own[0]?.kind ?? ""}
              data-lines={own.length}
              d={own.map(({ path }) => path).join("")}
            />
          ),
        )}
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
