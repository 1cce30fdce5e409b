import { expect, test } from "bun:test";
import { readJunit } from "./junit.ts";

test("the counts of a file are those of its outermost suite", () => {
  const xml = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="bun test" tests="4" failures="1" skipped="1" time="0.5">
  <testsuite name="a.test.ts" file="a.test.ts" tests="3" assertions="0" failures="1" skipped="1" time="0.25">
    <testsuite name="inner" file="a.test.ts" line="3" tests="2" failures="1" skipped="0" time="0.1">
      <testcase name="x" classname="inner" time="0.1" file="a.test.ts" line="4" />
    </testsuite>
  </testsuite>
  <testsuite name="b.test.ts" file="b.test.ts" tests="1" assertions="1" failures="0" skipped="0" time="0.01" />
</testsuites>`;
  expect(readJunit(xml)).toEqual([
    { file: "a.test.ts", passed: 1, failed: 1, skipped: 1, seconds: 0.25 },
    { file: "b.test.ts", passed: 1, failed: 0, skipped: 0, seconds: 0.01 },
  ]);
});

test("a report of nothing has no files", () => {
  expect(readJunit('<testsuites name="bun test" tests="0"></testsuites>')).toEqual([]);
});
