import { describe, expect, test } from "bun:test";
import { YardError } from "@switchyard/base";
import fc from "fast-check";
import {
  contradiction,
  parseQueue,
  parseRate,
  parseShare,
  parseTime,
  SETTINGS,
  UNIMPAIRED,
  withSetting,
  writtenSettings,
} from "./impair.ts";
import { parseLab } from "./parse.ts";

const lab = (text: string) => parseLab(text, { file: "/x/t.yard.yaml", environment: {} }).lab;
const nicWith = (impair: string) =>
  `name: t\nnetworks: { lan: {} }\nnodes:\n  a: { kind: netns, nics: [ { network: lan, impair: ${impair} } ] }\n`;

function errorsOf(text: string): string[] {
  try {
    lab(text);
    return [];
  } catch (error) {
    if (!(error instanceof YardError)) throw error;
    const all = "errors" in error && Array.isArray(error.errors) ? error.errors : [error];
    return all.map((it) => `${it.where?.replace(/^.*yaml:/, "")} ${it.code}`);
  }
}

describe("the impairment of a nic", () => {
  test("is the same both ways, but for what is said of one", () => {
    const [nic] = lab(nicWith("{ delay: 10ms, loss: 1%, out: { loss: 0, rate: 10mbit } }")).nodes[0]?.nics ?? [];
    expect(nic?.impair).toEqual({
      forward: { ...UNIMPAIRED, delay: 10_000, rate: 10_000_000 },
      backward: { ...UNIMPAIRED, delay: 10_000, loss: 1 },
    });
  });

  test("that impairs nothing is none", () => {
    expect(lab(nicWith("{ loss: 0% }")).nodes[0]?.nics[0]?.impair).toBeUndefined();
  });

  test.each([
    ["{ delay: 10 }", "4:62 impair.bad-time"],
    ["{ delay: 61s }", "4:62 impair.bad-time"],
    ["{ delay: -1ms }", "4:62 impair.bad-time"],
    ["{ loss: 101% }", "4:61 impair.bad-share"],
    ["{ loss: 0.5 }", "4:61 impair.bad-share"],
    ["{ rate: 10mbps }", "4:61 impair.bad-rate"],
    ["{ rate: 999bit }", "4:61 impair.bad-rate"],
    ["{ queue: 0 }", "4:62 impair.bad-queue"],
    ["{ queue: 100B }", "4:62 impair.bad-queue"],
    ["{ delay: 1ms, jitter: 2ms }", "4:75 impair.jitter-over-delay"],
    ["{ delay: 5ms, jitter: 2ms, in: { delay: 1ms } }", "4:75 impair.jitter-over-delay"],
    ["{ reorder: 1% }", "4:64 impair.without-effect"],
    ["{ delay: 1ms, correlation: 10% }", "4:80 impair.without-effect"],
    ["{ forward: { delay: 1ms } }", "4:55 lab.unknown-key"],
    ["{ latency: 1ms }", "4:55 lab.unknown-key"],
  ])("%p is refused at its place", (written, error) => {
    expect(errorsOf(nicWith(written))).toEqual([error]);
  });

  test("of a link is the link's to have", () => {
    const text = (impair: string, link: string) =>
      `name: t\nnodes:\n  a: { kind: netns, nics: [ { name: eth0${impair} } ] }\n  b: { kind: netns }\nlinks: [ { endpoints: ["a:eth0", "b:eth0"]${link} } ]\n`;
    expect(errorsOf(text(", impair: { delay: 1ms }", ""))).toEqual(["3:43 impair.on-wire"]);
    expect(lab(text("", ", impair: { forward: { delay: 1ms } }")).links[0]?.impair).toEqual({
      forward: { ...UNIMPAIRED, delay: 1_000 },
      backward: UNIMPAIRED,
    });
  });
});

describe("a value", () => {
  test("is read with its unit, with or without a blank, and without regard to case", () => {
    expect([parseTime("200us"), parseTime("1.5 s"), parseTime(0)]).toEqual([200, 1_500_000, 0]);
    expect([parseShare("0.01%"), parseShare("0")]).toEqual([0.01, 0]);
    expect([parseRate("10Mbit"), parseRate("512kbit"), parseRate("none")]).toEqual([10_000_000, 512_000, undefined]);
    expect([parseQueue(1000), parseQueue("64kB")]).toEqual([
      { unit: "frames", amount: 1000 },
      { unit: "bytes", amount: 64_000 },
    ]);
  });

  test("of which the unit is forgotten is refused with the one that was most likely meant", () => {
    const hint = (body: () => unknown) => {
      try {
        body();
      } catch (error) {
        return error instanceof YardError ? error.hint : undefined;
      }
      return undefined;
    };
    expect(hint(() => parseTime(10))).toContain("10ms");
    expect(hint(() => parseShare("0.5"))).toContain("0.5%");
    expect(hint(() => parseRate(10))).toContain("10mbit");
    expect(hint(() => parseRate("10MB/s"))).toContain("bits a second");
  });

  test("reads back as what it is written as", () => {
    const some = fc.record({
      delay: fc.integer({ min: 0, max: 60_000_000 }),
      jitter: fc.integer({ min: 0, max: 60_000_000 }),
      correlation: fc.constantFrom(0, 25),
      loss: fc.constantFrom(0, 0.01, 100),
      duplicate: fc.constant(0),
      reorder: fc.constantFrom(0, 3),
      corrupt: fc.constantFrom(0, 0.1),
      rate: fc.option(fc.integer({ min: 1_000, max: 100e9 }), { nil: undefined }),
      queue: fc.constantFrom(
        undefined,
        { unit: "frames" as const, amount: 7 },
        { unit: "bytes" as const, amount: 64_500 },
      ),
    });
    fc.assert(
      fc.property(some, (impairment) => {
        const written = writtenSettings(impairment);
        const read = SETTINGS.reduce((it, setting) => {
          const value = written[setting];
          return value === undefined ? it : withSetting(it, setting, value);
        }, UNIMPAIRED);
        expect(read).toEqual(impairment);
      }),
    );
  });

  test("may contradict another", () => {
    expect(contradiction({ ...UNIMPAIRED, delay: 5, jitter: 6 })?.setting).toBe("jitter");
    expect(contradiction({ ...UNIMPAIRED, delay: 6, jitter: 6 })).toBeUndefined();
  });
});
