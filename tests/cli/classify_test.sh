# examples/classify, built as its README says but for the model, on a photograph that is made here.
. "$(dirname "$0")/common.sh"
example=$here/../../examples/classify
jpeg=$(pkg-config --cflags --libs libjpeg 2>/dev/null) || skip "no libjpeg to read photographs with (libjpeg-dev)"

$CC "$here/photograph.c" $jpeg -o photograph && ./photograph >photograph.jpg || failed "no photograph"
printf 'one\ntwo\nthree\nfour\nfive\n' >labels
succeeds "$here/tiny.onnx" -o net.o --shape=image=1,3,8,8 --input=u8,nhwc,torchvision,size=224x224 --output=softmax,top5 \
  --labels labels
compiles classify -std=c11 "$example/classify.c" net.o $jpeg
./classify photograph.jpg >out || failed "classify: $(cat out)"
[ "$(grep -cE '^ *[0-9]+\.[0-9] %  (one|two|three|four|five)$' out)" -eq 5 ] || failed "not five classes: $(cat out)"
sort -s -rn -k1,1 out | cmp -s - out || failed "not sorted: $(cat out)"
[ "$(awk '{ s += $1 } END { print int(s + 0.5) }' out)" -eq 100 ] || failed "not 100 %: $(cat out)"
./classify nothing.jpg 2>err && failed "no file is classified"
holds err "nothing.jpg: No such file"
./classify labels 2>err && failed "a text is classified"
[ -s err ] || failed "a text is refused without a word"
at_most 30 "$example/classify.c"
at_most 30 "$example/README.md"
finish
