# The help fits on a terminal and names every option once; what the documents say of options and operators is what the
# program's tables say.
. "$(dirname "$0")/common.sh"

# narrow FILE
narrow() {
  wide=$(awk 'length > 80' "$1")
  [ -z "$wide" ] || failed "wider than 80 columns: $wide"
}

run --help=markdown
cp "$work.out" options.md
sed -n 's/^| `\([^ =[`,]*\).*/\1/p' options.md >names
[ "$(wc -l <names)" -ge 25 ] || failed "--help=markdown has only $(wc -l <names) options"
[ -z "$(sort names | uniq -d)" ] || failed "twice in --help=markdown: $(sort names | uniq -d)"

succeeds --help
narrow "$work.out"
cp "$work.out" help
succeeds --help=developer
narrow "$work.out"
cp "$work.out" developer
cat help developer >both
for command in $(sed -n '/^Other commands/,/^$/s/^  \([a-z]*\) .*/\1/p' help); do
  succeeds "$command" --help
  narrow "$work.out"
  cat "$work.out" >>others
done
cp developer "$work.out"
while read -r name; do
  n=$(grep -cE -- "^  $name([ =[,]|\$)" both)
  [ "$n" -eq 0 ] && grep -qE -- "^  $name([ =[,]|\$)" others && n=1
  [ "$n" -eq 1 ] || failed "$name is $n times in --help and --help=developer, and in no help of a command"
done <names
for option in --passes -d --verify --each-pass --time; do
  holds "$work.out" "  $option"
  grep -q -- "^  $option" help && failed "--help lists $option"
done
holds help "usage: resnetcc [OPTION]... MODEL"
[ "$(grep -c '^  resnetcc .*onnx' help)" -eq 2 ] || failed "--help does not have two examples"

# section FILE MARK: what stands between <!-- MARK --> and <!-- end -->
section() {
  sed -n "/^<!-- $2 -->\$/,/^<!-- end -->\$/p" "$1" | sed '1d;$d'
}

at_most 150 "$here/../../README.md"
section "$here/../../README.md" "tests.bench.results.summary.md" >measured
cmp -s measured "$here/../bench/results/summary.md" || failed "README.md does not have tests/bench/results/summary.md"
section "$here/../../compiler/OPTIONS.md" "resnetcc --help=markdown" >said
cmp -s said options.md || failed "OPTIONS.md: the options are not those of --help=markdown: $(diff said options.md)"
succeeds -h
section "$here/../../README.md" "resnetcc -h" | sed 's/^    //' >said
cmp -s said "$work.out" || failed "README.md does not have what -h says: $(diff said "$work.out")"
succeeds --help=operators
section "$here/../../compiler/ops/OPERATORS.md" "resnetcc --help=operators" >said
cmp -s said "$work.out" || failed "OPERATORS.md is not --help=operators: $(diff said "$work.out")"
[ "$(wc -l <said)" -gt 40 ] || failed "OPERATORS.md has only $(wc -l <said) lines"
rm -f ./*
finish
