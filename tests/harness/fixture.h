/* fixture.h: what tests share: a context, a graph from text, its print; operators' cases from files. */
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

/* In [lo, hi]. */
static inline int pick(uint64_t *state, int lo, int hi) {
  return lo + (int)(random_bits(state) % (uint64_t)(hi - lo + 1));
}

/* ==== pass.c ==== */

extern const Options lax_options, strict_options;
/* Of text, with shapes. */
Graph *shaped(Context *cx, const char *text);
/* For inputs of f32, between -1 and 1. */
const void **random_inputs(Graph *g);
/* The outputs, as the evaluator has them, in the graph's memory. */
void **evaluated(Graph *g, const void *const *in);
/* Runs the pass on the graph and asserts that the interface and the results on random inputs stay. */
Graph *run_pass(Context *cx, const Options *opt, const char *text, void (*pass)(Graph *g));
int count_op(const Graph *g, Op op);
/* The operators in order, with steps behind a bar: "Conv|Add|Relu MaxPool". */
const char *ops_text(Graph *g);
/* A pass on a graph must leave these operators. */
void expect_ops(const Options *opt, void (*pass)(Graph *g), const char *text, const char *ops);

/* ==== cases.c: operators' cases, files in tests/cases that the evaluator and the kernels are both tested with ====
 *   # what the file is about
 *   within 1e-6                  lines before the first case are part of all; # begins a comment
 *
 *   == a name                    begins a case: a graph as text_parse reads it, but for what follows
 *   for T; Z: f32; 0.5 | u8; 0   the case once for each alternative, with its words for $T and $Z; with several lists, for
 *     | i8; 3                    each combination
 *   input x $T [3] = {1, 2, nan} with elements: those of all inputs, or of none, which are random then
 *   y = Add(x, x)
 *   output y = {2, 4, nan}       with elements, from ONNX's text or worked out by hand
 *   within 1e-6                  kernels and evaluator may differ by so much of the largest element; else by nothing
 *   range -6 6                   of random inputs; else as harness.h says
 *   run kernel strict            which of the checks of harness.h are made; else check_kernel. none: there is no such kernel */

enum { MAX_GIVEN = 32, MAX_RUNS = 4 };

typedef struct Wanted {
  double *v;
  int n;
} Wanted;

typedef struct OpCase {
  Context *cx;
  const char *path, *text;
  int n_input, n_output, n_given, n_wanted; /* n_given: n_input or 0; n_wanted: n_output or 0 */
  const void *given[MAX_GIVEN];
  Wanted wanted[MAX_GIVEN];
  double tolerance, lo, hi;
  const char *run[MAX_RUNS];
  int n_run;
} OpCase;

/* Returns how many there are. */
int for_each_case(const char *path, void (*check)(OpCase *c));
/* The files in the folder `cases`, in alphabetical order; returns how many. */
int case_files(char path[][64], int max);

#endif
