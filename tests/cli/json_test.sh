# --json: standard output is one object, of what was found or of the error, that any parser reads.
. "$(dirname "$0")/common.sh"
tiny=$here/tiny.onnx

# refuses_as_json TEXT ARGUMENTS...: status 1, the error on both outputs, no new file
refuses_as_json() {
  text=$1
  shift
  before=$(ls -A)
  run "$@" --json
  [ $status -eq 1 ] || failed "resnetcc $* --json: status $status, not 1"
  parsed
  holds "$work.out" "$text"
  [ "$(wc -l <"$work.err")" -eq 1 ] || failed "resnetcc $* --json: not one line: $(cat "$work.err")"
  [ "$(grep -c . "$work.out")" -eq 1 ] || failed "resnetcc $* --json: not one line: $(cat "$work.out")"
  [ "$before" = "$(ls -A)" ] || failed "resnetcc $* --json: left something behind: $(ls -A)"
}

succeeds "$tiny" --json
parsed
holds "$work.out" '{"format": "resnetcc-report/1",'
holds "$work.out" ' "model": {"file": "'
holds "$work.out" '{"name": "image", "type": "f32", "shape": ["N", 3, 8, 8]}'
holds "$work.out" '"sizes": {"weights": '
holds "$work.out" '{"node": "conv", "operator": "Conv", "algorithm": "'
holds "$work.out" '"what": "3x3/1 3->4 @8x8", "type": "f32", "shape": [1, 4, 8, 8], "phases": '
holds "$work.out" '"chosen": true'
holds "$work.out" '{"value": "scores", "place": "output", '
grep -q '"profile"' "$work.out" && failed "--json tells times that nobody measured"
files tiny.h tiny.o

succeeds "$tiny" --report --why --profile --threads=2 --json
parsed
holds "$work.out" '"profile": {"runs": 12, "threads": 2, "peak_gflops": '
holds "$work.out" '"phases": 1, "gflop": '
grep -q '^place\|% peak\|^\* ' "$work.out" && failed "--json also prints tables"
succeeds "$here/../models/basic/model.onnx" --report --winograd=4 --json
parsed
holds "$work.out" '"accuracy": {"samples": 64, "not_measured": null}'
holds "$work.out" '"fp32_error": '
succeeds "$tiny" --json --emit=graph
parsed
files model.h model.o tiny.h tiny.o tiny.txt

# --report=FILE.json is the same object, as often as it is asked for, beside the tables.
succeeds "$tiny" --report=a.json --report --report=b.json --json
mv "$work.out" said.json
cmp -s a.json said.json && cmp -s a.json b.json || failed "--report=FILE.json is not what --json prints"
succeeds "$tiny" --report=a.json --report
holds "$work.out" "place   "
succeeds "$tiny" --report=- --report --profile
parsed
holds "$work.out" '"total_ms": '
holds "$work.err" "% peak"
files a.json b.json said.json tiny.h tiny.o
refuses "must end in .html or .json" "$tiny" --report=a.txt
refuses "two outputs have this name" "$tiny" --report=a.json --report=./a.json
refuses "two outputs have this name" "$tiny" --report=- -o -
refuses "cannot be written" "$tiny" --report=missing/a.json

refuses_as_json '"node": "a\\x0a\\x1b[2Jb", "op": "Foo", "reason": "unsupported operator"}}' "$here/unknown.onnx"
refuses_as_json '{"error": {"file": "missing.onnx", "node": null, "op": null, "reason": "' missing.onnx
refuses_as_json '"reason": "unknown CPU' "$tiny" -mcpu=foo
refuses_as_json '"reason": "--json: standard output cannot take another output as well"' "$tiny" -o -
refuses_as_json '"reason": "--json: standard output cannot take another output as well"' "$tiny" -MF -
refuses_as_json '"reason": "needs more than the memory limit' "$tiny" --max-memory=16K
"$RESNETCC" "$tiny" --json -o /dev/null >/dev/full 2>"$work.err"
[ $? -eq 1 ] || failed "--json did not notice a full device"
holds "$work.err" "No space left on device"
finish
