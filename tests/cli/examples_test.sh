#!/bin/sh
# The example program as the quickstart builds it: every bundled picture must be taken for the digit that its name
# begins with, and files that are no pictures must be refused.
set -eu
examples=../examples
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
sanitize=
if nm "$RESNETCC_RT" 2>/dev/null | grep -q __asan_; then sanitize=-fsanitize=address,undefined; fi

"$RESNETCC" $examples/digits/digits.onnx -o "$dir/digits.o"
$CC -std=c11 -O1 -Wall -Wextra -Werror $sanitize -I "$dir" -I ../runtime $examples/digits/digits.c "$dir/digits.o" \
  "$RESNETCC_RT" -lpng -pthread -o "$dir/digits"

count=0
for picture in $examples/digits/pictures/*.png; do
  digit=$(basename "$picture" | cut -c 1)
  "$dir/digits" "$picture" >"$dir/out"
  grep -q "looks like $digit " "$dir/out" || { echo "$picture:"; cat "$dir/out"; exit 1; }
  count=$((count + 1))
done
[ "$count" -ge 12 ] || { echo "only $count pictures"; exit 1; }

for wrong in "$dir/out" "$dir/nothing"; do
  if "$dir/digits" "$wrong" 2>"$dir/err"; then echo "$wrong was accepted"; exit 1; fi
  grep -q "^$wrong: ." "$dir/err"
done
