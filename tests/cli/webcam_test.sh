# examples/webcam-frame, built by the words of its README: of a frame it sees the middle, and nothing else.
. "$(dirname "$0")/common.sh"
example=$here/../../examples/webcam-frame
printf 'one\ntwo\nthree\nfour\nfive\n' >labels
words=$(sed -n 's/^resnetcc .*\(--input=[^ ]*\) \(--output=[^ ]*\).*/\1 \2/p' "$example/README.md")
# shellcheck disable=SC2086
succeeds "$here/tiny.onnx" -o net.o --shape=image=1,3,8,8 $words --labels labels
compiles webcam -std=c11 "$example/webcam.c" net.o

# bytes N: white ones
bytes() { head -c "$1" /dev/zero | tr '\0' '\377'; }
# repeated N FILE
repeated() { cat $(yes "$2" | head -n "$1"); }
head -c 3686400 /dev/zero >black
bytes 3686400 >white
{ bytes 1280 && head -c 2560 /dev/zero && bytes 1280; } >row
bytes 5120 >edge
{ repeated 120 edge && repeated 480 row && repeated 120 edge; } >window
cat black window white | ./webcam >out || failed "webcam: status $?: $(cat out)"
[ "$(grep -cE '^ *[0-9]+\.[0-9] %  (one|two|three|four|five)$' out)" -eq 3 ] || failed "not three frames: $(cat out)"
[ "$(sed -n 1p out)" = "$(sed -n 2p out)" ] || failed "what is around the window is seen: $(cat out)"
[ "$(sed -n 1p out)" != "$(sed -n 3p out)" ] || failed "black is white: $(cat out)"
cat black row | ./webcam >out 2>err && failed "half a frame is one"
holds err "the last frame is cut off"
./webcam </dev/null || failed "no frame: status $?"
at_most 30 "$example/README.md"
at_most 30 "$here/../../examples/digits/README.md"
finish
