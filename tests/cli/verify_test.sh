# resnetcc verify: data sets that agree and that do not, random inputs against the evaluator, libraries.
. "$(dirname "$0")/common.sh"
tiny=$here/tiny.onnx

# differs ARGUMENTS...: status 2
differs() {
  run "$@"
  [ $status -eq 2 ] || failed "resnetcc $*: status $status, not 2: $(cat "$work.err")"
}

succeeds verify "$tiny" --seed=3 --per-node --save sets
holds "$work.out" "max error"
holds "$work.out" "no node strays"
[ "$(tail -n 1 "$work.out")" = "1 of 1 data sets agree" ] || failed "verify ends with $(tail -n 1 "$work.out")"
[ "$(awk 'length($0) > 80' "$work.out" | wc -l)" -eq 0 ] || failed "verify has lines of more than 80 columns"
succeeds verify "$tiny" --save sets
[ "$(ls sets)" = "test_data_set_0
test_data_set_1" ] || failed "--save left $(ls sets)"
cmp -s sets/test_data_set_0/input_0.pb sets/test_data_set_1/input_0.pb && failed "other seeds give the same inputs"
succeeds verify "$tiny" sets
holds "$work.out" "2 of 2 data sets agree"
succeeds verify "$tiny" sets/test_data_set_1 --json
holds "$work.out" '"verify": {"rtol": '
holds "$work.out" '"agrees": true'

# Data sets beside the model are found; one whose last element's exponent has another bit does not agree.
cp "$tiny" sets/model.onnx
bad=sets/test_data_set_0/output_0.pb
size=$(wc -c <$bad)
byte=$(tail -c 1 $bad | od -An -tu1 | tr -d ' ')
{ head -c $((size - 1)) $bad; printf "\\$(printf %o $((byte ^ 64)))"; } >other && mv other $bad
differs verify sets/model.onnx
holds "$work.out" "  no"
holds "$work.out" ", expected "
[ "$(tail -n 1 "$work.out")" = "1 of 2 data sets agree" ] || failed "verify ends with $(tail -n 1 "$work.out")"
differs verify sets/model.onnx --json
holds "$work.out" '"agrees": false'
succeeds verify "$tiny" sets/test_data_set_1 --rtol=1
rm -rf sets/test_data_set_0

# A shared library has no evaluator, but takes data sets, and may be what is right.
succeeds "$tiny" -o net.o
$CC $RESNETCC_CFLAGS -shared net.o "$RESNETCC_RT" -pthread -o net.so || failed "no shared library"
if [ -z "$RESNETCC_CFLAGS" ]; then
  succeeds verify net.so sets --threads=2
  holds "$work.out" "1 of 1 data sets agree"
  succeeds verify "$tiny" --against net.so
  refuses "name a folder" verify net.so
  refuses "name the ONNX file" verify net.so sets --per-node
fi
refuses "cc -shared" verify net.o
refuses "holds no data set" verify "$tiny" .
refuses "more than one input file" "$tiny" sets
refuses "it is a number above 0" verify "$tiny" --rtol=-1
refuses "only bench takes several numbers" verify "$tiny" --threads=1,2
printf 'x' >sets/test_data_set_1/input_0.pb
refuses "sets/test_data_set_1/input_0.pb: " verify "$tiny" sets
rm sets/test_data_set_1/*
refuses "holds no data set" verify "$tiny" sets/test_data_set_1
refuses "it has no output_0.pb" verify "$tiny" sets
rm -rf ./*
finish
