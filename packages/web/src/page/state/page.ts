/** What the page knows, and what of it is open. */
import { createContext, useContext } from "react";
import type { YardApi } from "../api/api.ts";
import type { YardView } from "../api/contract.ts";
import type { Dialog } from "../edit/dialogs.ts";
import { Work } from "../edit/work.ts";
import type { Rates } from "../plot/rates.ts";
import type { Progress } from "../shell/progress.ts";
import type { Positions } from "../topology/layout.ts";
import type { Doing } from "./doing.ts";
import { NO_PANELS, type Panels } from "./panels.ts";
import { Store } from "./store.ts";

/** How the page hears of the yard: not yet, as it happens, not any more, or not without another link. */
export type Connection = "connecting" | "live" | "lost" | "refused";

/** All that components work with. */
export interface Page {
  readonly api: YardApi;
  readonly connection: Store<Connection>;
  /** Undefined until it is told for the first time. */
  readonly yard: Store<YardView | undefined>;
  /** What we may do: look, or change too. */
  readonly role: Store<"read" | "operate">;
  readonly progress: Store<Progress>;
  /** What the agent is at, or was a moment ago; undefined: at rest. */
  readonly doing: Store<Doing | undefined>;
  readonly positions: Store<Positions>;
  readonly rates: Store<Rates>;
  readonly panels: Store<Panels>;
  readonly dialog: Store<Dialog | undefined>;
  readonly work: Work;
  /** A sentence that is shown, and spoken by screen readers; empty: none. */
  readonly notice: Store<string>;
  /** The lab whose text has changed last, and how often any has. */
  readonly texts: Store<{ readonly lab: string; readonly count: number }>;
}

export function newPage(api: YardApi): Page {
  const yard = new Store<YardView | undefined>(undefined);
  const notice = new Store("");
  return {
    api,
    connection: new Store<Connection>("connecting"),
    yard,
    role: new Store<"read" | "operate">("operate"),
    doing: new Store<Doing | undefined>(undefined),
    progress: new Store({ wanted: 0, applied: 0 }),
    positions: new Store<Positions>(new Map()),
    rates: new Store<Rates>(new Map()),
    panels: new Store(NO_PANELS),
    dialog: new Store<Dialog | undefined>(undefined),
    work: new Work(api, yard, notice),
    notice,
    texts: new Store({ lab: "", count: 0 }),
  };
}

const context = createContext<Page | undefined>(undefined);
export const PageProvider = context.Provider;

export function usePage(): Page {
  const page = useContext(context);
  if (page === undefined) throw new Error("rendered outside the page");
  return page;
}
