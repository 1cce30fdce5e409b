import { describe, expect, test } from "bun:test";
import { type Cidr, fromNumber, parseCidr, parseMac } from "@switchyard/base";
import fc from "fast-check";
import type { Route } from "../types.ts";
import { addAddress, ROUTE_PROTOCOL, RTM_NEWADDR, readAddress } from "./address.ts";
import { createVeth, readLink, setLink } from "./link.ts";
import {
  acknowledgement,
  MessageWriter,
  NLM_F_ACK_TLVS,
  NLM_F_CAPPED,
  NLMSG_ERROR,
  Reader,
  type ReceivedMessage,
} from "./message.ts";
import { addRoute, readRoute } from "./route.ts";
import type { NetlinkRequest } from "./socket.ts";

function received(...requests: NetlinkRequest[]): ReceivedMessage[] {
  const writer = new MessageWriter(16);
  for (const [i, { type, flags, body }] of requests.entries()) writer.message(type, flags, i + 1, () => body(writer));
  return [...new Reader(writer.bytes()).messages(writer.length)];
}

function one(request: NetlinkRequest): ReceivedMessage {
  const [message] = received(request);
  if (message === undefined) throw new Error("one message");
  return message;
}

const cidr: fc.Arbitrary<Cidr> = fc.oneof(
  fc
    .tuple(fc.bigInt({ min: 0n, max: 2n ** 32n - 1n }), fc.nat(32))
    .map(([ip, prefix]) => parseCidr(`${fromNumber(ip, 4)}/${prefix}`)),
  fc
    .tuple(fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }), fc.nat(128))
    .map(([ip, prefix]) => parseCidr(`${fromNumber(ip, 6)}/${prefix}`)),
);
const mac = fc
  .array(fc.nat(255), { minLength: 5, maxLength: 5 })
  .map((octets) => parseMac(["02", ...octets.map((octet) => octet.toString(16).padStart(2, "0"))].join(":")));
const name = fc.string({ unit: fc.constantFrom(..."abcxyz0189_-"), minLength: 1, maxLength: 15 });
const index = fc.integer({ min: 1, max: 2 ** 31 - 1 });

describe("netlink messages", () => {
  test("attributes of any type and length come back in order, nested ones too", () => {
    const attribute = fc.record({ type: fc.nat(0x3fff), value: fc.uint8Array({ maxLength: 300 }) });
    fc.assert(
      fc.property(fc.array(attribute, { maxLength: 20 }), fc.nat(0x3fff), (attributes, outer) => {
        const message = one({
          type: 16,
          flags: 0,
          body: (writer) =>
            writer.nested(outer, () => {
              for (const { type, value } of attributes) writer.attribute(type, value);
            }),
        });
        const seen: { type: number; value: Uint8Array }[] = [];
        message.reader.attributes(message.start, message.end, (outside, from, to) => {
          expect(outside).toBe(outer);
          message.reader.attributes(from, to, (type, start, end) => {
            seen.push({ type, value: Uint8Array.from(message.reader.slice(start, end)) });
          });
        });
        expect(seen).toEqual(attributes);
      }),
    );
  });

  test("many in one datagram come apart with their types, flags and numbers", () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ type: fc.nat(0xffff), flags: fc.nat(0xffff), body: fc.uint8Array({ maxLength: 70 }) })),
        (list) => {
          const messages = received(
            ...list.map(({ type, flags, body }) => ({ type, flags, body: (w: MessageWriter) => void w.raw(body) })),
          );
          expect(messages.map(({ type, flags, sequence }) => ({ type, flags, sequence }))).toEqual(
            list.map(({ type, flags }, i) => ({ type, flags, sequence: i + 1 })),
          );
          messages.forEach((message, i) => {
            expect(Uint8Array.from(message.reader.slice(message.start, message.end))).toEqual(
              list[i]?.body ?? new Uint8Array(),
            );
          });
        },
      ),
    );
  });

  test("arbitrary bytes are read or refused, never beyond their end and never for ever", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const reader = new Reader(bytes);
        try {
          for (const message of reader.messages(bytes.length)) {
            expect(message.end).toBeLessThanOrEqual(bytes.length);
            reader.attributes(message.start, message.end, (_type, _start, end) => {
              expect(end).toBeLessThanOrEqual(message.end);
            });
          }
        } catch (error) {
          expect(error).toMatchObject({ code: "netlink.malformed" });
        }
      }),
    );
  });

  test("an address is read as it was written, with our mark", () => {
    fc.assert(
      fc.property(index, cidr, (link, address) => {
        const message = one(addAddress(link, address));
        expect(message.type).toBe(RTM_NEWADDR);
        expect(readAddress(message)).toMatchObject({ index: link, address, protocol: ROUTE_PROTOCOL });
      }),
    );
  });

  test("a route is read as it was written", () => {
    const metric = fc.option(
      fc.integer({ min: 1, max: 2 ** 31 }).filter((value) => value !== 1024),
      { nil: undefined },
    );
    fc.assert(
      fc.property(cidr, cidr, index, metric, fc.boolean(), (to, router, link, cost, isDefault) => {
        const four = !to.includes(":");
        const route: Route = {
          to: isDefault ? (four ? "default4" : "default6") : to,
          via: fromNumber(1n, router.includes(":") ? 6 : 4),
          dev: `dev${link}`,
          ...(cost === undefined ? {} : { metric: cost }),
        };
        expect(readRoute(one(addRoute(route, link)), (number) => `dev${number}`)).toEqual(route);
      }),
    );
  });

  test("a link is read as it was written", () => {
    fc.assert(
      fc.property(
        name,
        index,
        mac,
        fc.integer({ min: 68, max: 65535 }),
        fc.boolean(),
        fc.string({ unit: "binary", minLength: 1, maxLength: 60 }),
        (rename, link, address, mtu, up, alias) => {
          fc.pre(!alias.includes("\0"));
          const message = one(setLink(link, { rename, mac: address, mtu, up, alias }));
          expect(readLink(message)).toMatchObject({
            index: link,
            name: rename,
            mac: address,
            mtu,
            up,
            alias: alias.toWellFormed(),
          });
          const veth = one(createVeth({ name: rename, mtu, mac: address, up }, { name: "far" }, 7));
          expect(readLink(veth)).toMatchObject({ name: rename, kind: "veth", mac: address, mtu, up });
        },
      ),
    );
  });

  test("an error tells its number and the kernel's sentence, with the request quoted or not", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 133 }),
        fc.option(fc.string({ minLength: 1, maxLength: 80 })),
        fc.option(fc.uint8Array({ maxLength: 50 })),
        (errno, text, quoted) => {
          fc.pre(text === null || !text.includes("\0"));
          const flags = (text === null ? 0 : NLM_F_ACK_TLVS) | (quoted === null ? NLM_F_CAPPED : 0);
          const message = one({
            type: NLMSG_ERROR,
            flags,
            body: (writer) => {
              writer.u32(-errno);
              writer.message(16, 0, 1, () => void (quoted !== null && writer.raw(quoted)));
              if (text !== null) writer.attributeText(1, text);
            },
          });
          expect(acknowledgement(message)).toEqual({ sequence: message.sequence, errno, text: text ?? "" });
        },
      ),
    );
  });
});
