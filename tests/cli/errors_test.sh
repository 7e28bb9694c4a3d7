# Whatever the user gets wrong: one line, status 1, nothing written.
. "$(dirname "$0")/common.sh"
tiny=$here/tiny.onnx

refuses "error: no input file"
refuses "error: unknown option '--foo'" --foo "$tiny"
refuses "error: unknown option '-x'" -x "$tiny"
refuses "error: unknown option '--strictly'" --strictly "$tiny"
refuses "error: unknown option '-mcpuhaswell'" -mcpuhaswell "$tiny"
refuses "error: unknown option '--verify=1'" --verify=1 "$tiny"
refuses "error: unknown option '--\\x1b[2J'" "$(printf -- '--\033[2J')" "$tiny"
refuses "error: more than one input file" "$tiny" "$tiny"
refuses "error: the name of the input file is empty" ""
refuses "error: option '-o' needs a value: FILE" "$tiny" -o
refuses "error: option '--name' needs a value" "$tiny" --name
refuses "error: option '-mcpu' needs a value" "$tiny" -mcpu
refuses "error: -o: the file name is empty" "$tiny" -o ""
refuses "error: -o is given twice" "$tiny" -o a.o -o b.o
refuses "error: -MF is given twice" "$tiny" -MF a.d -MFb.d
refuses "error: --tune=: the file name is empty" "$tiny" --tune=
refuses "error: --strassen=yes: it is auto, off or on" --strassen=yes "$tiny"
refuses "error: --winograd=3: it is auto, off, 2 or 4" --winograd=3 "$tiny"
refuses "error: --emit=exe: it is obj, asm, llvm, graph, so or auto" --emit=exe "$tiny"
case $(uname -m) in
x86_64) other=aarch64 ;;
*) other=x86_64 ;;
esac
refuses "tiny.onnx: --profile: the code is for $other, and this machine is" --profile "$tiny" --target=$other-linux-gnu
refuses "tiny.onnx: --tune: the code is for $other, and this machine is" --tune=none.tune "$tiny" --target=$other-linux-gnu
refuses "tiny.onnx: cannot run here: the code is for $other" verify "$tiny" --target=$other-linux-gnu
refuses "tiny.onnx: --profile: only an object can be run; --emit=obj makes one" --profile --emit=asm "$tiny"
refuses "error: -d z?: no pass has the letter '?'" -d 'z?' "$tiny"
for size in 0 -1 "" 5X 5MM 99999999999999999999 9999999999G 1.5G; do
  refuses "error: --max-memory=$size:" "--max-memory=$size" "$tiny"
done
for threads in 0 -1 "" 2x 1025 99999999999999999999; do
  refuses "error: --threads=$threads: it is a number from 1 to 1024" "--threads=$threads" "$tiny"
done
for batch in 0 -1 "" 2x 99999999999999999999; do
  refuses "error: --batch=$batch: it is a number from 1 to 2147483647" "--batch=$batch" "$tiny"
done
for shape in image =1,3 image=1,,3 image=1,3, image=00,3 image=-1,3 image=1,a image=1,2,3,4,5,6,7,8,9,1,2,3,4 \
  image=99999999999999999999; do
  refuses "error: --shape $shape: it is NAME=1,3,224,224" --shape "$shape" "$tiny"
done
refuses "--name: '3x' is no C identifier" --name 3x "$tiny"
refuses "--name: 'int' is no C identifier" --name=int "$tiny"
refuses "--name: 'rcc' is the prefix of resnetcc_rt.h's own names" --name=rcc "$tiny"
refuses "--name: 'rcc_pool' is the prefix of resnetcc_rt.h's own names" --name=rcc_pool "$tiny"
refuses "unknown CPU 'foo' in -mcpu=" -mcpu=foo "$tiny"
refuses "-mcpu=x86-64-v2,x86-64-v3: an object is for one level; compile one for each" -mcpu=x86-64-v2,x86-64-v3 "$tiny"
refuses "unknown feature '+foo' in -mattr=" -mattr=+foo "$tiny"
refuses "unknown feature 'avx2' in -mattr=" -mattr=avx2 "$tiny"
refuses "-mcpu=cortex-a76 is no CPU of x86_64 targets: --target=aarch64-linux-gnu has it" -mcpu=cortex-a76 --target=x86_64-linux-gnu "$tiny"
refuses "-mcpu=haswell is no CPU of aarch64 targets: --target=x86_64-linux-gnu has it" -mcpu=haswell --target=aarch64-linux-gnu "$tiny"
refuses "unknown feature '+avx2' in -mattr=" -mattr=+avx2 --target=aarch64-linux-gnu "$tiny"
for triple in "" garbage x86_64 i386-linux-gnu x86_64h-apple-darwin amd64-linux-gnu aarch64_be-linux-gnu \
  arm-linux-gnueabihf; do
  refuses "--target=$triple: only x86_64 and aarch64 targets are supported" "--target=$triple" "$tiny"
