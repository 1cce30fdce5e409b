import { useEffect, useRef } from "react";
import { useStore } from "../state/store.ts";
import { type MenuSubject, menu } from "../topology/menu-state.ts";
import { type MenuEntry, useMenuEntries } from "./menu-entries.ts";

/** The menu of what was clicked on with the right button. */
export function Menu() {
  const open = useStore(menu, (it) => it);
  if (open === undefined) return null;
  return <MenuOf key={JSON.stringify(open)} subject={open.subject} x={open.x} y={open.y} />;
}

function MenuOf({ subject, x, y }: { subject: MenuSubject; x: number; y: number }) {
  const entries = useMenuEntries(subject);
  const list = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    list.current?.querySelector("button")?.focus();
    const close = (event: Event) => {
      if (event.target instanceof Node && list.current?.contains(event.target)) return;
      menu.set(undefined);
    };
    window.addEventListener("pointerdown", close, true);
    return () => {
      window.removeEventListener("pointerdown", close, true);
      if (before instanceof HTMLElement && document.activeElement === document.body) before.focus();
    };
  }, []);
  const style = {
    left: Math.min(x, window.innerWidth - 240),
    top: Math.min(y, Math.max(8, window.innerHeight - 36 * entries.length - 16)),
  };
  return (
    <div
      className="menu"
      role="menu"
      aria-label="What can be done"
      tabIndex={-1}
      ref={list}
      style={style}
      onKeyDown={onKey}
    >
      {entries.map((entry) => (
        <MenuItem key={entry.text} entry={entry} />
      ))}
    </div>
  );
}

function MenuItem({ entry }: { entry: MenuEntry }) {
  return (
    <button
      type="button"
      role="menuitem"
      disabled={entry.isOff === true}
      onClick={() => {
        menu.set(undefined);
        entry.act();
      }}
    >
      {entry.text}
    </button>
  );
}

function onKey(event: React.KeyboardEvent<HTMLDivElement>): void {
  const items = [...event.currentTarget.querySelectorAll("button:not(:disabled)")];
  const at = document.activeElement === null ? -1 : items.indexOf(document.activeElement);
  const focus = (index: number) => {
    const item = items[(index + items.length) % items.length];
    if (item instanceof HTMLElement) item.focus();
  };
  switch (event.key) {
    case "ArrowDown":
      focus(at + 1);
      break;
    case "ArrowUp":
      focus(at - 1);
      break;
    case "Home":
      focus(0);
      break;
    case "End":
      focus(-1);
      break;
    case "Escape":
    case "Tab":
      menu.set(undefined);
      break;
    default:
      return;
  }
  event.preventDefault();
}
