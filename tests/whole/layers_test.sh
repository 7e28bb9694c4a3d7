#!/bin/sh
# The folders of the compiler are libraries, each built on some of the others ($RESNETCC_FOLDERS: FOLDER:BELOW,BELOW...). No
# function calls into a folder that its own is not built on, as nm shows, and no include leaves the folder by a path. Turned
# upside down, the same check must find calls.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for folder in $RESNETCC_FOLDERS; do
  name=${folder%%:*}
  nm -g "$RESNETCC_BUILD/libresnetcc_$name.a" 2>/dev/null | awk -v folder="$name" '
    NF == 3 && $2 ~ /[TDRBV]/ { print "has", folder, $3 }
    NF == 2 && $1 == "U" { print "calls", folder, $2 }'
done >"$work/symbols"

# The linker takes the first of two functions of one name from a library, whoever is meant.
if awk '$1 == "has" { print $3 }' "$work/symbols" | sort | uniq -d | grep .; then
  echo "defined twice"
  exit 1
fi

# upward FOLDER:BELOW...: calls that go elsewhere than below, one a line; what is below is below its own callers, too.
upward() {
  for folder in "$@"; do echo "below $folder" | tr ':,' '  '; done | cat - "$work/symbols" | awk '
    $1 == "below" {
      for (i = 3; i <= NF; i++) {
        below[$2, $i] = 1
        for (f in folders) if ((($i) SUBSEP f) in below) below[$2, f] = 1
      }
      folders[$2] = 1
    }
    $1 == "has" { home[$3] = $2 }
    $1 == "calls" { call[++n] = $2 " " $3 }
    END {
      for (i = 1; i <= n; i++) {
        split(call[i], c, " ")
        to = home[c[2]]
        if (to != "" && to != c[1] && !((c[1] SUBSEP to) in below)) print c[1] " calls " c[2] " of " to
      }
    }'
}

upward $RESNETCC_FOLDERS >"$work/found"
if [ -s "$work/found" ]; then
  cat "$work/found"
  exit 1
fi

upward base:tools graph:tools ops:tools tools: >"$work/found"
grep -q '^tools calls .* of base$' "$work/found" || { echo "the check sees nothing"; exit 1; }

if grep -rn '# *include *"[^"]*/' ../compiler ../runtime --include='*.[ch]'; then
  echo "an include leaves its folder by a path"
  exit 1
fi
if grep -rn '# *include *"\(base\|graph\|ops\|import\|rewrite\|lower\|emit\|compile\|tools\)\.h"' ../runtime; then
  echo "the runtime knows the compiler"
  exit 1
fi
# An array of a model may be empty, and NULL then.
if grep -rnE '\bmem(cpy|move|cmp)\(' ../compiler --include='*.[ch]' | grep -v '/bytes\.c:' |
  grep -vE ', (sizeof \*?[][A-Za-z_.>-]+|[0-9]+|[A-Z_]+)\)'; then
  echo "a size that may be 0: move_bytes or same_bytes"
  exit 1
fi
if find ../compiler ../runtime -name '*.cc' -o -name '*.cpp' -o -name '*.hpp' | grep .; then
  echo "C++"
  exit 1
fi
