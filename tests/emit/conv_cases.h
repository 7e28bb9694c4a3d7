/* conv_cases.h: tables of convolutions to be checked against the evaluator. */
#ifndef CONV_CASES_H
#define CONV_CASES_H

#include "harness.h"

#include <stdio.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

typedef struct Case {
  int n, c, h, w, oc, kh, kw, group;
  int sh, sw, dh, dw, top, left, bottom, right;
} Case;

typedef void Check(const char *graph, double tolerance);

/* The graph is y = Conv(x, w, b), then `rest`. */
static inline void check_conv(Check *check, const Case *k, const char *rest, double tolerance) {
  char text[4096];
  snprintf(text, sizeof text,
           "graph conv\ninput x f32 [%d,%d,%d,%d]\nconst w f32 [%d,%d,%d,%d] = random 3 -0.5 0.5\n"
           "const b f32 [%d] = random 4 -1 1\n"
           "y = Conv(x, w, b) pads=[%d,%d,%d,%d] strides=[%d,%d] dilations=[%d,%d] group=%d\n%s",
           k->n, k->c, k->h, k->w, k->oc, k->c / k->group, k->kh, k->kw, k->oc, k->top, k->left, k->bottom,
           k->right, k->sh, k->sw, k->dh, k->dw, k->group, rest);
  check(text, tolerance);
}

static inline void check_convs(Check *check, const Case *k, size_t count, const char *rest,
                               double tolerance) {
  for (size_t i = 0; i < count; i++) check_conv(check, &k[i], rest, tolerance);
}

#endif
