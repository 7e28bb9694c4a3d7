# examples/classify, built as its README says but for the model, on a photograph that is made here.
. "$(dirname "$0")/common.sh"
examples=$here/../../examples
jpeg=$(pkg-config --cflags --libs libjpeg 2>/dev/null) || {
  echo "skipped: no libjpeg to read photographs with (libjpeg-dev)"
  exit 0
}

$CC "$here/photograph.c" $jpeg -o photograph && ./photograph >photograph.jpg || failed "no photograph"
printf 'one\ntwo\nthree\nfour\nfive\n' >labels
succeeds "$here/tiny.onnx" -o net.o --shape=image=1,3,8,8 --input=u8,nhwc,torchvision,size=224x224 --output=softmax,top5 \
  --labels labels
$CC -std=c11 -O1 -Wall -Wextra -Werror $RESNETCC_CFLAGS -I . -I "$here/../../runtime" -I "$here/../../runtime/image" \
  "$examples/classify/classify.c" net.o "$RESNETCC_RT" $jpeg -pthread -o classify || failed "classify.c does not build"
./classify photograph.jpg >out || failed "classify: $(cat out)"
[ "$(grep -cE '^ *[0-9]+\.[0-9] %  (one|two|three|four|five)$' out)" -eq 5 ] || failed "not five classes: $(cat out)"
sort -s -rn -k1,1 out | cmp -s - out || failed "not sorted: $(cat out)"
[ "$(awk '{ s += $1 } END { print int(s + 0.5) }' out)" -eq 100 ] || failed "not 100 %: $(cat out)"
./classify nothing.jpg 2>err && failed "no file is classified"
holds err "nothing.jpg: No such file"
./classify labels 2>err && failed "a text is classified"
[ -s err ] || failed "a text is refused without a word"
[ "$(wc -l <"$examples/classify/classify.c")" -le 30 ] || failed "classify.c has more than 30 lines"
[ "$(wc -l <"$examples/classify/README.md")" -le 30 ] || failed "its README has more than 30 lines"
rm -f ./*
finish
