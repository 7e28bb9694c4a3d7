# A signal in the middle of the work leaves no file behind.
. "$(dirname "$0")/common.sh"

# Sends the signal once the temporary files are there; says whether the compiler died of it, or was faster.
interrupted() {
  rm -f net.o net.h
  # A script's children are born deaf to some signals.
  env --default-signal="$1" "$RESNETCC" "$here/tiny.onnx" -o net.o &
  pid=$!
  while kill -0 $pid 2>/dev/null; do
    for file in .rcc*; do
      [ -e "$file" ] && kill -s "$1" $pid 2>/dev/null && break 2
    done
  done
  wait $pid 2>/dev/null
  [ $? -gt 128 ]
}

for signal in HUP INT QUIT TERM; do
  tries=0
  until interrupted $signal || [ $tries -eq 100 ]; do
    tries=$((tries + 1))
  done
  [ $tries -lt 100 ] || failed "SIG$signal never came in time"
  found=$(ls -A | tr '\n' ' ')
  [ -z "$found" ] || [ "$found" = "net.h net.o " ] || failed "SIG$signal left $found"
done
finish
