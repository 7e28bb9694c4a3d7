/* words.c: the words of --input and --output: NAME=word,word,... where NAME may be left out if there is one tensor. */
#include "import.h"

#include <stdlib.h>
#include <string.h>

int words_tensor(Context *cx, const WordsOption *o, int n, const char *const *name, const char **words) {
  int found = -1;
  size_t longest = 0;
  *words = o->text;
  for (int i = 0; i < n; i++) {
    size_t length = strlen(name[i]);
    bool is_prefix = strncmp(o->text, name[i], length) == 0 && o->text[length] == '=';
    if (!is_prefix || (found >= 0 && length <= longest)) continue;
    found = i, longest = length, *words = o->text + length + 1;
  }
  if (found >= 0 || n == 1) return found >= 0 ? found : 0;
  const char *all = "";
  for (int i = 0; i < n && i < 8; i++) all = format_text(cx, "%s%s\"%.40s\"", all, i ? ", " : "", name[i]);
  fail(cx, "%s=%s: the model has %d; write %s=NAME=..., NAME being %s", o->option, o->text, n, o->option, all);
}

const char *word_next(Context *cx, const WordsOption *o, const char **rest) {
  if (!*rest) return NULL;
  size_t n = strcspn(*rest, ",");
  const char *word = copy_bytes_as_text(cx, *rest, n);
  if (n == 0) fail(cx, "%s=%s: a word is empty", o->option, o->text);
  *rest = (*rest)[n] ? *rest + n + 1 : NULL;
  return word;
}

const char *word_value(const char *word, const char *key) {
  size_t n = strlen(key);
  return strncmp(word, key, n) == 0 && word[n] == '=' ? word + n + 1 : NULL;
}

bool word_count(const char *s, char behind, int64_t *out, const char **end) {
  char *e;
  if (*s < '1' || *s > '9') return false;
  long long n = strtoll(s, &e, 10);
  if (n > MOST_COUNT || *e != behind) return false;
  *out = n;
  if (end) *end = e + 1;
  return true;
}

Value *word_node(Import *im, const char *tensor, Op op, const char *what, Value *x, Value *const *other, int n_other,
                 Node **made) {
  Value *in[1 + 4] = {x};
  for (int i = 0; i < n_other; i++) in[1 + i] = other[i];
  const char *name = fresh_name(im, tensor, what);
  Node *n = node_new(im->g, op, name, 1 + n_other, in, 1);
  if (made) *made = n;
  return made_result(im->g, n, 0, name);
}

Value *word_cast(Import *im, const char *tensor, Value *x, Type to) {
  Node *n;
  Value *y = word_node(im, tensor, OP_Cast, type_name(to), x, NULL, 0, &n);
  attr_set_int(im->g, n, "to", to);
  return y;
}

_Noreturn void fail_words(Context *cx, const WordsOption *o, const char *fmt, ...) {
  char reason[400];
  va_list args;
  va_start(args, fmt);
  vsnprintf(reason, sizeof reason, fmt, args);
  va_end(args);
  fail(cx, "%s=%s: %s", o->option, o->text, reason);
}
