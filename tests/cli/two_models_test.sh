# examples/two-models, by the commands of its README: the best level that the CPU has, and a lesser one where it has not.
. "$(dirname "$0")/common.sh"
cp -r "$here/../../examples/digits" "$here/../../examples/two-models" .
cd two-models || exit 1
sed -n 's/^resnetcc //p' README.md >commands
[ "$(wc -l <commands)" -eq 3 ] || failed "the README does not compile three levels"
while read -r command; do
  # shellcheck disable=SC2086
  succeeds $command
done <commands
# builds FLAG...
builds() {
  compiles digit -std=c11 "$@" digit.c digits.o digits_v3.o digits_v4.o
}
builds
./digit ../digits/7.pgm >out 2>err || failed "digit: $(cat out err)"
holds out "7.pgm looks like 7 (9"
./digit digit.c 2>err && failed "a text is a picture"
holds err "digit.c: not a PGM of 8x8 pixels in text form"

# lacking PREFIX: a CPU without AVX2, as models whose name begins so see it
lacking() {
  cat >cpu.h <<END_OF_C
#include "resnetcc_rt.h"
#include <string.h>
static const char *lacks(const rcc_model *m) { return strncmp(m->name, "$1", strlen("$1")) ? NULL : "avx2"; }
#define rcc_cpu_missing lacks
END_OF_C
  builds -include ./cpu.h
}
lacking digits_v
./digit ../digits/7.pgm >out 2>err || failed "without AVX2: $(cat out err)"
grep -q 'looks like 7 (9.*says digits$' out || failed "without AVX2: $(cat out)"
holds err "digits_v4 needs avx2, which this CPU lacks"
holds err "digits_v3 needs avx2, which this CPU lacks"
lacking digits
./digit ../digits/7.pgm 2>err && failed "a CPU that runs none of them runs one"
holds err "digits needs avx2, which this CPU lacks"
at_most 30 README.md
finish
