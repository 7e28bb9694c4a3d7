/* trim_test.c: windows of all small sizes keep their results; what lies in the padding alone is gone; others stay as they are. */
#include "lower.h"
#include "fixture.h"

typedef struct Axis {
  int size, kernel, stride, dilation, before, after;
} Axis;

static int outputs(const Axis *a) {
  int room = a->size + a->before + a->after - (a->kernel - 1) * a->dilation - 1;
  return room < 0 ? 0 : room / a->stride + 1;
}

/* The window is along the rows for odd `number`s, else along the columns. */
static const char *text_of(Context *cx, const char *op, const char *more, const Axis *a, int number) {
  int x[] = {a->size, 2}, k[] = {a->kernel, 1}, s[] = {a->stride, 1}, d[] = {a->dilation, 1}, pad[] = {a->before, 0, a->after, 0};
  int r = number % 2 == 0, c = 1 - r;
  const char *window = format_text(cx, "kernel_shape=[%d,%d] strides=[%d,%d] dilations=[%d,%d] pads=[%d,%d,%d,%d] %s", k[r], k[c],
                                   s[r], s[c], d[r], d[c], pad[r], pad[c], pad[2 + r], pad[2 + c], more);
  return format_text(cx, "graph g\ninput x f32 [1,2,%d,%d]\nconst w f32 [1,2,%d,%d] = random 1 -0.5 0.5\n"
                     "y = %s %s\noutput y\n", x[r], x[c], k[r], k[c], op, window);
}

/* Does tap t of the window meet the image for any result? */
static bool is_met(const Window *k, int64_t size, int64_t out, int64_t t) {
  for (int64_t o = 0; o < out; o++) {
    int64_t at = o * k->sw - k->left + t * k->dw;
    if (at >= 0 && at < size) return true;
  }
  return false;
}

static void check(const char *op, const char *more, const Axis *a, int number) {
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = run_pass(cx, &lax_options, text_of(cx, op, more, a, number), pass_trim);
  const Window *k = &g->node[0]->win;
  int64_t size = g->node[0]->in[0]->shape.d[3], out = g->node[0]->out[0]->shape.d[3];
  if (number % 2 == 0 && a->stride == 1) {
    bool needed = size + k->left - (k->kw - 2) * k->dw - 1 >= out * k->sw; /* else there would be one more result */
    bool first = is_met(k, size, out, 0) || k->left < k->dw, last = is_met(k, size, out, k->kw - 1) || needed;
    bool least = k->kw == 1 || (first && last);
    if (!least) fail_msg("%s kernel %d dilation %d pads %d %d", op, a->kernel, a->dilation, a->before, a->after);
  }
  context_free(cx);
}

typedef void Each(const Axis *a, int number);

static void each_window(Each *each) {
  static const int strides[] = {1, 2, 3, 9}, dilations[] = {1, 2, 5}, pads[] = {0, 1, 2, 4, 11};
  int number = 0;
  for (int size = 1; size <= 4; size++)
    for (int kernel = 1; kernel <= 5; kernel++)
      for (size_t s = 0; s < COUNT(strides); s++)
        for (size_t d = 0; d < COUNT(dilations); d++)
          for (size_t p = 0; p < COUNT(pads) * COUNT(pads); p++) {
            Axis a = {size, kernel, strides[s], dilations[d], pads[p % COUNT(pads)], pads[p / COUNT(pads)]};
            if (outputs(&a) > 0) each(&a, number++);
          }
}

static void check_conv(const Axis *a, int number) { check("Conv(x, w)", "", a, number); }

static void convolutions(void **state) {
  (void)state;
  each_window(check_conv);
}

/* What shape inference allows of pools. */
static void check_pool(const Axis *a, int number) {
  int extent = (a->kernel - 1) * a->dilation + 1;
  if (a->before >= extent || a->after >= extent || (a->kernel > 1 && a->size < a->dilation)) return;
  check("MaxPool(x)", "", a, number);
  check("AveragePool(x)", "ceil_mode=1", a, number + 1);
  check("AveragePool(x)", "count_include_pad=1", a, 1);
}

static void pools(void **state) {
  (void)state;
  each_window(check_pool);
}

static void expect(const char *body, const char *attributes) {
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  const char *text = graph_text(run_pass(cx, &lax_options, format_text(cx, "graph g\n%s\noutput y\n", body), pass_trim));
  if (!strstr(text, attributes)) fail_msg("%s\nbecomes\n%s", body, text);
  context_free(cx);
}

static void huge_windows_become_small(void **state) {
  (void)state;
  expect("input x f32 [1,2,1,1]\nconst w f32 [3,2,31,31] = random 1 -1 1\ny = Conv(x, w) pads=[15,15,15,15]",
         "kernel_shape=[1,1] strides=[1,1] dilations=[1,1] pads=[0,0,0,0]");
  expect("input x f32 [1,2,1,8]\nconst w f32 [3,2,1,100] = random 1 -1 1\ny = Conv(x, w) pads=[0,99,0,0]",
         "kernel_shape=[1,8] strides=[1,1] dilations=[1,1] pads=[0,7,0,0]");
  expect("input x f32 [1,2,4,8]\ny = MaxPool(x) kernel_shape=[2147483647,1] pads=[2147483646,0,0,0] strides=[2147483647,1]",
         "kernel_shape=[1,1] strides=[4,1] dilations=[1,1] pads=[0,0,0,0]");
  expect("input x f32 [1,1,1,4]\nconst w f32 [1,1,1,1] = splat 1\ny = Conv(x, w) strides=[1,2147483647]",
         "strides=[1,4] dilations=[1,1] pads=[0,0,0,0]");
}

static void ordinary_windows_stay(void **state) {
  (void)state;
  expect("input x f32 [1,3,8,8]\nconst w f32 [3,3,3,3] = splat 1\ny = Conv(x, w) pads=[1,1,1,1] strides=[2,2]",
         "Conv(x, w) pads=[1,1,1,1] strides=[2,2]");
  expect("input x f32 [1,3,7,7]\ny = AveragePool(x) kernel_shape=[7,7] strides=[7,7]",
         "AveragePool(x) kernel_shape=[7,7] strides=[7,7]");
  expect("input x f32 [1,3,4,4]\ny = MaxPool(x) kernel_shape=[3,3] strides=[2,2] pads=[1,1,1,1] ceil_mode=1",
         "MaxPool(x) kernel_shape=[3,3] strides=[2,2] pads=[1,1,1,1] ceil_mode=1");
  expect("input x f32 [1,3,1,1]\ninput w f32 [3,3,3,3]\ny = Conv(x, w) pads=[1,1,1,1]", "Conv(x, w) pads=[1,1,1,1]");
  expect("input x f32 [1,3,1,1]\ny = AveragePool(x) kernel_shape=[3,3] pads=[1,1,1,1] count_include_pad=1",
         "AveragePool(x) kernel_shape=[3,3] pads=[1,1,1,1] count_include_pad=1");
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(convolutions),
    cmocka_unit_test(pools),
    cmocka_unit_test(huge_windows_become_small),
    cmocka_unit_test(ordinary_windows_stay),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
