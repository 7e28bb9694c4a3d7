/* json.c: the words of JSON (RFC 8259): text as a string, and whether bytes are a value. */
#include "base.h"

#include <string.h>

/* ==== writing ==== */

static void add_character(Buffer *out, const char *s, size_t n) {
  static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD, for bytes that are no UTF-8 */
  if (*s == '"' || *s == '\\') buffer_printf(out, "\\%c", *s);
  else if (*s == '<') buffer_printf(out, "\\u003c"); /* so that it may stand in a page's script */
  else if (*s == '\n') buffer_printf(out, "\\n");
  else if (*s == '\t') buffer_printf(out, "\\t");
  else if ((unsigned char)*s < 0x20 || *s == 0x7f) buffer_printf(out, "\\u%04x", *s);
  else if (n) buffer_add(out, s, n);
  else buffer_printf(out, "%s", replacement);
}

/* Length of the sequence of UTF-8 at s, which is not read past the end; 0: there is none. */
static size_t length_before(const char *s, const char *end) {
  char next[5] = {0};
  move_bytes(next, s, end - s < 4 ? (size_t)(end - s) : 4);
  return (size_t)utf8_length(next);
}

void json_add_text(Buffer *out, const char *s, size_t n) {
  buffer_add(out, "\"", 1);
  for (const char *end = s + n; s < end;) {
    size_t length = length_before(s, end);
    add_character(out, s, length);
    s += length ? length : 1;
  }
  buffer_add(out, "\"", 1);
}

/* ==== reading ==== */

enum { MAX_DEPTH = 16 };

static void skip_space(JsonText *t) {
  while (t->at < t->end && strchr(" \t\n\r", *t->at) && *t->at) t->at++;
}

static bool skip(JsonText *t, char c) {
  skip_space(t);
  if (t->at == t->end || *t->at != c) return false;
  t->at++;
  return true;
}

static bool skip_word(JsonText *t, const char *word) {
  size_t n = strlen(word);
  if ((size_t)(t->end - t->at) < n || !same_bytes(t->at, word, n)) return false;
  t->at += n;
  return true;
}

static bool skip_hex(JsonText *t) {
  for (int i = 0; i < 4; i++, t->at++) {
    if (t->at == t->end || !*t->at || !strchr("0123456789abcdefABCDEF", *t->at)) return false;
  }
  return true;
}

static bool skip_escape(JsonText *t) {
  if (t->at == t->end || !*t->at || !strchr("\"\\/bfnrtu", *t->at)) return false;
  return *t->at++ != 'u' || skip_hex(t);
}

static bool skip_text(JsonText *t) {
  if (!skip(t, '"')) return false;
  while (t->at < t->end && *t->at != '"') {
    size_t n = length_before(t->at, t->end);
    if (n == 0 || (unsigned char)*t->at < 0x20) return false;
    t->at += n;
    if (t->at[-1] == '\\' && !skip_escape(t)) return false;
  }
  return skip(t, '"');
}

static bool skip_digits(JsonText *t) {
  const char *first = t->at;
  while (t->at < t->end && *t->at >= '0' && *t->at <= '9') t->at++;
  return t->at > first;
}

static bool skip_number(JsonText *t) {
  skip_word(t, "-");
  if (!skip_word(t, "0") && !skip_digits(t)) return false;
  if (skip_word(t, ".") && !skip_digits(t)) return false;
  if (!skip_word(t, "e") && !skip_word(t, "E")) return true;
  if (!skip_word(t, "-")) skip_word(t, "+");
  return skip_digits(t);
}

static bool skip_value(JsonText *t, int depth);

static bool skip_list(JsonText *t, bool named, char end, int depth) {
  if (depth == MAX_DEPTH) return false;
  if (skip(t, end)) return true;
  do {
    if (named && !(skip_text(t) && skip(t, ':'))) return false;
    if (!skip_value(t, depth + 1)) return false;
  } while (skip(t, ','));
  return skip(t, end);
}

static bool skip_value(JsonText *t, int depth) {
  skip_space(t);
  if (skip(t, '{')) return skip_list(t, true, '}', depth);
  if (skip(t, '[')) return skip_list(t, false, ']', depth);
  if (t->at < t->end && *t->at == '"') return skip_text(t);
  return skip_word(t, "true") || skip_word(t, "false") || skip_word(t, "null") || skip_number(t);
}

bool json_is_object(const char *s, size_t n) {
  JsonText t = {s, s + n};
  skip_space(&t);
  if (t.at == t.end || *t.at != '{' || !skip_value(&t, 0)) return false;
  skip_space(&t);
  return t.at == t.end;
}

JsonText json_inside(const char *s, size_t n) {
  JsonText t = {s, s + n};
  skip_space(&t);
  t.at++;
  return t;
}

bool json_next(JsonText *t, JsonText *name, JsonText *value) {
  skip(t, ',');
  skip_space(t);
  if (*t->at == '}' || *t->at == ']') return false;
  if (name) {
    name->at = t->at;
    skip_text(t);
    name->end = t->at;
    skip(t, ':');
    skip_space(t);
  }
  value->at = t->at;
  skip_value(t, 0);
  value->end = t->at;
  return true;
}
