/* fixture.h: what the tests of passes share: a context, a graph from text, its print. */
#ifndef FIXTURE_H
#define FIXTURE_H

#include "tools.h"

#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

static inline Context *context_new(void) {
  Context *cx = test_calloc(1, sizeof *cx);
  cx->file = "test";
  cx->max_memory = 1 << 30;
  cx->arena = arena_new(cx->max_memory);
  return cx;
}

static inline void context_free(Context *cx) {
  arena_free(cx->arena);
  test_free(cx);
}

/* Statements that must not fail run behind it. */
#define EXPECT_NO_FAIL(cx) \
  do { \
    if (setjmp((cx)->unwind)) fail_msg("unexpected: %s", (cx)->error); \
  } while (0)

/* `statement` must end the compilation with the message `text`. */
#define EXPECT_FAIL(cx, statement, text) \
  do { \
    if (setjmp((cx)->unwind) == 0) { \
      statement; \
      fail_msg("no error, but expected: %s", text); \
    } \
    assert_string_equal((cx)->error, text); \
  } while (0)

/* The printed graph, in the context's memory. */
static inline char *graph_text(Graph *g) {
  Buffer b = {0};
  text_print(g, &b);
  char *copy = copy_bytes_as_text(g->cx, b.data, b.size);
  buffer_free(&b);
  return copy;
}

/* x -> a -> b -> c, and the output c */
static inline Graph *chain(Context *cx) {
  return text_parse(cx, NULL, "input x f32 [4]\na = Relu(x)\nb = Tanh(a)\nc = Sigmoid(b)\noutput c\n");
}

/* NULL: there is none. */
static inline Value *find_value(const Graph *g, const char *name) {
  for (int i = 0; i < g->n_value; i++)
    if (strcmp(g->value[i]->name, name) == 0) return g->value[i];
  return NULL;
}

static inline Value *value_named(const Graph *g, const char *name) {
  Value *v = find_value(g, name);
  if (!v) fail_msg("no value %s", name);
  return v;
}

#endif
