import { agentCodes } from "./agent/codes.ts";
import { insideCodes } from "./inside/codes.ts";
import { modelCodes } from "./model/codes.ts";
import { storeCodes } from "./store/codes.ts";

/** Every error code of the room, with what it means and what to do. */
export const codes = { ...modelCodes, ...storeCodes, ...agentCodes, ...insideCodes } as const;
