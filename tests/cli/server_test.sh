# examples/server: a photograph in, JSON out; what it refuses; a new model while a run goes on; its end.
. "$(dirname "$0")/common.sh"
example=$here/../../examples/server
libraries=$(pkg-config --cflags --libs libmicrohttpd libjpeg 2>/dev/null) || skip "no libmicrohttpd and libjpeg (libmicrohttpd-dev, libjpeg-dev)"
command -v curl >/dev/null || skip "no curl"
[ -z "$RESNETCC_CFLAGS" ] || skip "a library with a sanitizer is not loaded into the server"
export CC
unset http_proxy all_proxy ALL_PROXY
$CC "$here/photograph.c" $libraries -o photograph && ./photograph >photograph.jpg || failed "no photograph"

# library NAME LABEL: a model whose first class is LABEL
library() {
  printf '%s\ntwo\n"three"\nfour\nfive\n' "$2" >labels
  succeeds "$here/tiny.onnx" -o "$1" --name=net --shape=image=1,3,8,8 --input=u8,nhwc,torchvision --output=softmax,top5 --labels labels
}
library net.so one
library new.so uno
compiles server "$example/server.c" "$example/model.c" "$example/decode.c" $libraries

# A model that is replaced while it runs is closed by its last run.
cat >replaced.c <<'END_OF_C'
#include "model.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static int libraries(void) {
  char command[100];
  snprintf(command, sizeof command, "exit $(grep '/n[^/]*\\.so' /proc/%d/maps | awk '{ print $5 }' | sort -u | wc -l)", (int)getpid());
  return system(command) >> 8;
}
static int run(const Model *m, void *work) {
  static unsigned char frame[8 * 8 * 3];
  int class[TOP_LIMIT];
  float score[TOP_LIMIT];
  const void *inputs[] = {frame};
  void *outputs[] = {class, score};
  return m->net->run(inputs, outputs, 1, work, m->workspace_size, NULL);
}
int main(void) {
  void *first, *second, *third;
  if (model_load("net.so", 2)) return 1;
  Model *old = model_take(&first);
  if (old != model_take(&second) || first == second) return 2;
  if (system("cp net.so kept && mv new.so net.so") || model_load("net.so", 2)) return 3;
  if (!model_load("labels", 2) || !model_load("none", 2)) return 4;
  Model *new = model_take(&third);
  if (strcmp(old->labels[0], "one") || strcmp(new->labels[0], "uno") || libraries() != 2) return 5;
  if (run(old, first) || run(new, third)) return 6;
  model_give(old, second);
  if (libraries() != 2) return 7;
  model_give(old, first);
  if (libraries() != 1 || run(new, third)) return 8;
  model_give(new, third);
  model_unload();
  return libraries();
}
END_OF_C
compiles replaced -I "$example" replaced.c "$example/model.c"
./replaced || failed "a model that is replaced while it runs: status $?"
mv net.so new.so && mv kept net.so

# until_true COMMAND...: which comes true by and by
until_true() {
  while ! "$@" 2>/dev/null; do
    kill -0 "$server" 2>/dev/null || { failed "the server ended: $(cat log)" && return; }
    sleep 0.05
  done
}
./server 0 net.so >port 2>log &
server=$!
trap 'kill $server 2>/dev/null; rm -rf "$work"' EXIT
until_true grep -q port port
at=http://localhost:$(sed 's/port //' port)
# answers STATUS TEXT CURL'S ARGUMENTS...
answers() {
  status=$1 text=$2
  shift 2
  [ "$(curl -s -o answer -w '%{http_code}' "$@")" = "$status" ] || failed "curl $*: not $status: $(cat answer)"
  holds answer "$text"
}
answers 200 '"label": "one", "score": 0.' --data-binary @photograph.jpg "$at"
holds answer '"label": "\"three\""'
[ "$(grep -o '"score"' answer | wc -l)" -eq 5 ] || failed "not five classes: $(cat answer)"
answers 400 "not a JPEG" --data-binary @labels "$at"
head -c 300 photograph.jpg >broken.jpg
answers 400 "not a JPEG" --data-binary @broken.jpg "$at"
answers 404 "posted to /" --data-binary @photograph.jpg "$at/photograph"
answers 405 "POST a JPEG" "$at"
head -c 8400000 /dev/zero >large
answers 413 "more than 8 MB" --data-binary @large "$at"
curl -s -X POST -H 'Transfer-Encoding: chunked' --data-binary @large "$at" >answer && failed "a large body without a length is taken: $(cat answer)"

cp labels net.so.new && mv net.so net.so.old && mv net.so.new net.so
kill -HUP $server
until_true grep -q "net.so: not a shared library" log
answers 200 '"label": "one"' --data-binary @photograph.jpg "$at"
mv new.so net.so
kill -HUP $server
until_true grep -q "net.so: loaded" log
answers 200 '"label": "uno"' --data-binary @photograph.jpg "$at"

# A request that has begun when the server is told to end is answered; others are not.
mkfifo body
curl -sv -X POST -H 'Expect: 100-continue' --expect100-timeout 60 -T - "$at" <body >answer 2>trace &
client=$!
exec 3>body
head -c 200 photograph.jpg >&3
until_true grep -q '100 Continue' trace
kill -TERM $server
refused() { ! curl -s "$at" >other; }
until_true refused
tail -c +201 photograph.jpg >&3
exec 3>&-
wait $client || failed "a request that had begun was not answered: $(cat trace)"
holds answer '"label": "uno"'
wait $server || failed "the server ended with $?: $(cat log)"
trap 'rm -rf "$work"' EXIT
at_most 30 "$example/README.md"
finish
