#!/bin/sh
# Runs this package's tests under Node (20 or later): it must serve users who have no Bun.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
bun=${BUN:-$(cd "$here/../.." && pwd)/node_modules/.bin/bun}
"$bun" build --target=node --format=esm --root "$here" --outdir "$out" "$here"/src/*.test.ts "$here"/tests/*.test.ts >/dev/null
printf '{"type":"module"}' >"$out/package.json"
cd "$out"
node --test --test-concurrency=1 --test-reporter="${REPORTER:-spec}" $(find . -name '*.test.js')
