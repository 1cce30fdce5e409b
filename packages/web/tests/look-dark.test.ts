import { setDefaultTimeout } from "bun:test";
import { looks } from "./look.ts";

setDefaultTimeout(60_000);
looks(true);
