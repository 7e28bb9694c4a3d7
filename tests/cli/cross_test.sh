# Models compiled for aarch64: linked with the runtime by a cross compiler, a program gives in an emulator what the same program gives
# here, floats to a few millionths of the largest, integers to the bit.
. "$(dirname "$0")/common.sh"
cross=aarch64-linux-gnu
command -v $cross-gcc >/dev/null || skip "no $cross-gcc"
emulator=$(command -v qemu-aarch64 || command -v qemu-aarch64-static) || skip "no qemu-aarch64"
harness=$here/../harness

# program NAME COMPILER...: of NAME.o
program() {
  name=$1
  shift
  "$@" -std=c11 -D_GNU_SOURCE -O1 -I "$here/../../runtime" "$harness/guest/guest.c" "$harness/guarded.c" "$here"/../../runtime/*.c "$name.o" \
    -Wl,--defsym,guest_model=net_model -pthread -o "$name" || failed "$name does not link"
}

# The bytes of both outputs: the error, which is 0, and one float, or byte, a line.
numbers() {
  od -An -v -t f4 -w4 "$1"
}

# alike: no float of one is further from that of the other than 2e-5 of the largest
alike() {
  numbers here.out >a
  numbers there.out >b
  paste a b | awk '{ d = $1 - $2; if (d < 0) d = -d; if (d > most) most = d; m = $1 < 0 ? -$1 : $1; if (m > largest) largest = m }
    END { exit !(NR > 1 && largest > 0 && most <= 2e-5 * largest) }' || failed "$1: floats differ"
}

# both MODEL CPU OPTIONS...: here.out and there.out, on one thread and on three
both() {
  model=$1 cpu=$2
  shift 2
  succeeds "$model" --name=net -mcpu=x86-64 -o here.o "$@"
  succeeds "$model" --name=net --target=$cross -mcpu="$cpu" -o there.o "$@"
  program here ${CC}
  program there $cross-gcc -static
  for threads in 1 3; do
    yes 'bytes of a picture, more or less' | ./here 1 $threads >here.out || failed "$model: here"
    yes 'bytes of a picture, more or less' | "$emulator" ./there 1 $threads >there.out || failed "$model: in the emulator"
  done
}

for name in basic bottleneck inverted preactivation resblock resnext squeeze_excite; do
  both "$here/../models/$name/model.onnx" cortex-a53 --input=u8,01
  alike "$name"
done

digits=$here/../../examples/digits/digits.onnx
{ printf '\223NUMPY\001\000\166\000%-117s\n' "{'descr': '|u1', 'fortran_order': False, 'shape': (16, 1, 8, 8), }"; head -c 1024 "$digits"; } >x.npy
succeeds calibrate "$digits" --input=u8,gray,01 --data x.npy -o q.onnx
for cpu in cortex-a53 cortex-a76 neoverse-v1; do
  both q.onnx $cpu --input=u8,gray,01
  cmp -s here.out there.out || failed "$cpu: other bits"
done

# Most parameters of a function of many are in memory: behind six in registers on x86-64, behind eight here.
succeeds "$here/many.onnx" --target=$cross -o many.o
cat >many.c <<'END'
#include "many.h"
#define FIVE(v, i) v[i], v[i + 1], v[i + 2], v[i + 3], v[i + 4]
#define ALL(v) FIVE(v, 0), FIVE(v, 5), FIVE(v, 10), FIVE(v, 15)
int main(void) {
  static float x[20][2], y[20][2];
  static _Alignas(64) char work[MANY_WORKSPACE_SIZE + 64];
  for (int i = 0; i < 20; i++) x[i][0] = (float)i, x[i][1] = (float)(100 * i);
  if (many_run(ALL(x), ALL(y), work, sizeof work, NULL)) return 1;
  for (int i = 0; i < 20; i++)
    for (int k = 0; k < 2; k++)
      if (y[i][k] != x[i][k] + x[(i + 1) % 20][k]) return 2;
  return 0;
}
END
$cross-gcc -D_GNU_SOURCE -static -I "$here/../../runtime" many.c many.o "$here"/../../runtime/*.c -o many && "$emulator" ./many ||
  failed "many parameters: status $?"
finish
