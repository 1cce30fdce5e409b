import { createRoot } from "react-dom/client";
import { YardApi } from "./api/api.ts";
import { App } from "./app.tsx";
import { follow } from "./state/follow.ts";
import { newPage } from "./state/page.ts";
import { keepPositions } from "./topology/kept.ts";

const page = newPage(new YardApi());
const place = document.getElementById("page");
if (place === null) throw new Error("the page has no place to be in");
const stop = page.yard.subscribe(() => {
  const view = page.yard.get();
  if (view === undefined) return;
  stop();
  keepPositions(page.positions, view.yard, window.localStorage);
});
follow(page, new AbortController().signal);
createRoot(place).render(<App page={page} />);
