/* depend.c: -MD and -MF: what the outputs were made from, as the rule of a Makefile. */
#include "tools.h"

#include <string.h>

/* No way is known to write a line's end in a name. */
static void check_paths(Context *cx, const char *const *path, int n) {
  for (int i = 0; i < n; i++) {
    if (strchr(path[i], '\n')) fail(cx, "-MD: the name of a file with a line break does not fit into a Makefile");
  }
}

/* As make and ninja read it. */
static void add_path(Buffer *out, const char *path) {
  for (const char *p = path; *p; p++) {
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
  check_paths(cx, target, n_target);
  check_paths(cx, source, n_source);
  for (int i = 0; i < n_target; i++) {
    if (i) buffer_printf(out, " ");
    add_path(out, target[i]);
  }
  buffer_printf(out, ":");
  for (int i = 0; i < n_source; i++) {
    buffer_printf(out, i ? " \\\n  " : " ");
    add_path(out, source[i]);
  }
  buffer_printf(out, "\n");
}
