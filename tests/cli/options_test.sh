# Every option does what the help says.
. "$(dirname "$0")/common.sh"
tiny=$here/tiny.onnx

succeeds --help
for option in -o --header -MD -MF --name --shape --batch --nchwc-block --emit -mcpu -mattr --target --strict --flush-denormals --winograd --strassen --max-memory --report --profile --threads --why --tune -v -q -h --help -V; do
  holds "$work.out" "  $option"
done
succeeds --help=developer
for option in --time --passes -d --verify --each-pass; do holds "$work.out" "  $option"; done
succeeds --version
[ "$(head -n 1 "$work.out")" = "resnetcc ${RESNETCC_VERSION}" ] || failed "--version: $(cat "$work.out")"
for line in '^LLVM [0-9][0-9.]*$' '^ABI 1$' '^default target [a-z0-9_]*-[-a-z0-9]* [-a-z0-9]*$' '^targets x86_64-linux .* aarch64-linux '; do
  grep -q "$line" "$work.out" || failed "--version: no '$line'"
done
cp "$work.out" version
succeeds -V
cmp -s version "$work.out" || failed "-V is not --version"
rm version
succeeds --passes
holds "$work.out" "  s  shape "
holds "$work.out" "  w  plan "

# The output's name: like a C compiler's, in the current folder.
succeeds "$tiny"
files tiny.h tiny.o
succeeds "$tiny" -o net.o
holds net.h "int net_run("
files net.h net.o
succeeds -onet.o "$tiny"
files net.h net.o
succeeds -o net -- "$tiny"
holds net.h "int net_run("
files net net.h
succeeds "$tiny" -o 3-d.o
holds 3-d.h "int _3_d_run("
files 3-d.h 3-d.o
mkdir folder
succeeds "$tiny" -o folder/net.o
[ "$(ls folder | tr '\n' ' ')" = "net.h net.o " ] || failed "not in the folder"
rm -r folder
cp "$tiny" ./-x.onnx
succeeds -- -x.onnx
files -x.h -x.o -x.onnx
succeeds "$tiny" -o /dev/null
[ -z "$(ls -A)" ] || failed "-o /dev/null wrote files"

# An old output is replaced, through a link as well.
echo old >net.o
ln -s net.o link.o
succeeds "$tiny" -o link.o
[ -h link.o ] || failed "the link was replaced"
[ "$(head -c 4 net.o)" = "$(printf '\177ELF')" ] || failed "the link's file was not replaced"
files link.h link.o net.o

# Standard output gets the same bytes, and no header is written.
succeeds "$tiny" -o tiny.o
succeeds "$tiny" -o -
cmp -s tiny.o "$work.out" || failed "-o - writes another object"
files tiny.h tiny.o

# What the outputs were made from.
succeeds "$tiny" -MD
[ "$(cat tiny.d)" = "tiny.o tiny.h: $tiny" ] || failed "-MD: $(cat tiny.d)"
files tiny.d tiny.h tiny.o
cp "$here/external.onnx" .
printf '0123456789abcdef' >"my weights.bin"
succeeds external.onnx -MF rule '-oa#b$.o'
[ "$(cat rule)" = 'a\#b$$.o a\#b$$.h: external.onnx \
  my\ weights.bin' ] || failed "-MF: $(cat rule)"
files 'a#b$.h' 'a#b$.o' external.onnx "my weights.bin" rule
succeeds "$tiny" --emit=asm -MD -o net.s
[ "$(head -n 1 net.d)" = "net.s: $tiny" ] || failed "-MD: $(cat net.d)"
files net.d net.s
succeeds "$tiny" --tune=times
succeeds "$tiny" --tune=times -MD
holds tiny.d "  times"
files times tiny.d tiny.h tiny.o

# The ending says what is written, --emit goes with any.
elf=$(printf '\177ELF')
for ending in o obj syso; do
  succeeds "$tiny" -o net.$ending
  [ "$(head -c 4 net.$ending)" = "$elf" ] || failed "net.$ending is no object"
  holds net.h "int net_run("
done
files net.h net.o net.obj net.syso
succeeds "$tiny" -o net.s
holds net.s "net_run:"
succeeds "$tiny" -o net.ll
holds net.ll "@net_run("
succeeds "$tiny" --emit=llvm -o net.txt
cmp -s net.ll net.txt || failed "--emit=llvm -o net.txt is not net.ll"
succeeds "$tiny" --emit=obj -o net.bin
holds net.bin.h "int net_run("
files net.bin net.bin.h net.ll net.s net.txt
succeeds "$tiny" -o net.o --header=other.h
holds other.h "int net_run("
files net.o other.h
succeeds "$tiny" -o net.s --header net.hpp --name model
holds net.hpp "int model_run("
files net.hpp net.s
succeeds "$tiny" -o net.o --header=none
files net.o
succeeds "$tiny" -o net_linux_amd64.syso --name net --header net.h -MD
[ "$(head -n 1 net_linux_amd64.d)" = "net_linux_amd64.syso net.h: $tiny" ] || failed "-MD: $(cat net_linux_amd64.d)"
files net.h net_linux_amd64.d net_linux_amd64.syso

