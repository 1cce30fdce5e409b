/** The page follows the yard. */
import type { WorkEnd, YardEvent } from "../api/api.ts";
import { problemText } from "../api/problem.ts";
import { sampled } from "../plot/rates.ts";
import { begun, HOLD } from "./doing.ts";
import { type ThingEvent, told } from "./events.ts";
import type { Page } from "./page.ts";
import { reuse } from "./reuse.ts";

/** Keeps what the page knows as the yard is, until `signal` aborts. */
export function follow(page: Page, signal: AbortSignal): void {
  let waiting: ThingEvent[] = [];
  // All that comes within one frame of the screen is drawn at once.
  const draw = () => {
    const events = waiting;
    waiting = [];
    page.yard.update((view) => view && told(view, events));
    chooseLab(page);
  };
  const tell = (event: YardEvent) => {
    switch (event.event) {
      case "begun":
        void readAnew(page);
        break;
      case "config":
        page.progress.set(event.data);
        break;
      case "planned":
        page.doing.set(begun(event.data.steps, event.data.first));
        break;
      case "converged":
        endWork(page, event.data);
        break;
      case "history":
        page.work.history.next.set(event.data);
        break;
      case "text":
        // Without a text the lab is gone, as other events tell.
        if (event.data.etag !== null) page.texts.update(({ count }) => ({ lab: event.data.lab, count: count + 1 }));
        break;
      case "traffic":
        page.rates.update((rates) => sampled(rates, event.data));
        break;
      case "lost":
      case "refused":
        page.connection.set(event.event);
        break;
      default:
        page.connection.set("live");
        if (waiting.push(event) === 1) requestAnimationFrame(draw);
    }
  };
  page.api.follow(tell, signal);
}

/** What has been done is shown a little longer. */
function endWork({ doing }: Page, { milliseconds, failures }: WorkEnd): void {
  const now = doing.get();
  if (now === undefined || now.ended !== undefined) return;
  const ended = { ...now, ended: { milliseconds: milliseconds.all, failures } };
  doing.set(ended);
  setTimeout(() => doing.update((later) => (later === ended ? undefined : later)), HOLD);
}

async function readAnew(page: Page): Promise<void> {
  try {
    const [view, role, next] = await Promise.all([page.api.yard(), page.api.role(), page.api.history()]);
    page.work.history.next.set(next);
    page.role.set(role);
    page.yard.update((before) => reuse(before, view));
    page.connection.set("live");
    chooseLab(page);
  } catch (thrown) {
    page.connection.set("lost");
    page.notice.set(problemText(thrown));
  }
}

/** What is new goes into the first lab, unless another was chosen. */
function chooseLab({ yard, work }: Page): void {
  const labs = yard.get()?.labs ?? [];
  const chosen = work.lab.get();
  if (chosen === undefined || !labs.some(({ name }) => name === chosen)) work.lab.set(labs[0]?.name);
}
