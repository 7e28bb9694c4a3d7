# The pages in examples/doc, over an installed tree: the commands of each do what they say, on its program, app.c.
. "$(dirname "$0")/../cli/common.sh"
[ -z "$RESNETCC_CFLAGS" ] || skip "a runtime with a sanitizer links neither statically nor into libraries"
prefix=$work/prefix
installs "$prefix"
export PATH="$prefix/bin:$PATH" PKG_CONFIG_PATH=$prefix/lib/pkgconfig CPATH=$prefix/include LIBRARY_PATH=$prefix/lib CC
command -v valgrind >/dev/null || {
  echo "skipped: no valgrind"
  printf '#!/bin/sh\n' >"$prefix/bin/valgrind" && chmod +x "$prefix/bin/valgrind"
}

# blocks LANGUAGE PAGE: what stands between ```LANGUAGE and ```
blocks() {
  sed -n "/^\`\`\`$1\$/,/^\`\`\`\$/p" "$2" | grep -v '^```'
}
for page in targets accuracy threads weights integers packaging migrate; do
  file=$prefix/share/doc/resnetcc/$page.md
  mkdir "$page" && cd "$page" || exit 1
  cp "$here/../cli/tiny.onnx" model.onnx
  [ $page = integers ] && cp -r "$here/../../examples/digits/pictures" .
  blocks c "$file" >app.c
  blocks sh "$file" >commands
  [ "$(grep -c '^resnetcc ' commands)" -ge 2 ] || failed "$page.md has not two commands"
  sh -ex commands >"$work.out" 2>&1 || failed "$page.md: $(tail -n 4 "$work.out")"
  for linked in $(grep -o '](.*\.md)' "$file" | sed 's/](\(.*\))/\1/'); do
    [ -f "$prefix/share/doc/resnetcc/$linked" ] || failed "$page.md: no page $linked"
  done
  case $page in
  targets) cp net.o first.o && resnetcc model.onnx -o net.o -mcpu=x86-64-v3 -g && cmp net.o first.o || failed "other bytes" ;;
  accuracy) [ -f sets/test_data_set_0/output_0.pb ] || failed "no data set" ;;
  weights) holds "$work.out" " .flash_weights " && [ -f net.weights ] || failed "no weights" ;;
  integers)
    [ -s same.o ] && [ -s first.onnx ] || failed "nothing is quantised"
    resnetcc inspect whole.onnx | grep -q DequantizeLinear || failed "no integers" ;;
  packaging) holds net.d "model.onnx" && holds "$work.out" "net, compiled for x86-64-v3" ;;
  esac
  cd ..
done
finish
