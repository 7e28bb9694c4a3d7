# Sourced by the command-line tests, with RESNETCC the program under test. Each test works in an empty folder
# of its own.
set -u
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failures=0

failed() {
  echo "FAILED: $*"
  failures=$((failures + 1))
}

# The command's output is in $work.out and $work.err, outside of the folder, which shows what it leaves
# behind.
run() {
  "$RESNETCC" "$@" >"$work.out" 2>"$work.err"
  status=$?
}

# succeeds ARGUMENTS...
succeeds() {
  run "$@"
  [ $status -eq 0 ] || failed "resnetcc $*: status $status: $(cat "$work.err")"
}

# refuses MESSAGE ARGUMENTS...: status 1, nothing on standard output, one line with MESSAGE on standard error,
# no new file
refuses() {
  message=$1
  shift
  before=$(ls -A)
  run "$@"
  [ $status -eq 1 ] || failed "resnetcc $*: status $status, not 1"
  [ -s "$work.out" ] && failed "resnetcc $*: wrote to standard output"
  [ "$(wc -l <"$work.err")" -eq 1 ] || failed "resnetcc $*: not one line: $(cat "$work.err")"
  grep -q "^resnetcc: error: " "$work.err" || failed "resnetcc $*: another form: $(cat "$work.err")"
  grep -qF -- "$message" "$work.err" || failed "resnetcc $*: no '$message' in: $(cat "$work.err")"
  [ "$before" = "$(ls -A)" ] || failed "resnetcc $*: left something behind: $(ls -A)"
}

# holds FILE TEXT
holds() {
  grep -qF -- "$2" "$1" || failed "no '$2' in $1"
}

# parsed: standard output is JSON, as far as there is a parser.
parsed() {
  [ -z "$(command -v python3)" ] && return
  python3 -m json.tool "$work.out" >/dev/null 2>"$work.bad" || failed "no JSON: $(cat "$work.bad" "$work.out")"
  rm -f "$work.bad"
}

# files NAMES...: the folder holds exactly these
files() {
  expected=$(printf '%s\n' "$@" | sort)
  [ "$(ls -A | sort)" = "$expected" ] || failed "expected files $*, found: $(ls -A | tr '\n' ' ')"
  rm -rf ./* ./.[!.]*
}

# at_most N FILE: it has no more lines
at_most() {
  [ "$(wc -l <"$2")" -le "$1" ] || failed "$2 has more than $1 lines"
}

# npy FILE TYPE SHAPE BYTES: an array of that many bytes of value 0
npy() {
  header="{'descr': '$2', 'fortran_order': False, 'shape': ($3), }"
  { printf '\223NUMPY\001\000\166\000%-117s\n' "$header"; head -c "$4" /dev/zero; } >"$1"
}

# compiles PROGRAM ARGUMENTS...: an example, with the runtime's headers and the runtime
compiles() {
  program=$1
  shift
  $CC -O1 -Wall -Wextra -Werror $RESNETCC_CFLAGS -I . -I "$here/../../runtime" -I "$here/../../runtime/image" "$@" "$RESNETCC_RT" \
    -pthread -o "$program" || failed "$program does not build"
}

# installs FOLDER: what is built
installs() {
  cmake --install "$RESNETCC_BUILD" --prefix "$1" >"$work.out" 2>&1 || failed "install: $(cat "$work.out")"
}

# skip WHY: the rest of the test
skip() {
  echo "skipped: $*"
  finish
}

finish() {
  rm -f "$work.out" "$work.err"
  exit $((failures > 0))
}
