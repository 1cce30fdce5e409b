/** All operations of the API. */
import type { Operation } from "../operation.ts";
import { captures } from "./captures.ts";
import { checks } from "./checks.ts";
import { dissections } from "./dissect.ts";
import { general } from "./general.ts";
import { histories } from "./history.ts";
import { hostBridges } from "./host-bridges.ts";
import { inside } from "./inside.ts";
import { labs } from "./labs.ts";
import { machines } from "./machines.ts";
import { networks } from "./networks.ts";
import { nics } from "./nics.ts";
import { nodes } from "./nodes.ts";
import { bridges } from "./switch.ts";

export const operations: readonly Operation[] = [
  ...general,
  ...labs,
  ...histories,
  ...nodes,
  ...nics,
  ...networks,
  ...inside,
  ...captures,
  ...dissections,
  ...checks,
  ...bridges,
  ...hostBridges,
  ...machines,
];