done
for triple in x86_64-pc-windows-msvc x86_64-w64-mingw32 x86_64-cygwin x86_64-apple-darwin x86_64-linux-gnux32 \
  x86_64-linux-muslx32 x86_64-uefi x86_64-foo x86_64-linux-coff x86_64-linux-gnu-macho \
  aarch64-linux-gnu_ilp32 aarch64-apple-darwin; do
  refuses "--target=$triple: only 64-bit systems with ELF objects are supported" "--target=$triple" "$tiny"
done

# Inputs.
refuses "resnetcc: error: missing.onnx: " missing.onnx
mkdir folder
refuses "resnetcc: error: folder: " folder
: >empty.onnx
refuses "resnetcc: error: empty.onnx: " empty.onnx
echo "not a model" >text.onnx
refuses "resnetcc: error: text.onnx: " text.onnx
head -c 200 "$tiny" >cut.onnx
refuses "resnetcc: error: cut.onnx: " cut.onnx
refuses 'unknown.onnx: node "a\x0a\x1b[2Jb" (Foo): ' "$here/unknown.onnx"
refuses "sized.onnx: " "$here/sized.onnx"
refuses "tiny.onnx: " --shape nothing=1,3,8,8 "$tiny"
refuses "tiny.onnx: " --shape image=1,4,8,8 "$tiny"
refuses "tiny.onnx: --batch 4: the batch is not symbolic; that of input \"image\" is 1" --batch 4 \
  --shape image=1,3,8,8 "$tiny"
refuses "tiny.onnx: " --batch 2147483647 "$tiny"
refuses "error: --batch=9223372036854775807: it is a number from 1 to 2147483647" --batch 9223372036854775807 "$tiny"
refuses "tiny.onnx: needs more than the memory limit" --max-memory=16K "$tiny"

# Outputs.
refuses "folder: cannot be written: Is a directory" -o folder "$tiny"
refuses "nowhere/net.o: cannot be written: No such file or directory" -o nowhere/net.o "$tiny"
refuses "/dev/full: cannot be written: No space left on device" -o /dev/full "$tiny"
cp "$tiny" net.onnx
refuses "net.onnx: cannot be written: it is the input file" -o net.onnx --emit=obj net.onnx
ln net.onnx same.o
refuses "same.o: cannot be written: it is the input file" -o same.o net.onnx
ln -s net.onnx alias.h
refuses "alias.h: cannot be written: it is the input file" -o alias.o net.onnx
for ending in dylib dll a lib exe O c h cpp onnx 0; do
  refuses "-o net.$ending: nothing that is written has the ending .$ending; it may be .o .obj .syso .s .ll or .so" -o "net.$ending" "$tiny"
done
refuses "the model comes from standard input, so the output has no name; name it with -o FILE" - <"$tiny"
refuses "standard input: is empty" -o net.o - </dev/null
refuses "net.h: cannot be written: two outputs have this name" -o net.o --header ./net.h -MF net.h "$tiny"
cp "$here/external.onnx" .
printf '0123456789abcdef' >"my weights.bin"
ln "my weights.bin" data.o
ln -s "my weights.bin" data.h
refuses "data.o: cannot be written: it holds data of the model" -o data.o external.onnx
rm data.o
refuses "data.h: cannot be written: it holds data of the model" -o data.o external.onnx
rm data.h external.onnx "my weights.bin"
refuses "./net.h: cannot be written: two outputs have this name" -MF ./net.h -o net.o "$tiny"
refuses "-: cannot be written: two outputs have this name" -MF - -o - "$tiny"
refuses "-MD: '-' is no file to write beside; name one with -MF" -MD -o - "$tiny"
refuses "error: -MF: the file name is empty" -MF "" "$tiny"
refuses "does not fit into a Makefile" -MD -o "a
b.o" "$tiny"
mkdir taken.h
refuses "taken.h: cannot be written: Is a directory" -o taken.o "$tiny"
cmp -s net.onnx "$tiny" || failed "the input was changed"
for full in "--help" "--version" "--passes" "--emit=graph -o - $tiny" "-o - $tiny"; do
  "$RESNETCC" $full >/dev/full 2>"$work.err"
  [ $? -eq 1 ] || failed "$full did not notice a full device"
  holds "$work.err" "No space left on device"
done

# Colours are for a terminal whose user wants them.
escape=$(printf '\033')
if command -v script >/dev/null && script -qec true /dev/null >/dev/null 2>&1 </dev/null; then
  script -qec "$RESNETCC missing.onnx" /dev/null >"$work.out" 2>&1 </dev/null
  holds "$work.out" "${escape}[1mresnetcc: ${escape}[31merror:${escape}[0m missing.onnx: "
  NO_COLOR=1 script -qec "$RESNETCC missing.onnx" /dev/null >"$work.out" 2>&1 </dev/null
  holds "$work.out" "resnetcc: error: missing.onnx: "
else
  echo "skipped: no terminal by the program \`script\` to show colours to"
fi

# A failure leaves the old output as it was.
echo old >old.o
refuses "Foo" -o old.o "$here/unknown.onnx"
[ "$(cat old.o)" = old ] || failed "a failure touched the old output"
finish
