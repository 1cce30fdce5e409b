#!/usr/bin/env node
import { readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { generateTypes } from "../src/generate.ts";

/** `generate.ts IN.ovsschema [OUT.gen.ts]`: writes TypeScript for a schema, to standard output without OUT. */
const [input, output] = process.argv.slice(2);
if (input === undefined) {
  process.stderr.write("usage: generate.ts IN.ovsschema [OUT.gen.ts]\n");
  process.exit(2);
}
const text = generateTypes(readFileSync(input, "utf8"), basename(input));
if (output === undefined) process.stdout.write(text);
else writeFileSync(output, text);
