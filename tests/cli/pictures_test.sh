# --input, --output and --labels: a program that passes bytes and gets the names of classes.
. "$(dirname "$0")/common.sh"
tiny=$here/tiny.onnx

printf 'ten"ch\ncat\\\n\303\251t\303\251\n\nlast' >names
succeeds "$tiny" --shape=image=1,3,8,8 --input=u8,nhwc,torchvision --output=softmax,top2 --labels names -MD -mcpu=x86-64
holds tiny.h "const uint8_t *image, int32_t *"
holds tiny.h "extern const char *const tiny_labels[5];"
holds tiny.d names
cat >program.c <<'END_OF_C'
#include "tiny.h"
#include <stdio.h>
#include <string.h>
int main(void) {
  static uint8_t image[192];
  static const char *const want[] = {"ten\"ch", "cat\\", "\303\251t\303\251", "", "last"};
  int32_t class[2] = {-1, -1};
  float score[2];
  void *work = rcc_workspace_alloc(TINY_WORKSPACE_SIZE);
  int error = tiny_run(image, class, score, work, TINY_WORKSPACE_SIZE, NULL);
  rcc_workspace_free(work, TINY_WORKSPACE_SIZE);
  for (int i = 0; i < 5; i++) error |= strcmp(tiny_labels[i], want[i]);
  return error || class[0] == class[1] || class[0] < 0 || class[0] > 4 || class[1] < 0 || score[0] < score[1] ||
         score[0] <= 0 || score[0] + score[1] > 1.0001f;
}
END_OF_C
$CC -std=c11 -Wall -Wextra -Werror $RESNETCC_CFLAGS -I "$here/../../runtime" program.c tiny.o "$RESNETCC_RT" -pthread -o program ||
  failed "the program does not link"
./program || failed "the program gets wrong classes"
$CC -std=c11 $RESNETCC_CFLAGS -I "$here/../../runtime" -static-pie -fPIE program.c tiny.o "$RESNETCC_RT" -pthread -o program 2>/dev/null &&
  { ./program || failed "the static program gets wrong classes"; }
rm -f program program.c tiny.d tiny.h tiny.o

printf 'a\nb\nc\nd\n\377\n' >bad
refuses "--labels bad: line 5 is not UTF-8; convert the file" "$tiny" --labels bad
printf 'a\nb\nc\n\033[1m\ne\n' >bad
refuses "--labels bad: line 4 has a control character" "$tiny" --labels bad
printf 'a\0b\nc\nd\ne\nf\n' >bad
refuses "--labels bad: is no text of labels, one a line" "$tiny" --labels bad
printf 'a\nb\n' >bad
refuses "--labels bad: 2 lines for 5 classes" "$tiny" --labels bad
refuses "--labels nothing: No such file or directory" "$tiny" --labels nothing
refuses "--input=u8,nhw: 'nhw' is no word of --input" "$tiny" --input=u8,nhw
succeeds "$tiny" --output=softmax,softmax -o /dev/null
[ "$(grep -c 'warning: .*softmax already' "$work.err")" -eq 1 ] || failed "no warning: $(cat "$work.err")"
succeeds "$tiny" --output=softmax -o /dev/null
[ -s "$work.err" ] && failed "a warning without need: $(cat "$work.err")"
rm -f bad names
finish
