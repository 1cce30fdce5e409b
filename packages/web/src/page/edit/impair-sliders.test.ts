import { expect, test } from "bun:test";
import { NO_SLIDES, slidesOf, writtenOf } from "./impair-sliders.ts";

test("sliders stand where the lab file says", () => {
  const written = { delay: "20ms", jitter: "5ms", loss: "1%", rate: "10mbit" };
  expect(writtenOf(slidesOf(written), {})).toEqual(written);
  expect(slidesOf({})).toEqual(NO_SLIDES);
  expect(writtenOf(slidesOf({ delay: "1.9s", rate: "1gbit" }), {})).toEqual({ delay: "2000ms", rate: "1000mbit" });
});

test("a setting without a slider stays, unless it means nothing any more", () => {
  const was = { delay: "20ms", reorder: "5%", corrupt: "1%" };
  expect(writtenOf(slidesOf(was), was)).toEqual(was);
  expect(writtenOf({ ...NO_SLIDES, loss: 3 }, was)).toEqual({ loss: "1%", corrupt: "1%" });
  expect(writtenOf(NO_SLIDES, was)).toEqual({});
});

test("a delay varies by no more than it is", () => {
  expect(writtenOf({ ...NO_SLIDES, delay: 1, jitter: 9 }, {})).toEqual({ delay: "1ms", jitter: "1ms" });
  expect(writtenOf({ ...NO_SLIDES, jitter: 9 }, {})).toEqual({});
});
