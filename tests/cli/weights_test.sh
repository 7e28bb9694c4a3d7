# Weights as a file of their own: its form, a program that maps it, one that gets another's; a section of another name.
. "$(dirname "$0")/common.sh"

tiny=$here/tiny.onnx
succeeds "$tiny" -mcpu=x86-64 -o net.o --weights=file
succeeds "$tiny" -mcpu=x86-64 -o inside.o
[ "$(head -c 4 net.weights)" = RCCW ] || failed "net.weights begins with $(head -c 4 net.weights | od -c)"
[ "$(tail -c +17 net.weights | head -c 32 | od -An -v -tx1 | tr -d ' \n')" = "$(tail -c +65 net.weights | sha256sum | cut -d' ' -f1)" ] ||
  failed "the id is not the SHA-256 of the data"
grep -q '\.rodata\.rcc_weights' net.o && failed "the object has weights as well"
grep -q 'const void \*weights' net.h || failed "net_run has no weights: $(cat net.h)"

cat >program.c <<'END'
#include "net.h"
#include "inside.h"
#include <errno.h>
#include <string.h>

static float image[2 * 192], here[10], there[10];

int main(void) {
  size_t size = 0, n = net_model.workspace_size(2, 1);
  for (int i = 0; i < 2 * 192; i++) image[i] = (float)(i % 17) * 0.1f - 0.5f;
  const void *weights = rcc_weights_map("net.weights", &net_model, &size);
  void *work = rcc_workspace_alloc(n);
  if (!weights || inside_run(2, image, here, work, n, NULL) || net_run(2, image, weights, there, work, n, NULL)) return 1;
  if (memcmp(here, there, sizeof here)) return 2;
  if (net_run(2, image, NULL, there, work, n, NULL) != RCC_ERR_WEIGHTS) return 3;
  errno = 0;
  if (rcc_weights_map("net.weights", &inside_model, &size) || errno != EINVAL) return 4;
  errno = 0;
  if (rcc_weights_map("none.weights", &net_model, &size) || errno != ENOENT) return 5;
  errno = 0;
  if (rcc_weights_map("changed.weights", &net_model, &size) || errno != EINVAL) return 6;
  errno = 0;
  if (rcc_weights_map("short.weights", &net_model, &size) || errno != EINVAL) return 7;
  rcc_weights_unmap(weights, size);
  rcc_weights_unmap(NULL, 0);
  rcc_workspace_free(work, n);
  return 0;
}
END
(head -c 20 net.weights && printf 'x' && tail -c +22 net.weights) >changed.weights
head -c 100 net.weights >short.weights
size=$(wc -c <net.weights)
head -c "$size" /dev/zero >damaged.pb
(head -c $((size - 1)) net.weights && printf 'x') >damaged.weights
succeeds verify --weights net.weights net.o
holds "$work.out" "net.weights holds the weights of net.o"
succeeds verify net.o --weights=net.weights --json
parsed
holds "$work.out" '{"object": "net.o", "weights": "net.weights"}'
refuses "damaged.weights: its weights are damaged: the SHA-256 is another" verify --weights damaged.weights net.o
refuses "changed.weights: its weights are damaged" verify --weights changed.weights net.o
refuses "short.weights: has 100 bytes of weights, not $size" verify --weights short.weights net.o
refuses "net.o: is no file of weights" verify --weights net.o net.o
refuses "inside.o: holds no model whose weights are an input" verify --weights net.weights inside.o
succeeds "$tiny" -mcpu=x86-64-v3 -o other.o --weights=file
refuses "other.o: needs other weights than those of net.weights" verify --weights net.weights other.o
$CC -std=c11 -Wall -Wextra -pedantic -Werror $RESNETCC_CFLAGS -I"$here/../../runtime" program.c net.o inside.o "$RESNETCC_RT" -pthread \
  -o program && ./program || failed "a program with weights of their own: status $?"

# Libraries that run here get the file beside them, or the one that is named; a model that is compiled to run can have its weights apart.
if [ -z "$RESNETCC_CFLAGS" ]; then
  succeeds "$tiny" -mcpu=x86-64 -o here.so --weights=file
  succeeds verify "$tiny" --save sets
  succeeds verify here.so sets
  holds "$work.out" "1 of 1 data sets agree"
  succeeds verify "$tiny" --against here.so
  succeeds bench here.so --seconds=0.01 --compare "$tiny"
  mv here.weights elsewhere.weights
  refuses "here.so: its weights 'here.weights': No such file or directory; --weights=FILE" verify here.so sets
  succeeds verify here.so sets --weights elsewhere.weights
  succeeds run here.so sets/test_data_set_0/input_0.pb --weights=elsewhere.weights --out out.pb
  refuses "here.so: the file 'damaged.pb' does not hold its weights" run here.so sets/test_data_set_0/input_0.pb --weights=damaged.pb
  refuses "damaged.weights: its weights are damaged" verify here.so sets --weights=damaged.weights
  succeeds "$tiny" -mcpu=x86-64 -o whole.so
  refuses "the library has its weights itself" run whole.so sets/test_data_set_0/input_0.pb --weights=elsewhere.weights
fi
succeeds verify "$tiny" --weights=file --per-node
refuses "a model has its weights itself" bench "$tiny" --weights=net.weights

succeeds "$tiny" -mcpu=x86-64 -o net.o --weights-section=.flash_weights
readelf -SW net.o | grep -q ' \.flash_weights .* A ' || failed "no section .flash_weights: $(readelf -SW net.o)"
before=$(ls -A)
refuses "error: --weights-section=.text: sections of that name hold something else" "$tiny" --weights-section=.text -o x.o
refuses "error: --weights-section=a b: a section's name has letters" "$tiny" "--weights-section=a b" -o x.o
refuses "with --weights=file the object has no weights" "$tiny" --weights=file --weights-section=.flash -o x.o
refuses "standard output has no file beside it" "$tiny" --weights=file -o -
[ "$before" = "$(ls -A)" ] || failed "left $(ls -A)"
rm -rf ./*
finish
