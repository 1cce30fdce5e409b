import { describe, expect, test } from "bun:test";
import { YardError, YardErrors } from "@switchyard/base";
import { age, counted, took } from "./duration.ts";
import { failuresOf, jsonErrors, renderErrors } from "./error.ts";
import { junitXml } from "./junit.ts";
import { renderMatrix } from "./matrix.ts";
import { progressLine } from "./progress.ts";
import { coloured, plain, styleFor } from "./style.ts";
import { pairs, table } from "./table.ts";

describe("errors", () => {
  const unknown = new YardError("nic.network-unknown", '"lan1" is not a network of this lab', {
    where: "office.yard.yaml:7:18",
    excerpt: "7 |   web: { nics: [ lan1 ] }\n  |                  ^^^^",
    hint: "did you mean lan01?",
  });

  test("an error tells its code, where it is with a caret, and the remedy", () => {
    expect(
      renderErrors(unknown, plain).join("\n"),
    ).toBe(`error: "lan1" is not a network of this lab [nic.network-unknown]
  --> office.yard.yaml:7:18
  7 |   web: { nics: [ lan1 ] }
    |                  ^^^^
  = did you mean lan01?`);
  });

  test("all errors of a file are told, and counted", () => {
    const lines = renderErrors(
      new YardErrors([unknown, new YardError("lab.bad", "no name", { where: "x:1:1" })]),
      plain,
    );
    expect(lines.filter((line) => line.startsWith("error:"))).toHaveLength(2);
    expect(lines.at(-1)).toBe("2 errors");
  });

  test("the caret alone of an excerpt is coloured", () => {
    const lines = renderErrors(unknown, coloured);
    expect(lines[3]).toBe("    |                  \x1b[31m^^^^\x1b[39m");
    expect(lines[2]).toBe("  7 |   web: { nics: [ lan1 ] }");
  });

  test("as JSON every error is an object with its code", () => {
    expect(JSON.parse(jsonErrors(new YardErrors([unknown])))).toEqual({
      errors: [
        {
          code: "nic.network-unknown",
          message: '"lan1" is not a network of this lab',
          where: "office.yard.yaml:7:18",
          excerpt: "7 |   web: { nics: [ lan1 ] }\n  |                  ^^^^",
          hint: "did you mean lan01?",
        },
      ],
    });
  });

  test("what is no error of ours is told as unexpected, with its causes only when debugging", () => {
    const thrown = new Error("outer", { cause: new Error("inner") });
    expect(failuresOf(thrown)[0]?.code).toBe("internal.unexpected");
    expect(renderErrors(thrown, plain).join("\n")).not.toContain("inner");
    expect(renderErrors(thrown, plain, { debug: true }).join("\n")).toContain("inner");
  });
});

describe("tables", () => {
  const rows = [
    { name: "web", lines: ["10.1.0.1/24", "fd01::1/64"], note: "" },
    { name: "router", lines: [], note: "" },
  ];

  test("a cell with several lines makes the row taller, and columns stay aligned", () => {
    const columns = [
      { heading: "node", cell: (row: (typeof rows)[0]) => row.name },
      { heading: "address", cell: (row: (typeof rows)[0]) => row.lines },
      { heading: "note", cell: (row: (typeof rows)[0]) => row.note, optional: true },
    ];
    expect(table(columns, rows, plain)).toEqual([
      "NODE    ADDRESS",
      "web     10.1.0.1/24",
      "        fd01::1/64",
      "router",
    ]);
  });

  test("colours do not count as width", () => {
    const columns = [
      { heading: "a", cell: () => coloured.red("x") },
      { heading: "b", cell: () => "y" },
    ];
    expect(table(columns, [{}], plain)[1]).toBe("\x1b[31mx\x1b[39m  y");
  });

  test("pairs leave out what has no value", () => {
    expect(
      pairs(
        [
          ["a", "1"],
          ["long", "2"],
          ["none", undefined],
        ],
        plain,
      ),
    ).toEqual(["a     1", "long  2"]);
  });
});

describe("colours", () => {
  test("only a terminal gets them, and never with NO_COLOR", () => {
    expect(styleFor({ isTTY: true }, {})).toBe(coloured);
    expect(styleFor({ isTTY: true }, { NO_COLOR: "1" })).toBe(plain);
    expect(styleFor({ isTTY: true }, { TERM: "dumb" })).toBe(plain);
    expect(styleFor({ isTTY: false }, {})).toBe(plain);
    expect(styleFor({}, { FORCE_COLOR: "1" })).toBe(coloured);
  });
});

test("durations are told in the unit that people would choose", () => {
  expect([12.4, 1_240, 12_340, 125_000].map(took)).toEqual(["12 ms", "1.24 s", "12.3 s", "2 min 5 s"]);
  expect([5_000, 120_000, 7_200_000, 200_000_000].map(age)).toEqual(["5s", "2m", "2h", "2d"]);
  expect([counted(1, "node"), counted(0, "node")]).toEqual(["1 node", "0 nodes"]);
});

test("the progress line fits the terminal", () => {
  const line = progressLine("up office", { done: 12, total: 24, text: "create container web from busybox" }, 50, plain);
  expect(line).toBe("up office ━━━━━━━━━━────────── 12/24 create conta");
});

describe("JUnit", () => {
  const timestamp = new Date(0);

  test("failures carry their message, and the totals agree", () => {
    const xml = junitXml([
      {
        name: "office",
        timestamp,
        cases: [
          { name: "web reaches router", time: 0.0021, failure: undefined },
          { name: 'a < b & "c"', time: 2, failure: "no reply\nwithin 2 s" },
        ],
      },
    ]);
    expect(xml).toMatchSnapshot();
  });

  test("characters that XML cannot hold do not break the report", () => {
    expect(junitXml([{ name: "x\u0000\u001b[31m", timestamp, cases: [] }])).toContain("x\ufffd\ufffd[31m");
  });
});

describe("the matrix of pingall", () => {
  const pairs = [
    { from: "a", to: "b", roundTrip: 0.1234 },
    { from: "b", to: "a", roundTrip: null },
  ];

  test("shows round trips, losses and pairs without a common network", () => {
    expect(renderMatrix(["a", "b", "c"], pairs, plain)).toEqual([
      "ms  a  b     c",
      "a   ·  0.12  ·",
      "b   ✗  ·     ·",
      "c   ·  ·     ·",
      "",
      "50.0% dropped (1/2 received)",
    ]);
  });

  test("of many nodes only the pairs that failed are listed", () => {
    const nodes = Array.from({ length: 50 }, (_, n) => `n${n}`);
    expect(renderMatrix(nodes, pairs, plain)).toEqual(["✗ b -> a", "", "50.0% dropped (1/2 received)"]);
  });
});
