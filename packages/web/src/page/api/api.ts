/** The yard's HTTP API, as far as the page uses it: docs/http.md. */
import type { Traffic } from "../plot/rates.ts";
import type { Progress } from "../shell/progress.ts";
import type { ThingEvent } from "../state/events.ts";
import type { YardView } from "./contract.ts";
import { ApiError, problemOf } from "./problem.ts";

/** A step of a plan. */
export interface Step {
  /** `+` is made, `-` goes, `~` changes. */
  readonly text: string;
  readonly subject: string;
}

/** A lab with its text. */
export interface LabText {
  readonly name: string;
  /** Null: its file cannot be read, or it has none. */
  readonly text: string | null;
  readonly etag: string | null;
}

/** A request that changes the yard. */
export interface Change {
  readonly method: "PUT" | "POST" | "PATCH" | "DELETE";
  /** From `/api/v1` on. */
  readonly path: string;
  readonly body?: object;
  /** Refused when the text is no longer the one that this says. */
  readonly ifMatch?: string;
}

/** What a change has come to. */
export interface Changed {
  readonly plan: readonly Step[] | null;
  /** Of what stays declared and could not be had. */
  readonly failures: readonly string[];
}

/** A change that was made, by its number. */
export interface HistoryStep {
  readonly id: number;
  /** In the yard's words: `stop web`. */
  readonly what: string;
}

/** What would be undone, and what done again. */
export interface NextSteps {
  readonly undo: HistoryStep | null;
  readonly redo: HistoryStep | null;
}

/** How the agent's work has ended. */
export interface WorkEnd {
  readonly failures: number;
  readonly milliseconds: { readonly all: number };
}

/** What the page is told as it happens. */
export type YardEvent =
  | ThingEvent
  /** The stream has begun, or has lost what came between: read the yard again. */
  | { readonly event: "begun" }
  | { readonly event: "config"; readonly data: Progress }
  /** The agent begins: how many steps, and the first of them. */
  | { readonly event: "planned"; readonly data: { readonly steps: number; readonly first: readonly string[] } }
  | { readonly event: "converged"; readonly data: WorkEnd }
  | { readonly event: "history"; readonly data: NextSteps }
  | { readonly event: "text"; readonly data: { readonly lab: string; readonly etag: string | null } }
  | { readonly event: "traffic"; readonly data: Traffic }
  | { readonly event: "lost" }
  /** The server knows us no more: it was started anew, and has another link. */
  | { readonly event: "refused" };

/** Events that are told with data of their own. */
const TOLD = [
  "node",
  "network",
  "link",
  "bridge",
  "lab",
  "yard",
  "config",
  "planned",
  "converged",
  "history",
  "text",
  "traffic",
] as const;

const ROOT = "/api/v1";
/** Milliseconds until it is tried again to follow the yard. */
const AGAIN = 1000;

