/** A test case of a JUnit report. */
export interface TestCase {
  readonly name: string;
  /** Seconds. */
  readonly time: number;
  /** Why it failed; undefined when it passed. */
  readonly failure: string | undefined;
}

/** A suite of a JUnit report: the checks of a lab. */
export interface TestSuite {
  readonly name: string;
  readonly timestamp: Date;
  readonly cases: readonly TestCase[];
}

/** JUnit XML as CI servers read it: `testsuites` of `testsuite` of `testcase`. */
export function junitXml(suites: readonly TestSuite[]): string {
  const all = suites.flatMap(({ cases }) => cases);
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites${attributes({ name: "yard check", ...totals(all) })}>`,
    ...suites.flatMap((suite) => [
      `  <testsuite${attributes({ name: suite.name, timestamp: suite.timestamp.toISOString(), ...totals(suite.cases) })}>`,
      ...suite.cases.flatMap((test) => testCase(suite.name, test)),
      "  </testsuite>",
    ]),
    "</testsuites>",
    "",
  ].join("\n");
}

function testCase(suite: string, { name, time, failure }: TestCase): string[] {
  const open = `    <testcase${attributes({ classname: suite, name, time: time.toFixed(3) })}`;
  if (failure === undefined) return [`${open}/>`];
  return [`${open}>`, `      <failure${attributes({ message: failure })}/>`, "    </testcase>"];
}

function totals(cases: readonly TestCase[]): Record<string, string> {
  return {
    tests: String(cases.length),
    failures: String(cases.filter(({ failure }) => failure !== undefined).length),
    errors: "0",
    time: cases.reduce((sum, { time }) => sum + time, 0).toFixed(3),
  };
}

function attributes(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([name, value]) => ` ${name}="${escaped(value)}"`)
    .join("");
}

/** XML 1.0 cannot hold most control characters at all, not even as references. */
function escaped(text: string): string {
  return (
    text
      // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what must go
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "\ufffd")
      .replaceAll("&", "&amp;")
      .replaceAll("<", "&lt;")
      .replaceAll(">", "&gt;")
      .replaceAll('"', "&quot;")
      .replaceAll("\n", "&#10;")
  );
}
