import { expect, test } from "bun:test";
import { checksum, echoReply, echoRequest, replyFilter } from "./icmp.ts";

test("an echo request's checksum makes the sum of the message zero", () => {
  expect(checksum(echoRequest(4, { identifier: 0x1234, sequence: 7 }))).toBe(0);
});

test("an IPv4 reply is found behind an IP header with options", () => {
  const reply = echoRequest(4, { identifier: 0x1234, sequence: 7 });
  reply[0] = 0;
  const datagram = new Uint8Array(24 + reply.length);
  datagram[0] = 0x46;
  datagram.set(reply, 24);
  expect(echoReply(4, datagram)).toEqual({ identifier: 0x1234, sequence: 7 });
  expect(echoReply(4, datagram.subarray(0, 28))).toBeUndefined();
});

test("a request is not taken for a reply", () => {
  expect(echoReply(6, echoRequest(6, { identifier: 1, sequence: 2 }))).toBeUndefined();
});

test("the filters let echo replies alone through", () => {
  expect([...replyFilter(4)]).toEqual([0xfe, 0xff, 0xff, 0xff]);
  expect(replyFilter(6)[16]).toBe(0xfd);
});
