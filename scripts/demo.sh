#!/bin/sh
# Brings up examples/hello.yard.yaml in a yard of its own, proves it, shows it: scripts/demo.sh [down]
set -eu
cd "$(dirname "$0")/.."

root=
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null 2>&1 || { echo "the demo makes network namespaces: run it as root" >&2; exit 1; }
  root=sudo
fi
name=${DEMO_YARD:-demo}
yard="$root dist/yard -y $name"
lab=examples/hello.yard.yaml

if [ "${1:-up}" = down ]; then
  $yard down --all
  exit
fi

say() { printf '\n$ %s\n' "$*"; }

say "dist/yard -y $name up $lab"
$yard up "$lab"
say "dist/yard -y $name check"
$yard check
say "dist/yard -y $name ps"
$yard ps

cat <<END

The lab is up, in a yard of its own called $name. Look around${root:+ (as root)}:

  alias y='${root:+sudo }$(pwd)/dist/yard -y $name'
  y exec web -- ip address            run a command in a node
  y shell router                      a shell in a node; exit leaves it
  y inspect web                       all there is to know about it
  y pingall                           who reaches whom
  \$EDITOR $lab; y up $lab    apply just the difference

Take it down without a trace:         make demo-down
END
