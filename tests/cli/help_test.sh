# What the tables of commands and options print for people, for man and for shells; and what is said to a word that they do
# not hold.
. "$(dirname "$0")/common.sh"
tiny=$here/tiny.onnx

succeeds --help=markdown
sed -n 's/^| `\([^ =[`,]*\).*| \*\*\([^*]*\)\.\*\* .*/\1|\2/p' "$work.out" >rows
while IFS='|' read -r name sentence; do
  [ ${#sentence} -le 50 ] || failed "$name: more than 50 characters: $sentence"
  succeeds "--help=$name"
  [ -z "$(awk 'length > 80' "$work.out")" ] || failed "--help=$name is wider than 80 columns"
  grep -q "^  [A-Z-].*[.a-z]\$" "$work.out" || failed "--help=$name has no paragraph"
  holds "$work.out" "$sentence"
done <rows
succeeds --help=o
holds "$work.out" "-o FILE"
succeeds --help=verbose
holds "$work.out" "-v, --verbose"
succeeds --help=-mcpu
holds "$work.out" " znver4"
succeeds --help=--winograd
holds "$work.out" "WHEN: auto off 2 4"
refuses "error: --help=me: there is no such option; --help lists them" --help=me

# The short one.
succeeds -h
holds "$work.out" "usage: resnetcc [OPTION]... MODEL"
[ "$(grep -c '^  -' "$work.out")" -le 12 ] || failed "-h lists $(grep -c '^  -' "$work.out") options"
[ -z "$(awk 'length > 80' "$work.out")" ] || failed "-h is wider than 80 columns"
succeeds inspect -h
holds "$work.out" "usage: resnetcc inspect"

# What was meant.
refuses "unknown option '--reprot'; did you mean '--report'?" --reprot "$tiny"
refuses "unknown option '--reprot=x.json'; did you mean '--report'?" --reprot=x.json "$tiny"
refuses "unknown option '--hlep'; did you mean '--help'?" --hlep "$tiny"
refuses "unknown option '-mpcu=haswell'; did you mean '-mcpu'?" -mpcu=haswell "$tiny"
refuses "unknown option '--verbos'; did you mean '--verbose'?" --verbos "$tiny"
refuses "unknown option '-mcp=haswell'; did you mean '-mcpu'?" -mcp=haswell "$tiny"
refuses "unknown option '-march=native'; did you mean '-mcpu'?" -march=native "$tiny"
refuses "unknown option '-O3'; there are no levels of optimisation" -O3 "$tiny"
refuses "unknown option '-x'; --help lists them" -x "$tiny"
refuses "unknown option '--frobnicate'; --help lists them" --frobnicate "$tiny"
refuses "more than one input file: 'inspekt' and '$tiny'; did you mean the command 'inspect'?" inspekt "$tiny"

# The manual page names every option, and troff has nothing to complain of.
succeeds --help=man
cp "$work.out" page.1
if command -v groff >/dev/null; then
  groff -man -ww -z -Tutf8 page.1 >"$work.out" 2>&1
  [ -s "$work.out" ] && failed "the manual page: $(cat "$work.out")"
  groff -man -Tascii page.1 | sed 's/\x1b\[[0-9;]*m//g; s/.\x08//g' >page
  for text in "resnetcc inspect" "-o FILE" "--tune[=FILE]" "-v, --verbose" "EXIT STATUS" "NO_COLOR"; do holds page "$text"; done
else
  echo "skipped: no groff to read the manual page"
fi

# Completions, as the shells have them.
succeeds --help=bash
cp "$work.out" bash
cat >try <<'END'
. ./bash
try() {
  want=$1
  shift
  COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
  _resnetcc resnetcc "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
  case " ${COMPREPLY[*]} " in
  *" $want "*) ;;
  *) echo "$*: no $want in ${COMPREPLY[*]}" ;;
  esac
}
try --report resnetcc --rep
try inspect resnetcc insp
try asm resnetcc --emit = a
try llvm resnetcc --emit =
try obj resnetcc --emit o
try znver4 resnetcc -mcpu = znv
try net.onnx resnetcc -v net
try net.tune resnetcc --tune = net
try --json resnetcc inspect --j
try --verbose resnetcc --verb
complete -p resnetcc | grep -q -- '-F _resnetcc' || echo "nothing completes resnetcc"
END
: >net.onnx
: >net.tune
if command -v bash >/dev/null; then
  bash try >"$work.out" 2>&1
  [ -s "$work.out" ] && failed "bash: $(cat "$work.out")"
else
  echo "skipped: no bash"
fi
succeeds --help=zsh
if command -v zsh >/dev/null; then
  mkdir folder && cp "$work.out" folder/_resnetcc
  # A shell in a terminal of its own: what a line becomes by a tab, and is kept by the next key.
  cat >try <<'END'
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "TERM=dumb fpath=($PWD/folder \$fpath); autoload -Uz compinit; compinit -u -D
keep() { print -r -- \$BUFFER >>kept; BUFFER=; print -n KEPT; }; zle -N keep; bindkey '^X' keep; bindkey '^I' complete-word; print READY'!'"
zpty -r shell seen '*READY!*'
for line; do
  zpty -n -w shell $line$'\t\x18'
  zpty -r shell seen '*KEPT*'
done
END
  timeout 60 zsh -f try "resnetcc insp" "resnetcc --repo" "resnetcc --emit=as" "resnetcc -mcpu=graniter" "resnetcc run --im" \
    "resnetcc -v net.o" >said 2>&1
  printf 'resnetcc %s\n' inspect --report= --emit=asm -mcpu=graniterapids 'run --image=' '-v net.onnx' >wanted
  sed 's/ *$//' kept | cmp -s - wanted || failed "zsh: $(cat said kept)"
else
  echo "skipped: no zsh"
fi
succeeds --help=fish
if command -v fish >/dev/null; then
  fish -c "source $work.out; complete -C'resnetcc --rep'; complete -C'resnetcc -mcpu=znv'; complete -C'resnetcc insp'" >said 2>&1
  for text in --report -mcpu=znver4 inspect; do holds said "$text"; done
else
  echo "skipped: no fish"
fi
rm -rf ./*
finish
