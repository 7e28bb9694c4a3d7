# The example program as the quickstart builds it: every bundled picture must be taken for the digit that its name
# begins with, and files that are no pictures must be refused.
. "$(dirname "$0")/common.sh"
example=$here/../../examples/digits

succeeds "$example/digits.onnx" -o digits.o
compiles digits -std=c11 "$example/digits.c" digits.o -lpng

count=0
for picture in "$example"/pictures/*.png; do
  digit=$(basename "$picture" | cut -c 1)
  ./digits "$picture" >out || failed "$picture: status $?"
  grep -q "looks like $digit " out || failed "$picture: $(cat out)"
  count=$((count + 1))
done
[ "$count" -ge 12 ] || failed "only $count pictures"

for wrong in out nothing; do
  ./digits "$wrong" 2>err && failed "$wrong was accepted"
  grep -q "^$wrong: ." err || failed "$wrong is refused without a reason: $(cat err)"
done
finish
