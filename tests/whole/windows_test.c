/* Windows with extreme numbers, through every operator that has a window: few results, most of which lie in the padding.
 * Against the evaluator, behind pages that must not be touched. */
#include "harness.h"

#define TOLERANCE 2e-6

enum { MOST = INT32_MAX };

/* Along one axis; the other has the sizes of `plain`. */
typedef struct Axis {
  int64_t size, kernel, stride, dilation, before, after;
} Axis;

static const Axis plain = {5, 3, 1, 1, 1, 1};

static const Axis extreme[] = {
  {1, 1, MOST, 1, MOST, MOST},          {4, 1, MOST, 1, MOST, MOST},
  {4, 3, MOST, MOST, MOST, MOST},       {17, 3, MOST, 1, 0, MOST},
  {17, 3, MOST, 1, MOST, 0},            {17, 2, 1, 1 << 30, 1 << 30, 0},
  {17, 2, 1, 1 << 30, 0, 1 << 30},      {9, 3, 1, 1 << 30, 1 << 30, 1 << 30},
  {9, 3, 4, MOST, MOST, MOST},          {16, 1, 65535, 1, 65535, 65535},
  {15, 2, 1000, 1000, 1000, 2000},      {1, 3, 100000, 1, 100000, 0},
  {8, 2, MOST, 7, 5, 5},                {3, 2, 1, 2, 0, 0},
  {100, 7, MOST, 3, 2, 3},              {5, 3, 1, 1, 200, 300},
  {5, 1000, 1, 1, 999, 0},              {5, 1000, 7, 1, 0, 1999},
  {1, 1001, 1, 1, 500, 500},            {2, 65, MOST, 17, 1088, 1088},
};

/* `weights` says whether they are const, `rest` is what follows. */
static void check_axes(const Axis *h, const Axis *w, int channels, int outputs, int group, const char *weights,
                       const char *rest) {
  char text[1024];
  snprintf(text, sizeof text,
           "graph conv\ninput x f32 [1,%d,%lld,%lld]\n%s w f32 [%d,%d,%lld,%lld]%s\nconst b f32 [%d] = random 4 -1 1\n"
           "y = Conv(x, w, b) pads=[%lld,%lld,%lld,%lld] strides=[%lld,%lld] dilations=[%lld,%lld] group=%d\n%s", channels,
           (long long)h->size, (long long)w->size, weights, outputs, channels / group, (long long)h->kernel,
           (long long)w->kernel, *weights == 'c' ? " = random 3 -0.5 0.5" : "", outputs, (long long)h->before,
           (long long)w->before, (long long)h->after, (long long)w->after, (long long)h->stride, (long long)w->stride,
           (long long)h->dilation, (long long)w->dilation, group, rest);
  check_kernel(text, TOLERANCE);
}

/* Every `step`-th of them, along rows and columns in turn. */
static void both_axes(size_t step, int channels, int outputs, int group, const char *weights, const char *rest) {
  for (size_t i = step / 2; i < COUNT(extreme); i += step) {
    bool rows = i / step % 2;
    check_axes(rows ? &extreme[i] : &plain, rows ? &plain : &extreme[i], channels, outputs, group, weights, rest);
    if (i % 4 == 0) check_axes(&extreme[i], &extreme[COUNT(extreme) - 1 - i], channels, outputs, group, weights, rest);
  }
}

static void dense(void **state) {
  (void)state;
  both_axes(1, 5, 3, 1, "const", "output y\n");
}

static void with_an_epilogue(void **state) {
  (void)state;
  both_axes(3, 3, 4, 1, "const", "const c f32 [4,1,1] = random 1 -1 1\nz = Add(y, c)\nt = Relu(z)\noutput t\n");
}

static void of_groups(void **state) {
  (void)state;
  both_axes(4, 8, 8, 4, "const", "output y\n");
  both_axes(4, 3, 3, 3, "const", "z = Relu(y)\noutput z\n");
}

static void with_weights_at_run_time(void **state) {
  (void)state;
  both_axes(3, 2, 3, 1, "input", "z = Relu(y)\noutput z\n");
}

