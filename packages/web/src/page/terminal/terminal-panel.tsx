import { FitAddon } from "@xterm/addon-fit";
import { Terminal } from "@xterm/xterm";
import { useEffect, useRef } from "react";
import { path, type YardApi } from "../api/api.ts";
import { problemOf } from "../api/problem.ts";
import { withNonce } from "../shell/nonce.ts";
import { usePage } from "../state/page.ts";

/** A shell in a node, or the serial console of a virtual machine. */
export default function TerminalPanel({ node, isConsole }: { node: string; isConsole: boolean }) {
  const { api } = usePage();
  const element = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (element.current === null) return undefined;
    return openTerminal(element.current, api, path("nodes", node, isConsole ? "console" : "shell"));
  }, [api, node, isConsole]);
  return <div className="terminal" ref={element} data-terminal={node} />;
}

/** @returns what ends it */
function openTerminal(element: HTMLElement, api: YardApi, address: string): () => void {
  const terminal = new Terminal({
    fontSize: 13,
    cursorBlink: true,
    screenReaderMode: true,
    theme: { background: "#10141a" },
  });
  const fit = new FitAddon();
  terminal.loadAddon(fit);
  withNonce(() => terminal.open(element));
  fit.fit();
  terminal.textarea?.setAttribute("aria-description", "Shift+Escape leaves the terminal");
  let socket: WebSocket | undefined;
  // What is typed before the node listens.
  let early: (string | Uint8Array<ArrayBuffer>)[] = [];
  const send = (message: string | Uint8Array<ArrayBuffer>) => {
    if (socket?.readyState === WebSocket.OPEN) socket.send(message);
    else early.push(message);
  };
  const connect = () => {
    const { cols, rows } = terminal;
    const opened = api.socket(address.endsWith("/shell") ? `${address}?columns=${cols}&rows=${rows}` : address);
    socket = opened;
    early = [];
    opened.addEventListener("open", () => {
      for (const message of early.splice(0)) opened.send(message);
      terminal.focus();
    });
    opened.addEventListener("message", ({ data }: MessageEvent<string | ArrayBuffer>) => {
      if (typeof data === "string") terminal.write(`\r\n${ending(JSON.parse(data))}\r\n`);
      // The first byte says whether it is output or errors, which are one at a terminal.
      else terminal.write(new Uint8Array(data).subarray(1));
    });
    opened.addEventListener("close", () => terminal.write("\r\n[closed: Enter opens it again]\r\n"));
  };
  const resized = new ResizeObserver(() => {
    // A panel that is not seen has no size.
    if (element.clientHeight > 0) fit.fit();
  });
  resized.observe(element);
  const encoder = new TextEncoder();
  terminal.onData((text) => {
    if (socket?.readyState !== WebSocket.CLOSED) send(encoder.encode(text));
    else if (text === "\r") connect();
  });
  terminal.onResize(({ cols, rows }) => send(JSON.stringify({ resize: { columns: cols, rows } })));
  // All keys go into the node but this one, which leaves the terminal: else the keyboard would be caught in it.
  terminal.attachCustomKeyEventHandler((event) => {
    if (!(event.shiftKey && event.key === "Escape")) return true;
    if (event.type === "keydown")
      element.closest(".dock")?.querySelector<HTMLElement>('[aria-selected="true"]')?.focus();
    return false;
  });
  connect();
  return () => {
    resized.disconnect();
    socket?.close();
    terminal.dispose();
  };
}

/** How it has ended, in words. */
function ending(told: unknown): string {
  if (typeof told !== "object" || told === null) return "";
  if ("error" in told) return `[${problemOf(told.error).detail}]`;
  return "exitCode" in told ? `[ended with exit code ${String(told.exitCode)}]` : "[left]";
}
