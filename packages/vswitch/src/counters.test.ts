import { expect, test } from "bun:test";
import { parseNetDev } from "./counters.ts";

test("the kernel's counters of devices are read by their names", () => {
  const text = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
_k_1_0:    1088      12    1    2    0     0          0         0      998      11    3    4    0     0       0          0
    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0
`;
  const counters = parseNetDev(text);
  expect([...counters.keys()]).toEqual(["_k_1_0", "lo"]);
  expect(counters.get("_k_1_0")).toEqual({
    rxPackets: 12,
    rxBytes: 1088,
    rxDropped: 2,
    rxErrors: 1,
    txPackets: 11,
    txBytes: 998,
    txDropped: 4,
    txErrors: 3,
  });
});
