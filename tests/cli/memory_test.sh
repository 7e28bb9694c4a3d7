# With little memory a compilation ends in one line, or it succeeds; nothing is left behind.
. "$(dirname "$0")/common.sh"
[ -z "$RESNETCC_CFLAGS" ] || exit 0 # sanitizers take more than there is

# limited KILOBYTES ARGUMENTS...
limited() {
  limit=$1
  shift
  (ulimit -c 0 && ulimit -v "$limit" && exec "$RESNETCC" "$@") >"$work.out" 2>"$work.err"
  status=$?
  case $status in
  0) rm -f ./* ;;
  1 | 127) # 127: not even the program's libraries fit
    [ "$(wc -l <"$work.err")" -eq 1 ] || failed "$limit KB: not one line: $(cat "$work.err")"
    [ -z "$(ls -A)" ] || failed "$limit KB: left $(ls -A)"
    ;;
  *) failed "$limit KB: status $status: $(cat "$work.err")" ;;
  esac
}

# The least with which it starts, and the least with which it succeeds, in steps of 1 MB.
tiny=$here/tiny.onnx
too_little=50000 enough=4000000
while [ $((enough - too_little)) -gt 1000 ]; do
  middle=$(((enough + too_little) / 2))
  limited $middle "$tiny"
  case $status in
  0) enough=$middle ;;
  *) too_little=$middle ;;
  esac
done
refused=0
limit=$enough
while [ $limit -gt $((enough - 12000)) ]; do
  limited $limit "$tiny"
  [ $status -eq 1 ] && refused=$((refused + 1))
  [ $status -ne 1 ] || grep -q "out of memory\|Cannot allocate memory" "$work.err" || failed "$limit KB: $(cat "$work.err")"
  limit=$((limit - 300))
done
[ $refused -gt 0 ] || failed "no limit stopped it while it worked"
finish
