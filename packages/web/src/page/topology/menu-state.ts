import type { MouseEvent } from "react";
import { Store } from "../state/store.ts";

/** What a menu is about. */
export type MenuSubject =
  | { readonly kind: "node"; readonly node: string }
  | { readonly kind: "network"; readonly network: string }
  | { readonly kind: "nic"; readonly node: string; readonly nic: string }
  | { readonly kind: "link"; readonly link: string }
  | { readonly kind: "canvas" };

export interface OpenMenu {
  readonly subject: MenuSubject;
  /** In the window, in pixels. */
  readonly x: number;
  readonly y: number;
}

/** The one menu that can be open at a time. */
export const menu = new Store<OpenMenu | undefined>(undefined);

let last = { x: 0, y: 0 };

/** The menu of something else, where the last one was. */
export function reopenMenu(subject: MenuSubject): void {
  menu.set({ subject, ...last });
}

/** A menu below an element, as the keyboard opens it. */
export function openMenuBelow(element: Element, subject: MenuSubject): void {
  const { left, bottom } = element.getBoundingClientRect();
  last = { x: left, y: bottom };
  reopenMenu(subject);
}

export function openMenu(
  event: Pick<MouseEvent, "preventDefault" | "stopPropagation" | "clientX" | "clientY">,
  subject: MenuSubject,
): void {
  event.preventDefault();
  event.stopPropagation();
  last = { x: event.clientX, y: event.clientY };
  reopenMenu(subject);
}
