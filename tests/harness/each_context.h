/* each_context.h: a context for each test of a file. A file whose tests need more of a setup calls context_setup in it. */
#ifndef EACH_CONTEXT_H
#define EACH_CONTEXT_H

#include "fixture.h"

static Context *cx;

static inline int context_setup(void **state) {
  (void)state;
  cx = context_new();
  return 0;
}

static inline int context_teardown(void **state) {
  (void)state;
  context_free(cx);
  return 0;
}
#endif