# The model from standard input.
succeeds - -o net.o <"$tiny"
holds net.h "made by resnetcc ${RESNETCC_VERSION} from standard input."
mv net.o piped.o
succeeds "$tiny" -o net.o
cmp -s net.o piped.o || failed "the object of a model from standard input differs"
cat "$tiny" | "$RESNETCC" inspect - | grep -q "^standard input: IR version" || failed "inspect -"
succeeds - -o - <"$tiny"
files net.h net.o piped.o

succeeds "$tiny" --name=other -o net.o
holds net.h "int other_run("
holds net.h "#define OTHER_WORKSPACE_SIZE"
files net.h net.o
succeeds "$tiny" --name other -o net.o
holds net.h "int other_run("
files net.h net.o

succeeds --emit=obj "$tiny"
files tiny.h tiny.o
succeeds --emit=asm "$tiny"
holds tiny.s "tiny_run:"
files tiny.s
succeeds --emit=llvm "$tiny"
holds tiny.ll "@tiny_run("
files tiny.ll
succeeds --emit graph "$tiny"
holds tiny.txt "Conv("
files tiny.txt
succeeds --emit=graph "$tiny" -o -
holds "$work.out" "output scores"

succeeds "$here/sized.onnx" --shape image=1,3,9,10
holds sized.h "image[270]"
files sized.h sized.o
succeeds "$here/sized.onnx" --shape=image=1,3,9,10
succeeds "$here/sized.onnx" --shape=image=N,3,9,10 --name net -o kept.o
holds kept.h "int net_run(int64_t batch, "
rm -f kept.h kept.o
files sized.h sized.o

# A fixed batch is part of the interface.
succeeds "$tiny" --batch=4
holds tiny.h "image: float [4, 3, 8, 8]"
holds tiny.h "scores: float [4, 5]"
holds tiny.h "int tiny_run(const float *image,"
files tiny.h tiny.o
succeeds "$tiny" --batch 4 --name net -o batch.o
succeeds "$tiny" --shape image=4,3,8,8 --name net -o shape.o
cmp -s batch.o shape.o || failed "--batch and --shape differ"
succeeds "$here/sized.onnx" --shape image=4,3,8,8 --batch 4 --name net -o both.o
for object in batch both; do objcopy -R .note.resnetcc $object.o; done # which has the hash of the model
cmp -s batch.o both.o || failed "--batch does not go with --shape"
files batch.h batch.o both.h both.o shape.h shape.o

# Targets: the code of each is its own, and the same on every machine.
succeeds "$tiny" -mcpu=x86-64-v3 --emit=asm
holds tiny.s "ymm"
files tiny.s
succeeds "$tiny" -mcpu=x86-64-v4 --emit=asm
holds tiny.s "zmm"
files tiny.s
succeeds "$tiny" -mcpu=x86-64 --emit=asm
grep -q "ymm" tiny.s && failed "-mcpu=x86-64 uses AVX"
files tiny.s
succeeds "$tiny" -mcpu=x86-64 -mattr=+avx2,+fma --emit=asm
holds tiny.s "ymm"
files tiny.s
succeeds "$tiny" --target=x86_64-linux-gnu --emit=asm
grep -q "ymm" tiny.s && failed "--target without -mcpu is not the baseline"
files tiny.s
succeeds "$tiny" --target=aarch64-linux-gnu --emit=asm
holds tiny.s "fmla"
files tiny.s
succeeds "$tiny" -mcpu=native
files tiny.h tiny.o

# Switches that only tell.
succeeds "$tiny" --verbose -o /dev/null
holds "$work.err" "opset 13"
succeeds "$tiny" -v -o /dev/null
holds "$work.err" "opset 13"
holds "$work.err" "of workspace"
succeeds "$tiny" --time -o /dev/null
holds "$work.err" "import "
holds "$work.err" "plan "
holds "$work.err" "emit "
succeeds "$tiny" --report -o /dev/null
[ -s "$work.out" ] || failed "--report says nothing"
succeeds "$tiny" --report --emit=graph -o -
holds "$work.out" "output scores"
succeeds "$tiny" --profile -o net.o
holds "$work.out" " % peak "
[ -s "$work.err" ] && failed "--profile of a short run tells its progress"
succeeds "$tiny" --profile --threads=2 -o -
holds "$work.err" "2 threads"
succeeds "$tiny" -o tiny.o --name net
cmp -s net.o tiny.o || failed "--profile changes the object"
files net.h net.o tiny.h tiny.o
succeeds "$tiny" -d sw -o /dev/null
holds "$work.err" "# after shape"
holds "$work.err" "# after plan"
succeeds "$tiny" -du -o /dev/null
holds "$work.err" "# after fuse"
succeeds "$tiny" --verify -o /dev/null
succeeds "$tiny" --each-pass -o /dev/null
holds "$work.err" "layout: outputs as after batch"
succeeds "$tiny" --strict -o /dev/null
succeeds "$tiny" --flush-denormals
holds tiny.h "denormal numbers for zeros"
files tiny.h tiny.o
for when in auto off on; do succeeds "$tiny" --strassen=$when -o /dev/null; done
for when in auto off 2 4; do succeeds "$tiny" --winograd=$when -o /dev/null; done
succeeds "$tiny" --max-memory=64M -o /dev/null
succeeds "$tiny" --max-memory 1G -o /dev/null
finish