export class YardApi {
  async yard(): Promise<YardView> {
    return (await this.#json("GET", "/yard")) as YardView;
  }

  /** What we may do. */
  async role(): Promise<"read" | "operate"> {
    const { role } = (await this.#json("GET", "/session")) as { readonly role: "read" | "operate" };
    return role;
  }

  async lab(name: string): Promise<LabText> {
    return (await this.#json("GET", `/labs/${encodeURIComponent(name)}`)) as LabText;
  }

  async schema(): Promise<object> {
    return (await this.#json("GET", "/schemas/lab.schema.json")) as object;
  }

  async history(): Promise<NextSteps> {
    const { steps, undo, redo } = (await this.#json("GET", "/history")) as {
      readonly steps: readonly HistoryStep[];
      readonly undo: number | null;
      readonly redo: number | null;
    };
    const step = (wanted: number | null) => steps.find(({ id }) => id === wanted) ?? null;
    return { undo: step(undo), redo: step(redo) };
  }

  /** What is wrong with the text of a lab; undefined: nothing. */
  async check(text: string): Promise<ApiError | undefined> {
    const { problem } = (await this.#json("POST", "/parse", { text })) as { readonly problem: unknown };
    return problem === null ? undefined : new ApiError(problemOf(problem));
  }

  /** What a change would do. @throws ApiError */
  plan(change: Change): Promise<Changed> {
    return this.#change(change, "dry_run=true");
  }

  /** Makes a change and waits until it is so. @throws ApiError */
  make(change: Change): Promise<Changed> {
    return this.#change(change, "");
  }

  /** Any other question. @throws ApiError */
  get(path: string): Promise<unknown> {
    return this.#json("GET", path);
  }

  /** Any other request that answers. @throws ApiError */
  post(path: string, body: object): Promise<unknown> {
    return this.#json("POST", path, body);
  }

  /** A frame in words, by the host's tshark. @throws ApiError */
  async dissect(frame: Uint8Array): Promise<string> {
    const base64 = btoa(Array.from(frame, (byte) => String.fromCharCode(byte)).join(""));
    const { text } = (await this.#json("POST", "/dissect", { frame: base64 })) as { readonly text: string };
    return text;
  }

  /** A WebSocket of the API's. */
  socket(path: string): WebSocket {
    const { protocol, host } = window.location;
    const socket = new WebSocket(`${protocol === "https:" ? "wss" : "ws"}://${host}${ROOT}${path}`);
    socket.binaryType = "arraybuffer";
    return socket;
  }

  /** Follows the yard until `signal` aborts. The browser connects again by itself, and goes on where it was. */
  follow(tell: (event: YardEvent) => void, signal: AbortSignal): void {
    if (signal.aborted) return;
    const source = new EventSource(`${ROOT}/events?traffic=true`);
    const close = () => source.close();
    signal.addEventListener("abort", close);
    for (const event of TOLD)
      source.addEventListener(event, ({ data }) => tell({ event, data: JSON.parse(data) } as YardEvent));
    for (const event of ["hello", "reset"]) source.addEventListener(event, () => tell({ event: "begun" }));
    source.addEventListener("error", () => {
      tell({ event: "lost" });
      // An answer that is no stream is the end of it for the browser, though not for us.
      if (source.readyState !== EventSource.CLOSED) return;
      signal.removeEventListener("abort", close);
      setTimeout(() => void this.#followAgain(tell, signal), AGAIN);
    });
  }

  async #followAgain(tell: (event: YardEvent) => void, signal: AbortSignal): Promise<void> {
    const response = await fetch(`${ROOT}/session`).catch(() => undefined);
    if (response?.status === 401) tell({ event: "refused" });
    else this.follow(tell, signal);
  }

  /** The address of something of the API's, for a program outside the browser. */
  address(path: string): string {
    return `${window.location.origin}${ROOT}${path}`;
  }

  async #change({ method, path, body, ifMatch }: Change, query: string): Promise<Changed> {
    const address = query === "" ? path : `${path}?${query}`;
    const reply = await this.#json(method, address, body, ifMatch === undefined ? {} : { "if-match": ifMatch });
    const { plan = null, failures = [] } = reply as {
      plan?: readonly Step[] | null;
      failures?: readonly { message: string }[];
    };
    return { plan, failures: failures.map(({ message }) => message) };
  }

  async #json(method: string, path: string, body?: object, headers: Record<string, string> = {}): Promise<unknown> {
    const request: RequestInit =
      body === undefined
        ? { method, headers }
        : { method, headers: { ...headers, "content-type": "application/json" }, body: JSON.stringify(body) };
    const response = await fetch(`${ROOT}${path}`, request);
    const told: unknown = response.status === 204 ? null : await response.json().catch(() => undefined);
    if (response.ok) return told;
    throw new ApiError(problemOf(told));
  }
}

/** A path of the API, each part encoded. */
export function path(...parts: readonly string[]): string {
  return parts.map((part) => `/${encodeURIComponent(part)}`).join("");
}
