# resnetcc run: pictures and tensors in, classes, tensors and pictures out; files that are none of these.
. "$(dirname "$0")/common.sh"
digits=$here/../../examples/digits/digits.onnx
picture=$here/../../examples/digits/pictures/3.png
tiny=$here/tiny.onnx

npy in.npy '<f4' '1, 3, 8, 8' 768
succeeds run "$tiny" in.npy --out out.npy --top 2
[ "$(grep -c ' %  ' "$work.out")" -eq 2 ] || failed "--top 2 does not show two classes: $(cat "$work.out")"
grep -q 'in.npy: .* ms$' "$work.out" || failed "no time: $(cat "$work.out")"
[ "$(head -c 6 out.npy | od -An -c | tr -d ' ')" = '223NUMPY' ] || failed "out.npy is no .npy"
succeeds run "$tiny" --in in.npy --out out.pb
succeeds run "$tiny" --in in.npy --out out.pb # which is replaced
printf 'a\nb\n' >few.txt
refuses "--labels" run "$tiny" in.npy --labels few.txt
if [ -z "$RESNETCC_CFLAGS" ]; then
  printf 'a\nb\nc\nd\ne\n' >five.txt
  succeeds "$tiny" --labels five.txt -o named.so
  succeeds run named.so in.npy
  [ "$(sed -n 's/.* \([a-z]\)$/\1/p' "$work.out" | sort | tr -d '\n')" = abcde ] || failed "a library's labels: $(cat "$work.out")"
fi
npy wide.npy '<f8' '1, 3, 8, 8' 1536
refuses "wide.npy: it is f64, the input \"image\" f32; convert it" run "$tiny" wide.npy
npy other.npy '<f4' '1, 3, 8, 9' 864
refuses "it has the shape [1,3,8,9], the input \"image\" [1,3,8,8]" run "$tiny" other.npy
npy short.npy '<f4' '1, 3, 8, 8' 767
refuses "needs 768 bytes, it has 767" run "$tiny" short.npy
npy huge.npy '<f4' '4611686018427387904, 4' 8
refuses "huge.npy: its shape" run "$tiny" huge.npy
printf 'nothing' >text
refuses "text: " run "$tiny" text
refuses "nothing to run it on" run "$tiny"
refuses "the model has 1 inputs, 2 files are given" run "$tiny" in.npy in.npy
refuses "must end in .npy, .pb or .png" run "$tiny" in.npy --out out.txt
rm -rf ./*

# Of the pictures the example's program knows the digits; here they are normalised otherwise, and so only shown.
run run "$digits" --image "$picture"
if grep -q "built without libpng" "$work.err"; then
  echo "skipped: pictures: built without libpng"
else
  [ $status -eq 0 ] || failed "run --image: $(cat "$work.err")"
  [ "$(grep -c ' %  ' "$work.out")" -eq 5 ] || failed "not five classes: $(cat "$work.out")"
  holds "$work.err" "which is assumed"
  # A stride is of the program's frames, and changes nothing of a picture in a file.
  succeeds run "$digits" --image "$picture" --input=u8,01
  sed '1d' "$work.out" >dense
  for words in u8,01,stride=16 stride=9,u8,01 u8,stride=8,01; do
    succeeds run "$digits" --image "$picture" --input=$words
    sed '1d' "$work.out" | cmp -s - dense || failed "--input=$words: $(cat "$work.out" dense)"
  done
  head -c 60 "$picture" >cut.png
  refuses "cut.png: it cannot be read" run "$digits" cut.png
  printf '\377\330\377\340abc' >bad.jpg
  run run "$digits" bad.jpg
  [ $status -eq 1 ] || failed "a broken JPEG: status $status"
  holds "$work.err" "bad.jpg: "
fi
rm -rf ./*
finish
