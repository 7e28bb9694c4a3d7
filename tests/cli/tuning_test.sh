# --why lists the algorithms of each layer; --tune measures them, and a later compilation reads what was measured.
. "$(dirname "$0")/common.sh"
tiny=$here/tiny.onnx

# Of the one convolution's candidates one is chosen.
succeeds --why "$tiny"
[ "$(grep -c '^\* .* estimated .* conv$' "$work.out")" -eq 1 ] || failed "--why: $(cat "$work.out")"
files tiny.h tiny.o
succeeds --why "$tiny" -o -
holds "$work.err" "estimated"

# The times lie beside the object.
succeeds --tune --why "$tiny"
holds "$work.err" "tuning: "
[ "$(grep -cE '^\* .* (measured|estimated) .* conv$' "$work.out")" -eq 1 ] || failed "--tune --why: $(cat "$work.out")"
grep -q "^1x.* direct" tiny.tune || failed "no times in tiny.tune: $(cat tiny.tune)"
if grep -q "^network" tiny.tune; then holds "$work.err" "tuning: a run takes "; fi
[ "$(head -n 1 tiny.tune)" = "resnetcc-tuning 1" ] || failed "tiny.tune: $(cat tiny.tune)"
files tiny.h tiny.o tiny.tune
succeeds --tune "$tiny" -o -
[ -z "$(ls -A)" ] || failed "--tune -o - wrote files"

# FILE is made where there is none, and read and left alone where there is one.
succeeds --tune=my.times "$tiny"
cp my.times before
succeeds --tune=my.times --why "$tiny"
[ -s "$work.err" ] && failed "--tune=FILE measured again: $(cat "$work.err")"
[ "$(grep -cE '^\* .* (measured|estimated) .* conv$' "$work.out")" -eq 1 ] || failed "--tune=FILE --why: $(cat "$work.out")"
cmp -s my.times before || failed "--tune=FILE wrote over FILE"
succeeds --tune=my.times --winograd=off -mcpu=x86-64 "$tiny"
holds "$work.err" "my.times: "
holds "$work.err" "times are ignored"
[ "$(wc -l <"$work.err")" -eq 1 ] || failed "not one warning: $(cat "$work.err")"
grep -q "^resnetcc: warning: my.times: .*; remove the file" "$work.err" || failed "another form: $(cat "$work.err")"
succeeds -q --tune=my.times --winograd=off -mcpu=x86-64 "$tiny"
[ -s "$work.err" ] && failed "-q warns: $(cat "$work.err")"
files before my.times tiny.h tiny.o

refuses "--tune=: the file name is empty" --tune= "$tiny"
refuses "--tune: 'same' is the output" --tune=same -o same "$tiny"
refuses "it is the input file" --tune="$tiny" "$tiny"
mkdir folder
refuses "folder: " --tune=folder "$tiny"
printf 'resnetcc-tuning 1\nnonsense\n' >bad.tune
refuses "bad.tune: line 2 is not" --tune=bad.tune "$tiny"
finish
