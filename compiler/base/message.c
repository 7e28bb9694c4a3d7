/* message.c: one line that says why a compilation ends. */
#include "base.h"

#include <string.h>

enum {
  MESSAGE_MAX = 380, /* of 400 with "resnetcc: error: " and the line's end */
  FILE_MAX_SHOWN = 160, NAME_MAX_SHOWN = 120, OP_MAX_SHOWN = 80,
};

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

static _Noreturn void message_end(Context *cx, const char *fmt, va_list args) {
  char reason[2 * MESSAGE_MAX];
  vsnprintf(reason, sizeof reason, fmt, args);
  message_add_part(cx, &cx->error_reason, reason, MESSAGE_MAX);
  longjmp(cx->unwind, 1);
}

_Noreturn void fail(Context *cx, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  message_begin(cx);
  message_end(cx, fmt, args);
}

_Noreturn void fail_node(Context *cx, const char *name, const char *op, const char *fmt, va_list args) {
  message_begin(cx);
  message_add(cx, "node \"", MESSAGE_MAX);
  message_add_part(cx, &cx->error_node, name, NAME_MAX_SHOWN);
  message_add(cx, "\" (", MESSAGE_MAX);
  message_add_part(cx, &cx->error_op, op, OP_MAX_SHOWN);
  message_add(cx, "): ", MESSAGE_MAX);
  message_end(cx, fmt, args);
}

_Noreturn void fail_as(Context *cx, const Context *other) {
  memcpy(cx->error, other->error, sizeof cx->error);
  cx->error_file = other->error_file;
  cx->error_node = other->error_node;
  cx->error_op = other->error_op;
  cx->error_reason = other->error_reason;
  longjmp(cx->unwind, 1);
}
