# A signal in the middle of the work leaves no file behind, be it one that no program can catch.
. "$(dirname "$0")/common.sh"

# Has process $1 opened a file in this folder?
writes() {
  for fd in /proc/"$1"/fd/[3-9]; do
    case $(readlink "$fd" 2>/dev/null) in
    "$work"/*) return 0 ;;
    esac
  done
  return 1
}

# Sends the signal once an output is open; says whether the compiler died of it, or was faster.
interrupted() {
  rm -f net.o net.h
  # A script's children are born deaf to some signals.
  env --default-signal=HUP,INT,QUIT,TERM "$RESNETCC" "$here/tiny.onnx" -o net.o 2>"$work.err" &
  pid=$!
  while kill -0 $pid 2>/dev/null; do
    writes $pid && kill -s "$1" $pid 2>/dev/null && break
  done
  wait $pid 2>/dev/null
  status=$?
  # In LLVM an abort or a fault is that of a library without memory, and told.
  [ $status -gt 128 ] && return
  case $1 in ABRT | SEGV | BUS) [ $status -eq 1 ] && grep -q "out of memory, or a fault of LLVM" "$work.err" ;; *) false ;; esac
}

ulimit -c 0
faults="SEGV BUS FPE"
[ -z "$RESNETCC_CFLAGS" ] || faults= # a sanitizer's handlers end the program otherwise
for signal in HUP INT QUIT TERM ABRT $faults ILL KILL; do
  tries=0
  until interrupted $signal 2>/dev/null || [ $tries -eq 100 ]; do
    tries=$((tries + 1))
  done
  [ $tries -lt 100 ] || failed "SIG$signal never came in time"
  found=$(ls -A | tr '\n' ' ')
  [ -z "$found" ] || [ "$found" = "net.h net.o " ] || failed "SIG$signal left $found"
done
finish
