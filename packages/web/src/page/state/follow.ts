/** The page follows the yard. */
import type { YardEvent } from "../api/api.ts";
import { problemText } from "../api/problem.ts";
import { sampled } from "../plot/rates.ts";
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
        page.doing.set(event.data);
        break;
      case "converged":
        page.doing.set(undefined);
        break;
      case "text":
        page.texts.update(({ count }) => ({ lab: event.data.lab, count: count + 1 }));
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

async function readAnew(page: Page): Promise<void> {
  try {
    const [view, role] = await Promise.all([page.api.yard(), page.api.role()]);
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
