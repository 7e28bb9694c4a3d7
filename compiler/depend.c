/* depend.c: -MD and -MF: what the outputs were made from, as the rule of a Makefile. */
#include "resnetcc.h"

#include <string.h>

/* As make and ninja read it. No way is known to write a line's end. */
static void add_path(Context *cx, Buffer *out, const char *path) {
  for (const char *p = path; *p; p++) {
    if (*p == '\n') fail(cx, "-MD: the name of a file with a line break does not fit into a Makefile");
    if (*p == ' ' || *p == '#') {
      /* Backslashes before it stand for themselves only if they are doubled. */
      for (const char *q = p; q > path && q[-1] == '\\'; q--) buffer_printf(out, "\\");
      buffer_printf(out, "\\");
    }
    if (*p == '$') buffer_printf(out, "$");
    buffer_add(out, p, 1);
  }
}

void depend_print(Context *cx, const char *const *target, int n_target, const char *const *source, int n_source, Buffer *out) {
  for (int i = 0; i < n_target; i++) {
    if (i) buffer_printf(out, " ");
    add_path(cx, out, target[i]);
  }
  buffer_printf(out, ":");
  for (int i = 0; i < n_source; i++) {
    buffer_printf(out, " \\\n  ");
    add_path(cx, out, source[i]);
  }
  buffer_printf(out, "\n");
}
