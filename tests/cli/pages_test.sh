# The commands on the pages about the interface and pictures do what they say; the words of --input and --output are all there.
. "$(dirname "$0")/common.sh"
doc=$here/../../examples/doc
cp "$here/tiny.onnx" model.onnx
printf 'one\ntwo\nthree\nfour\nfive\n' >labels.txt
sed -n 's/^    resnetcc //p' "$doc/interface.md" "$doc/pictures.md" >commands
[ "$(wc -l <commands)" -ge 3 ] || failed "the pages have only $(wc -l <commands) commands"
while read -r command; do
  # shellcheck disable=SC2086
  succeeds $command -mcpu=x86-64
done <commands
holds net.h "const uint8_t *image, int32_t *scores_class, float *scores_score, "
holds camera.h "uint8_t [batch, 480, 704, 4]"
for word in $(sed -n 's/^  {"\([a-z0-9]*\)", [A-Z].*/\1/p; s/^  {"\([a-z0-9]*\)", 0, {.*/\1/p' "$here/../../compiler/import/frame.c") \
  $(sed -n 's/.*{"\([a-z0-9]*\)", add_.*/\1/p' "$here/../../compiler/import/result.c"); do
  grep -q "\`$word\`" "$doc/pictures.md" || failed "pictures.md has no \`$word\`"
done
rm -f ./*
finish
