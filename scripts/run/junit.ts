/** What a JUnit report says of one test file. */
export interface FileCounts {
  readonly file: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly seconds: number;
}

/**
 * Reads the report of `bun test --reporter=junit`: one `<testsuite>` a file, in it one nested for each `describe`. Only
 * the outermost count; they carry the sums.
 */
export function readJunit(xml: string): FileCounts[] {
  const files: FileCounts[] = [];
  let depth = 0;
  for (const [tag, closing] of xml.matchAll(/<(\/?)testsuite(?=[\s>])[^>]*>/g)) {
    if (closing === "/") {
      depth--;
      continue;
    }
    if (depth === 0) files.push(countsOf(tag));
    if (!tag.endsWith("/>")) depth++;
  }
  return files;
}

function countsOf(tag: string): FileCounts {
  const number = (name: string) => Number(attribute(tag, name) ?? 0);
  const failed = number("failures") + number("errors");
  const skipped = number("skipped");
  return {
    file: attribute(tag, "file") ?? attribute(tag, "name") ?? "",
    passed: number("tests") - failed - skipped,
    failed,
    skipped,
    seconds: number("time"),
  };
}

function attribute(tag: string, name: string): string | undefined {
  return new RegExp(`\\s${name}="([^"]*)"`).exec(tag)?.[1];
}
