# resnetcc calibrate and --quantize: a model of floats becomes one of 8-bit integers that knows the same digits; what cannot be
# calibrated, or on what, is told.
. "$(dirname "$0")/common.sh"
digits=$here/../../examples/digits/digits.onnx
pictures=$here/../../examples/digits/pictures

refuses "--data: there are no samples" calibrate "$digits" -o q.onnx
refuses "--data: 'none': No such file" calibrate "$digits" --data none -o q.onnx
mkdir empty
refuses "the folder 'empty' holds no .jpg" calibrate "$digits" --data empty -o q.onnx
npy zeros.npy '<f4' '4, 1, 8, 8' 1024
refuses "-o: the quantised model needs a name" calibrate "$digits" --data zeros.npy
refuses "no node is called \"nobody\"" calibrate "$digits" --data zeros.npy --keep-float nobody -o q.onnx
npy other.npy '<f4' '1, 1, 8, 9' 288
refuses "other.npy: it is f32 [1,1,8,9], the model takes f32 [1,1,8,8]" calibrate "$digits" --data other.npy -o q.onnx
succeeds calibrate "$digits" --data zeros.npy -o q.onnx
refuses "the model is quantised already" calibrate q.onnx --data zeros.npy -o r.onnx
rm -rf ./*

run calibrate "$digits" --data "$pictures" --input u8,gray,01 -o q.onnx
if grep -q "built without libpng" "$work.err"; then
  echo "skipped: pictures: built without libpng"
  finish
fi
[ $status -eq 0 ] || failed "calibrate: $(cat "$work.err")"
holds "$work.out" "values quantised"
grep -q 'output "probabilities": [1-9][0-9]*\.[0-9] dB; the best class is that of floats for 12 of 12 samples' "$work.out" ||
  failed "the classes are others: $(cat "$work.out")"
for method in minmax percentile entropy mse; do
  succeeds calibrate "$digits" --data "$pictures" --input u8,gray,01 --ranges $method -q -o $method.onnx
  cmp -s $method.onnx q.onnx && [ $method != mse ] && failed "--ranges=$method changes nothing"
done
cmp q.onnx mse.onnx || failed "the same samples do not give the same model"

# The classes are those of floats; in one step comes what comes in two.
best() { sed -n 's/.* class //p' "$work.out"; }
for picture in "$pictures"/*.png; do
  succeeds run "$digits" --image "$picture" --input u8,gray,01 --top 1
  expected=$(best)
  succeeds run q.onnx --image "$picture" --input u8,gray,01 --top 1
  [ "$(best)" = "$expected" ] || failed "$picture: class $(best), not $expected"
done
succeeds "$digits" --quantize "$pictures" --input u8,gray,01 -o one.o
succeeds q.onnx --input u8,gray,01 -o two.o --name one
cmp -s one.o two.o || [ "$(wc -c <one.o)" -eq "$(wc -c <two.o)" ] || failed "--quantize makes another object than calibrate"
succeeds calibrate "$digits" --data "$pictures" --input u8,gray,01 --keep-float first,last -o kept.onnx
"$RESNETCC" inspect q.onnx | grep -q 'DequantizeLinear' || failed "nothing is quantised"
[ "$(wc -c <kept.onnx)" -gt "$(wc -c <q.onnx)" ] || failed "--keep-float keeps nothing"
finish
