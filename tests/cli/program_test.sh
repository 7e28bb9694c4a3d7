# A C program with a model: the header in C and C++, the object with the linker, numbers, error codes,
# reproducibility.
. "$(dirname "$0")/common.sh"

succeeds "$here/tiny.onnx" -o net.o
cat >program.c <<'END'
#include "net.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static float image[2 * 192], one[5], two[10];

static int check(int64_t batch, const float *in, float *out, const rcc_parallel *par) {
  size_t size = net_model.workspace_size(batch, par ? par->threads : 1);
  void *work = rcc_workspace_alloc(size);
  int error = net_run(batch, in, out, work, size, par);
  rcc_workspace_free(work, size);
  return error;
}

int main(void) {
  for (int i = 0; i < 2 * 192; i++) image[i] = (float)(i % 17) * 0.1f - 0.5f;
  rcc_pool *pool = rcc_pool_create(2);
  if (!pool || check(1, image, one, NULL) || check(2, image, two, rcc_pool_parallel(pool))) return 1;
  for (int i = 0; i < 5; i++)
    if (one[i] == 0 || fabsf(one[i] - two[i]) > 1e-6f) return 2;
  static _Alignas(64) char work[NET_WORKSPACE_SIZE + 64];
  if (net_run(1, NULL, one, work, sizeof work, NULL) != RCC_ERR_ARGUMENT) return 3;
  if (net_run(-1, image, one, work, sizeof work, NULL) != RCC_ERR_SHAPE) return 4;
  if (net_run(1, image, one, work, NET_WORKSPACE_SIZE - 1, NULL) != RCC_ERR_WORKSPACE) return 5;
  if (net_run(1, image, one, work + 4, NET_WORKSPACE_SIZE, NULL) != RCC_ERR_WORKSPACE) return 6;
  if (net_model.abi != RCC_ABI || strcmp(net_model.name, "net") || net_model.flags != 1) return 7;
  if (strcmp(net_model.inputs[0].name, "image") || net_model.inputs[0].dims[0] != -1) return 8;
  rcc_pool_destroy(pool);
  return puts("ok") < 0;
}
END
runtime=$(cd "$here/../../runtime" && pwd)
flags="-Wall -Wextra -pedantic -Werror $RESNETCC_CFLAGS -I$runtime"
build() {
  $CC -std=c11 $flags "$@" program.c net.o "$RESNETCC_RT" -pthread -lm -o program &&
    [ "$(./program)" = ok ]
}
build -fPIE -pie || failed "a position independent program: status $?"
[ -n "$RESNETCC_CFLAGS" ] || build -static || failed "a static program: status $?"

# As C++, where there is a compiler for it. What the caller's rcc_parallel throws passes through the model's functions.
cat >program.cpp <<'END'
#include "net.h"
static void lend(const rcc_parallel *, void (*)(void *, int32_t, int32_t), void *, int32_t) { throw 7; }
int main() {
  static float image[2 * 192], out[10];
  rcc_parallel par = {2, lend};
  size_t size = net_model.workspace_size(2, 2);
  void *work = rcc_workspace_alloc(size);
  int caught = 0;
  try { net_run(2, image, out, work, size, &par); } catch (int thrown) { caught = thrown; }
  rcc_workspace_free(work, size);
  return net_model.n_inputs != 1 || caught != 7;
}
END
if command -v c++ >/dev/null; then
  c++ -std=c++11 $flags program.cpp net.o "$RESNETCC_RT" -pthread -o program_cpp || failed "the header as C++"
  ./program_cpp || failed "an exception does not pass through the model: status $?"
fi

# Every function has unwind information; the object agrees to Intel's control-flow enforcement.
[ "$(readelf --debug-dump=frames net.o | grep -c ' FDE ')" = "$(readelf -sW net.o | grep -c ' FUNC ')" ] ||
  failed "unwind information of some functions only: $(readelf --debug-dump=frames net.o | grep FDE)"
readelf -nW net.o | grep -q 'IBT, SHSTK' || failed "no note of control-flow enforcement: $(readelf -nW net.o)"

# Symbols: two that others see, three that are asked for.
[ "$(nm -g --defined-only net.o | awk '{ print $3 }' | sort | tr '\n' ' ')" = "net_model net_run " ] ||
  failed "visible symbols: $(nm -g --defined-only net.o)"
for symbol in $(nm -u net.o | awk '{ print $2 }'); do
  case $symbol in
  rcc_* | memcpy | memset) ;;
  *) failed "the object asks for $symbol" ;;
  esac
done

# Those of the object itself: plain words that begin with the model's name and, of a layer's code, its number.
nm net.o | awk '{ print $NF }' | grep -vE '^(net[._][A-Za-z0-9_.$]+|[.]LCPI[0-9_]+|rcc_cpu_check|memcpy|memset)$' >strange && failed "symbols: $(cat strange)"
succeeds "$here/tiny.onnx" --report -o net.o
for symbol in $(nm net.o | awk '$3 ~ /^net[.](k?[0-9])/ { print $3 }'); do
  grep -q "^$symbol  *[^ ]" "$work.out" || failed "--report does not tell what $symbol is"
done
nm net.o | grep -q ' t net[.][0-9][0-9][.]conv3x3_3_4$' || failed "no layer's function is named after it: $(nm net.o)"

# Weights and table can be shared: nothing in the object is writable once it is relocated.
if readelf -SW net.o | grep -E '\.(data|bss)( |\.[^r])' | grep -q ' WA '; then
  failed "the object has writable data"
fi

# The same model and options give the same bytes, in another folder and under another file name.
mkdir other
cp "$here/tiny.onnx" other/copy.onnx
succeeds other/copy.onnx --name net -o other/again.o
cmp -s net.o other/again.o || failed "a second object differs"

# A fixed batch: all images in one call, with what they give one by one.
succeeds "$here/tiny.onnx" --batch 3 -o batch.o
cat >batch.c <<'END'
#include "batch.h"
#include "net.h"
#include <math.h>

static float images[3 * 192], all[15], one[5];
static _Alignas(64) char work[BATCH_WORKSPACE_SIZE + NET_WORKSPACE_SIZE + 64];

int main(void) {
  for (int i = 0; i < 3 * 192; i++) images[i] = (float)(i % 23) * 0.1f - 0.7f;
  if (batch_run(images, all, work, BATCH_WORKSPACE_SIZE, NULL)) return 1;
  for (int i = 0; i < 3; i++) {
    if (net_run(1, images + 192 * i, one, work, NET_WORKSPACE_SIZE, NULL)) return 2;
    for (int k = 0; k < 5; k++)
      if (!(fabsf(one[k] - all[5 * i + k]) < 1e-6f)) return 3;
  }
  return batch_model.flags != 0 || batch_model.inputs[0].dims[0] != 3;
}
END
$CC -std=c11 $flags batch.c net.o batch.o "$RESNETCC_RT" -pthread -lm -o batch && ./batch ||
  failed "a fixed batch: status $?"

# Two models in one program.
succeeds "$here/tiny.onnx" -o twin.o
cat >both.c <<'END'
#include "net.h"
#include "twin.h"
int main(void) { return net_model.abi != twin_model.abi; }
END
$CC -std=c11 $flags both.c net.o twin.o "$RESNETCC_RT" -pthread -o both && ./both ||
  failed "two models in one program"
finish
