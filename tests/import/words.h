/* words.h: models whose interface --input and --output change, for their tests. */
#ifndef WORDS_H
#define WORDS_H

#include "onnx_writer.h"
#include "loaded.h"

#include <math.h>

enum { MOST_RESULTS = 64 };

/* The model of these lines under the options, which lie in cx. */
static inline Graph *worded(Context *cx, const char *lines, int n, const WordsOption *words) {
  Options *opt = alloc(cx, sizeof *opt);
  *opt = (Options){.input = "test", .name = "test", .max_memory = cx->max_memory, .verify = true, .n_words = n};
  opt->words = alloc_n(cx, (size_t)n + 1, sizeof *words);
  move_bytes(opt->words, words, (size_t)n * sizeof *words);
  Graph *g = import_text(cx, opt, 18, lines);
  g->name = "test";
  return g;
}

static inline void check_words_refused(const char *lines, const char *option, const char *text, const char *reason) {
  Context *cx = context_new();
  EXPECT_FAIL(cx, worded(cx, lines, 1, &(WordsOption){option, text}), format_text(cx, "test: %s=%s: %s", option, text, reason));
  context_free(cx);
}

static inline void expect_numbers(const char *what, const float *got, const float *want, int n) {
  for (int i = 0; i < n; i++) {
    bool same = isnan(want[i]) ? isnan(got[i]) : got[i] == want[i] || fabsf(got[i] - want[i]) <= 2e-6f * fmaxf(1, fabsf(want[i]));
    if (!same) fail_msg("%s: number %d is %.9g, not %.9g", what, i, (double)got[i], (double)want[i]);
  }
}

#endif
