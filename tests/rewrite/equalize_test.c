/* equalize_test.c: uneven channels become even, and what the graph computes stays. */
#include "fixture.h"

#include <math.h>

/* Channels between the two convolutions are 1, 30, 900 and 0.03 times as large as their input. */
#define UNEVEN "input x f32 [1,4,5,5]\nconst w f32 [4,4,1,1] = {1,0,0,0, 0,30,0,0, 0,0,900,0, 0,0,0,0.03}\n" \
  "const b f32 [4] = {0, 3, -90, 0.01}\n"
#define EVEN "input x f32 [1,4,5,5]\nconst w f32 [4,4,1,1] = {1,0,0,0, 0,2,0,0, 0,0,3,0, 0,0,0,0.5}\nconst b f32 [4] = {0, 0, 0, 0}\n"
#define DENSE "const v f32 [3,4,3,3] = random 2 -1 1\nc = Conv(x, w, b)\nr = Relu(c)\ny = Conv(r, v)\noutput y\n"
#define DEPTHWISE "const v f32 [4,1,3,3] = random 2 -1 1\nc = Conv(x, w, b)\nr = Relu(c)\ny = Conv(r, v) group=4\noutput y\n"

/* Magnitudes of the channels of all values, of inputs up to 1. */
static const float **magnitudes(Graph *g) {
  const float **largest = alloc_n(g->cx, (size_t)g->n_value + 1, sizeof *largest);
  static const float uneven[] = {1, 33, 990, 0.04f}, even[] = {1, 2, 3, 0.5f};
  bool is_even = f32_data(g->node[0]->in[1])[5] == 2;
  largest[g->node[0]->out[0]->id] = largest[g->node[1]->out[0]->id] = is_even ? even : uneven;
  return largest;
}

static void check(const char *text, const char *kept, int pairs) {
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *before = shaped(cx, text), *g = shaped(cx, text);
  bool keep[4] = {0};
  for (int i = 0; i < g->n_node; i++) keep[i] = strcmp(g->node[i]->name, kept) == 0;
  assert_int_equal(equalize_channels(g, keep, magnitudes(g)), pairs);
  verify(g, "equalize");
  const void **in = reference_inputs(before, 5);
  void *want[2], *got[2];
  eval_graph(before, in, want);
  eval_graph(g, in, got);
  for (int64_t i = 0; i < shape_count(&before->output[0]->shape); i++) {
    double a = (double)((float *)want[0])[i], b = (double)((float *)got[0])[i];
    if (fabs(a - b) > 1e-3) fail_msg("element %lld is %g, not %g", (long long)i, b, a);
  }
  context_free(cx);
}

static void uneven_channels_change(void **state) {
  (void)state;
  check(UNEVEN DENSE, "", 1);
  check(UNEVEN DEPTHWISE, "", 1);
}

static void others_stay(void **state) {
  (void)state;
  check(EVEN DENSE, "", 0);
  check(UNEVEN DENSE, "c", 0);
  check(UNEVEN DENSE, "y", 0);
  check(UNEVEN "const v f32 [3,4,3,3] = random 2 -1 1\nc = Conv(x, w, b)\nr = Relu(c)\ny = Conv(r, v)\noutput y\noutput r\n", "", 0);
}

/* The second weights of a depthwise convolution have a scale each, so the channels between become all the same. */
static void channels_become_even(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = shaped(cx, UNEVEN DEPTHWISE);
  bool keep[4] = {0};
  equalize_channels(g, keep, magnitudes(g));
  const float *w = f32_data(g->node[0]->in[1]);
  assert_float_equal(w[0], 1, 1e-5);
  assert_float_equal(w[5], 30.0 / 33, 1e-5);
  assert_float_equal(w[10], 900.0 / 990, 1e-5);
  assert_float_equal(w[15], 0.03, 1e-5); /* less than a thousandth of the largest */
  context_free(cx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(uneven_channels_change),
    cmocka_unit_test(others_stay),
    cmocka_unit_test(channels_become_even),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
