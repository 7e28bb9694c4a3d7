/* infer_fixture.h: shapes, windows and values that inference finds, and the models it refuses, for the tests of
 * each family of operators. Each row is a graph whose last value is y. */
#ifndef INFER_FIXTURE_H
#define INFER_FIXTURE_H

#include "fixture.h"

static inline Graph *parse(Context *cx, const char *body) {
  return text_parse(cx, NULL, format_text(cx, "%s\noutput y\n", body));
}

static inline Graph *infer(Context *cx, const char *body) {
  Graph *g = parse(cx, body);
  pass_shape(g);
  return g;
}

typedef struct Row {
  const char *body, *want;
} Row;

/* Type and shape of y. */
static inline void expect_shape(const Row *row) {
  Context *cx = context_new();
  if (setjmp(cx->unwind)) fail_msg("%s\n%s", row->body, cx->error);
  const Value *y = infer(cx, row->body)->output[0];
  const char *got = format_text(cx, "%s %s", type_name(y->type), shape_text(cx, &y->shape));
  if (strcmp(got, row->want) != 0) fail_msg("%s\nis %s, not %s", row->body, got, row->want);
  context_free(cx);
}

/* What is said of the node y, from its operator on. */
static inline void expect_error(const Row *row) {
  Context *cx = context_new();
  if (setjmp(cx->unwind)) fail_msg("%s\n%s", row->body, cx->error);
  Graph *g = parse(cx, row->body);
  char *want = format_text(cx, "test: node \"y\" (%s", row->want);
  EXPECT_FAIL(cx, pass_shape(g), want);
  context_free(cx);
}

static inline void for_each(const Row *row, size_t n, void (*expect)(const Row *)) {
  for (size_t i = 0; i < n; i++) expect(&row[i]);
}

#define EXPECT_SHAPES(rows) for_each(rows, COUNT(rows), expect_shape)
#define EXPECT_ERRORS(rows) for_each(rows, COUNT(rows), expect_error)

#endif
