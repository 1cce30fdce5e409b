/** What is different about the nics of containers that another program runs. */
import { guestDevice } from "./names.ts";
import { ELSEWHERE, type VethState } from "./state.ts";

/** The far end of a guest's nic: it waits on the host until the engine takes it, and does with it what it will. */
export function guestEnd(yard: string, port: string): Pick<VethState, "namespace" | "name" | "addresses"> {
  return { namespace: ELSEWHERE, name: guestDevice(yard, port), addresses: [] };
}
