# inspect tells what a model holds; commands have options of their own, and a file may be called like one.
. "$(dirname "$0")/common.sh"
tiny=$here/tiny.onnx

succeeds inspect "$tiny"
[ "$(cat "$work.out")" = "$tiny: IR version 8, operator set 13
input  image: f32 [N,3,8,8]
output scores: f32 [N,5]
the batch is symbolic
constants: 132 elements, 528 bytes
nodes: 5
      1 Conv
      1 Flatten
      1 Gemm
      1 GlobalAveragePool
      1 Relu" ] || failed "inspect: $(cat "$work.out")"
[ -s "$work.err" ] && failed "inspect writes to standard error"
[ -z "$(ls -A)" ] || failed "inspect wrote files"

# What is refused is told, and is no failure; names of a model do not command the terminal.
succeeds inspect "$here/unknown.onnx"
holds "$work.out" 'refused: node "a\x0a\x1b[2Jb" (Foo): is an operator that resnetcc does not have'
succeeds inspect "$here/sized.onnx"
holds "$work.out" 'refused: the model has dimensions of unknown size: H, W; set them with --shape image=N,3,224,224'
succeeds inspect "$here/sized.onnx" --shape image=N,3,9,10
grep -q refused "$work.out" && failed "inspect does not mind --shape"
succeeds inspect "$tiny" --batch=4
grep -q "the batch is symbolic" "$work.out" && failed "inspect does not mind --batch"

succeeds inspect --json "$here/unknown.onnx"
holds "$work.out" '{"node": "a\n\u001b[2Jb", "op": "Foo", "reason": "is an operator that resnetcc does not have"}'
parsed
succeeds inspect --json "$tiny"
holds "$work.out" '"symbolic_batch": true'
holds "$work.out" '"parameters": 132, "bytes": 528'
holds "$work.out" '{"name": "Gemm", "count": 1, "node": "gemm", "refused": null}'
holds "$work.out" '"refused": []}'

refuses "resnetcc: error: missing.onnx: " inspect missing.onnx
refuses "error: no input file" inspect
refuses "error: option '--tune' does not belong to the command 'inspect'" inspect "$tiny" --tune
refuses "error: option '-o' does not belong to the command 'inspect'" inspect -o x.o "$tiny"
refuses "error: the command 'inspect' comes first" --json inspect "$tiny"
"$RESNETCC" inspect "$tiny" >/dev/full 2>"$work.err"
[ $? -eq 1 ] || failed "inspect did not notice a full device"
holds "$work.err" "No space left on device"

# What is compiled says what it is: object, program without symbols, shared library, and two models in one.
succeeds "$tiny" --name net -mcpu=sapphirerapids --winograd=off --input=mean=0.5,std=2 --output=softmax -o net.o
hash=$(sha256sum <"$tiny" | cut -d' ' -f1)
succeeds inspect net.o
for text in '^name  *net$' "^resnetcc  *$RESNETCC_VERSION$" "^sha256  *$hash$" '^cpu  *sapphirerapids$' '"avx512fp16"' 'winograd=off' 'mean=0.5,std=2' 'output=softmax' \
    '"name": "image", "type": "f32", "shape": \["N", 3, 8, 8\]'; do
  grep -q "$text" "$work.out" || failed "no $text in the note: $(cat "$work.out")"
done
grep -q avx512_fp16 /proc/cpuinfo || grep -q '^not here: .*avx512fp16' "$work.out" || failed "avx512fp16 is not here: $(cat "$work.out")"
succeeds inspect --json net.o
holds "$work.out" '{"note": {"name": "net", '
parsed
succeeds "$tiny" --name twin -mcpu=x86-64 -o twin.o
cat >two.c <<'END'
#include "net.h"
#include "twin.h"
int main(void) { return net_model.abi != twin_model.abi; }
END
$CC -s -I"$here/../../runtime" $RESNETCC_CFLAGS two.c net.o twin.o "$RESNETCC_RT" -pthread -o two || failed "two models do not link"
succeeds inspect two
[ "$(grep '^name' "$work.out" | tr -s ' \n' ' ')" = "name net name twin " ] || failed "the notes of two: $(cat "$work.out")"
refuses "resnetcc: error: $RESNETCC: holds no model that resnetcc has compiled" inspect "$RESNETCC"
rm -f net.* twin.* two two.c

succeeds inspect --help
holds "$work.out" "usage: resnetcc inspect [OPTION]... MODEL"
holds "$work.out" "  --shape"
grep -q -- "  --tune" "$work.out" && failed "inspect --help lists options of others"
succeeds --help
holds "$work.out" "  inspect "

# A file that is called like a command.
cp "$tiny" inspect
succeeds ./inspect -o net.o
succeeds -- inspect
succeeds inspect ./inspect
files inspect inspect.h inspect.o net.h net.o
finish
