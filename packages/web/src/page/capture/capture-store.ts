/** A capture as the page keeps it: the frames that have come, and what they say. */

import { path, type YardApi } from "../api/api.ts";
import { problemOf } from "../api/problem.ts";
import { dissect } from "../dissect/dissect.ts";
import type { Dissection } from "../dissect/layer.ts";
import { Store } from "../state/store.ts";
import { type CapturedFrame, PcapngReader } from "./pcapng.ts";

export interface Packet extends CapturedFrame {
  /** From 1. */
  readonly number: number;
  readonly dissection: Dissection;
}

export interface CaptureState {
  readonly phase: "starting" | "listening" | "ended";
  readonly packets: readonly Packet[];
  /** Why it has ended, where that was nobody's wish. */
  readonly problem: string | undefined;
}

/** More would be a strain on the browser; the file has them all. */
const PACKETS_MOST = 20_000;
/** Bytes that are kept for the file. */
const FILE_MOST = 256 << 20;

export class Capture {
  readonly state = new Store<CaptureState>({ phase: "starting", packets: [], problem: undefined });
  readonly #reader = new PcapngReader();
  readonly #socket: WebSocket;
  #chunks: Uint8Array<ArrayBuffer>[] = [];
  #bytes = 0;
  #fresh: Packet[] = [];
  #count = 0;

  /** @param filter as pcap-filter(7) has it; empty: all frames */
  constructor(api: YardApi, node: string, nic: string, filter: string) {
    const query = filter === "" ? "" : `?filter=${encodeURIComponent(filter)}`;
    this.#socket = api.socket(`${path("nodes", node, "nics", nic, "capture")}${query}`);
    this.#socket.addEventListener("message", ({ data }: MessageEvent<string | ArrayBuffer>) => {
      if (typeof data === "string") this.#told(JSON.parse(data));
      else this.#take(new Uint8Array(data));
    });
    this.#socket.addEventListener("close", () => this.state.update((state) => ({ ...state, phase: "ended" })));
  }

  /** Ends it in good order. */
  stop(): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify({ end: true }));
  }

  close(): void {
    this.#socket.close();
  }

  /** All that has come, as a file of pcapng. */
  file(): Blob {
    return new Blob(this.#chunks, { type: "application/x-pcapng" });
  }

  #told(message: unknown): void {
    if (typeof message !== "object" || message === null) return;
    if ("listening" in message) this.state.update((state) => ({ ...state, phase: "listening" }));
    if (!("error" in message)) return;
    const problem = problemOf(message.error).detail;
    this.state.update((state) => ({ ...state, phase: "ended", problem }));
  }

  #take(chunk: Uint8Array<ArrayBuffer>): void {
    if (this.#bytes < FILE_MOST) {
      this.#chunks.push(chunk);
      this.#bytes += chunk.length;
    } else this.stop();
    const before = this.#fresh.length;
    for (const frame of this.#reader.read(chunk))
      this.#fresh.push({ ...frame, number: ++this.#count, dissection: dissect(frame.bytes) });
    // All that comes within one frame of the screen is drawn at once.
    if (before === 0 && this.#fresh.length > 0) requestAnimationFrame(() => this.#draw());
  }

  #draw(): void {
    const fresh = this.#fresh;
    this.#fresh = [];
    this.state.update((state) => ({ ...state, packets: [...state.packets, ...fresh].slice(-PACKETS_MOST) }));
  }
}
