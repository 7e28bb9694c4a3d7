/* message.c: lines on standard error, all of one form, and how a compilation ends in one. */
#include "base.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
  MESSAGE_MAX = 380, /* of 400 with "resnetcc: error: " and the line's end */
  FILE_MAX_SHOWN = 160, NAME_MAX_SHOWN = 120, OP_MAX_SHOWN = 80,
};

/* ==== a line ==== */

static bool quiet;

void message_quiet(void) { quiet = true; }
bool message_is_quiet(void) { return quiet; }

static bool is_coloured(void) {
  const char *no = getenv("NO_COLOR");
  return !(no && *no) && isatty(STDERR_FILENO);
}

size_t message_line(MessageKind kind, const char *text, char *out, size_t size) {
  static const struct { const char *word, *colour; } kinds[] = {
    [MESSAGE_ERROR] = {"error", "31"}, [MESSAGE_WARNING] = {"warning", "35"}, [MESSAGE_NOTE] = {"note", "36"},
  };
  const char *word = kinds[kind].word;
  int n = is_coloured()
    ? snprintf(out, size, "\033[1mresnetcc: \033[%sm%s:\033[0m %s\n", kinds[kind].colour, word, text)
    : snprintf(out, size, "resnetcc: %s: %s\n", word, text);
  assert(n > 0 && (size_t)n < size);
  return (size_t)n;
}

void message_print(MessageKind kind, const char *text) {
  char line[MESSAGE_LINE];
  if (quiet && kind != MESSAGE_ERROR) return;
  size_t n = message_line(kind, text, line, sizeof line);
  fflush(stdout);
  fwrite(line, 1, n, stderr);
}

/* ==== what a compilation ends with ==== */

/* Adds s to the message in cx->error, escaped, at most `max` bytes of it. */
static void message_add(Context *cx, const char *s, size_t max) {
  char *out = cx->error + strlen(cx->error);
  size_t room = MESSAGE_MAX - (size_t)(out - cx->error);
  if (max < room) room = max;
  const unsigned char *p = (const unsigned char *)s;
  while (*p) {
    int n = printable_length((const char *)p);
    size_t need = n ? (size_t)n : 4;
    if (need + 3 > room) { /* 3: the dots */
      strcpy(out, "...");
      return;
    }
    if (n) move_bytes(out, p, need);
    else snprintf(out, 5, "\\x%02x", *p);
    out += need;
    room -= need;
    p += n ? n : 1;
  }
  *out = '\0';
}

/* The same; *part is where it lies. */
static void message_add_part(Context *cx, ErrorPart *part, const char *s, size_t max) {
  part->at = (int)strlen(cx->error);
  message_add(cx, s, max);
  part->n = (int)strlen(cx->error) - part->at;
}

static void message_begin(Context *cx) {
  cx->error[0] = '\0';
  cx->error_file = cx->error_node = cx->error_op = (ErrorPart){0};
  if (!cx->file) return;
  message_add_part(cx, &cx->error_file, cx->file, FILE_MAX_SHOWN);
  message_add(cx, ": ", MESSAGE_MAX);
}

static void message_add_reason(Context *cx, const char *fmt, va_list args) {
  char reason[2 * MESSAGE_MAX];
  vsnprintf(reason, sizeof reason, fmt, args);
  message_add_part(cx, &cx->error_reason, reason, MESSAGE_MAX);
}

void message_format(Context *cx, const char *fmt, va_list args) {
  message_begin(cx);
  message_add_reason(cx, fmt, args);
}

void message_warn(const char *file, const char *fmt, ...) {
  Context cx = {.file = file};
  va_list args;
  va_start(args, fmt);
  message_format(&cx, fmt, args);
  va_end(args);
  message_print(MESSAGE_WARNING, cx.error);
}

_Noreturn void fail(Context *cx, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  message_format(cx, fmt, args);
  longjmp(cx->unwind, 1);
}

_Noreturn void fail_node(Context *cx, const char *name, const char *op, const char *fmt, va_list args) {
  message_begin(cx);
  message_add(cx, "node \"", MESSAGE_MAX);
  message_add_part(cx, &cx->error_node, name, NAME_MAX_SHOWN);
  message_add(cx, "\" (", MESSAGE_MAX);
  message_add_part(cx, &cx->error_op, op, OP_MAX_SHOWN);
  message_add(cx, "): ", MESSAGE_MAX);
  message_add_reason(cx, fmt, args);
  longjmp(cx->unwind, 1);
}

_Noreturn void fail_as(Context *cx, const Context *other) {
  memcpy(cx->error, other->error, sizeof cx->error);
  cx->error_file = other->error_file;
  cx->error_node = other->error_node;
  cx->error_op = other->error_op;
  cx->error_reason = other->error_reason;
  longjmp(cx->unwind, 1);
}
