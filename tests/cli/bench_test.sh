# resnetcc bench: every configuration has a column with all its figures, in turns with another model as well.
. "$(dirname "$0")/common.sh"
tiny=$here/tiny.onnx

# figures FILE N: every line of figures has N of them, none below 0
figures() {
  for line in "first run, ms" least median p90 p99 mean runs "images per second" "CPU ms a run" "peak RSS, MiB"; do
    n=$(sed -n "s|^$line  *\([0-9].*\)|\1|p" "$1" | wc -w)
    [ "$n" -eq "$2" ] || failed "'$line' has $n figures, not $2: $(cat "$1")"
  done
}

succeeds bench "$tiny" --threads 1,2 --batch 1,3 --seconds 0.01
figures "$work.out" 4
holds "$work.out" "images of a run                1           1           3           3"
[ "$(awk 'length($0) > 80' "$work.out" | wc -l)" -eq 0 ] || failed "bench has lines of more than 80 columns"
succeeds bench "$tiny" --seconds 0.01 --parallel 2 --json
holds "$work.out" '"bench": ['
holds "$work.out" '"parallel": 2, "runs": '
succeeds bench "$tiny" --seconds 0.01 --compare "$tiny"
figures "$work.out" 2
holds "$work.out" "of the median time of"
succeeds "$tiny" --batch=2 -o net.o
$CC $RESNETCC_CFLAGS -shared net.o "$RESNETCC_RT" -pthread -o net.so || failed "no shared library"
if [ -z "$RESNETCC_CFLAGS" ]; then
  succeeds bench net.so --seconds 0.01
  refuses "the library's batch is fixed" bench net.so --batch=2
fi
refuses "it is a number from 1 to 1024, for bench also several as in 1,2,4" bench "$tiny" --threads=1,0
refuses "does not belong to the command 'bench'" bench "$tiny" --emit=asm
rm -rf ./*
finish