/* Signals, and padding that auto_pad asks for. */
static void of_one_dimension(void **state) {
  (void)state;
  char text[512];
  for (size_t i = 0; i < COUNT(extreme); i++) {
    const Axis *a = &extreme[i];
    snprintf(text, sizeof text,
             "graph line\ninput x f32 [2,3,%lld]\nconst w f32 [4,3,%lld] = random 3 -0.5 0.5\n"
             "y = Conv(x, w) pads=[%lld,%lld] strides=[%lld] dilations=[%lld]\nz = Relu(y)\n"
             "t = Conv(x, w) auto_pad=\"SAME_UPPER\" strides=[%lld] dilations=[%lld]\noutput z\noutput t\n",
             (long long)a->size, (long long)a->kernel, (long long)a->before, (long long)a->after, (long long)a->stride,
             (long long)a->dilation, (long long)a->stride, (long long)a->dilation);
    check_kernel(text, TOLERANCE);
  }
}

/* ==== pools ==== */

/* Padding of a pool is less than its window, and no dilated window misses the map. */
static const Axis pooled[] = {
  {4, MOST, 1, 1, MOST - 1, 0},         {4, MOST, MOST, 1, MOST - 1, MOST - 1},
  {17, 3, MOST, 1, 2, 2},               {17, 3, MOST, 17, 34, 34},
  {1, 100000, 100000, 1, 99999, 99999}, {9, 65535, 7, 1, 65530, 20},
  {5, MOST, 1000000, 1, MOST - 1, 5},   {33, 2, 5, 31, 31, 31},
  {3, 1000000, 3, 3, 2999997, 60},      {16, 1, MOST, MOST, 0, 0},
  {2, 70, 1, 1, 69, 69},                {40, 17, MOST, 2, 0, 32},
};

static const Axis small = {5, 2, 1, 1, 1, 0};

/* `op` with its further attributes, of a value that lies in blocks as well as of the input itself. */
static void check_pool(const Axis *h, const Axis *w, const char *op) {
  char text[1024], window[400];
  snprintf(window, sizeof window, "kernel_shape=[%lld,%lld] pads=[%lld,%lld,%lld,%lld] strides=[%lld,%lld] dilations=[%lld,%lld]",
           (long long)h->kernel, (long long)w->kernel, (long long)h->before, (long long)w->before, (long long)h->after,
           (long long)w->after, (long long)h->stride, (long long)w->stride, (long long)h->dilation, (long long)w->dilation);
  snprintf(text, sizeof text,
           "graph pool\ninput x f32 [1,5,%lld,%lld]\nconst w f32 [5,5,1,1] = random 3 -0.5 0.5\nc = Conv(x, w)\n"
           "y = %s %s\nz = Relu(y)\noutput z\n", (long long)h->size, (long long)w->size, op, window);
  check_kernel(text, TOLERANCE);
  snprintf(text, sizeof text, "graph pool\ninput c f32 [1,3,%lld,%lld]\ny = %s %s\nz = Relu(y)\noutput z\n",
           (long long)h->size, (long long)w->size, op, window);
  check_kernel(text, TOLERANCE);
}

/* Rows with one operator, columns with the other. */
static void both_axes_of_pool(const char *op, const char *other) {
  for (size_t i = 0; i < COUNT(pooled); i++) {
    check_pool(&pooled[i], &small, op);
    check_pool(&small, &pooled[i], other);
  }
}

static void of_maxima(void **state) {
  (void)state;
  both_axes_of_pool("MaxPool(c)", "MaxPool(c) ceil_mode=1");
}

static void of_means(void **state) {
  (void)state;
  both_axes_of_pool("AveragePool(c)", "AveragePool(c) count_include_pad=1 ceil_mode=1");
}

static void of_three_dimensions(void **state) {
  (void)state;
  static const char *const ops[] = {"MaxPool(x)", "AveragePool(x) ceil_mode=1", "AveragePool(x) count_include_pad=1"};
  char text[1024];
  for (size_t i = 0; i < COUNT(pooled) * COUNT(ops); i += 2) {
    const Axis *a = &pooled[i % COUNT(pooled)];
    snprintf(text, sizeof text,
             "graph pool\ninput x f64 [1,2,%lld,3,2]\ny = %s kernel_shape=[%lld,2,1] strides=[%lld,1,2147483647] "
             "dilations=[%lld,1,1] pads=[%lld,1,0,%lld,0,0]\noutput y\n", (long long)a->size, ops[i / COUNT(pooled)],
             (long long)a->kernel, (long long)a->stride, (long long)a->dilation, (long long)a->before, (long long)a->after);
    check_kernel(text, TOLERANCE);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(dense),
    cmocka_unit_test(with_an_epilogue),
    cmocka_unit_test(of_groups),
    cmocka_unit_test(with_weights_at_run_time),
    cmocka_unit_test(of_one_dimension),
    cmocka_unit_test(of_maxima),
    cmocka_unit_test(of_means),
    cmocka_unit_test(of_three_dimensions),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
