/* Softmax, means and argmax over every position of the axis. */
#include "harness.h"
#include "emit.h"

#include <setjmp.h>
#include <cmocka.h>

static const char *const shapes[] = {"[1000]", "[3,7]", "[5,8,3]", "[2,3,4,5]", "[2,40,37]", "[1,1,1]",
                                     "[2,16,9,16]"};
static const int ranks[] = {1, 2, 3, 4, 3, 3, 4};

static void check_each_axis(const char *op, const char *attributes, double tolerance, double range) {
  for (size_t i = 0; i < COUNT(shapes); i++) {
    for (int axis = -ranks[i]; axis < ranks[i]; axis++) {
      char text[256];
      snprintf(text, sizeof text, "graph t\ninput x f32 %s\ny = %s(x) axis=%d %s\noutput y\n", shapes[i], op,
               axis, attributes);
      check_kernel_in(text, tolerance, -range, range);
    }
  }
}

static void softmax(void **state) {
  (void)state;
  check_each_axis("Softmax", "", 1e-6, 5);
}

static void log_softmax(void **state) {
  (void)state;
  check_each_axis("LogSoftmax", "", 1e-6, 5);
}

static void softmax_does_not_overflow(void **state) {
  (void)state;
  check_kernel_in("graph t\ninput x f32 [4,50]\ny = Softmax(x) axis=1\nz = LogSoftmax(x) axis=0\n"
                  "output y\noutput z\n", 1e-5, -3e4, 3e4);
}

static void argmax(void **state) {
  (void)state;
  check_each_axis("ArgMax", "", 0, 5);
  check_each_axis("ArgMax", "keepdims=0", 0, 5);
}

static void argmax_of_equal_elements_and_other_types(void **state) {
  (void)state;
  static const char *const types[] = {"u8", "i8", "i32", "i64", "f64", "u64"};
  for (size_t i = 0; i < COUNT(types); i++) {
    for (int last = 0; last < 2; last++) {
      char text[256];
      snprintf(text, sizeof text, "graph t\ninput x %s [6,11,9]\ny = ArgMax(x) axis=1 select_last_index=%d\n"
               "z = ArgMax(x) axis=2 select_last_index=%d\noutput y\noutput z\n", types[i], last, last);
      check_kernel_in(text, 0, 0, 4);
    }
  }
  check_kernel_in("graph t\ninput b u8 [40,23]\nx = Cast(b) to=1\ny = ArgMax(x) axis=0 select_last_index=1\n"
                  "z = ArgMax(x) axis=1 select_last_index=1\noutput y\noutput z\n", 0, 0, 4);
}

/* Of numbers of one sign, where fp32 sums lose what the last ones bring; along vectors, across them, in several axes, and
 * with what is no whole vector or chunk. */
static void sums_of_many(void **state) {
  (void)state;
  static const char *const graphs[] = {
    "input x f32 [200003]\nconst a i64 [1] = {0}\ny = ReduceMean(x, a)\nz = Softmax(x)\nl = LogSoftmax(x)\n",
    "input x f32 [100000,3]\nconst a i64 [1] = {0}\ny = ReduceMean(x, a)\nz = Softmax(x) axis=0\nl = LogSoftmax(x) axis=0\n",
    "input x f32 [50000,2,3]\nconst a i64 [2] = {0,2}\ny = ReduceMean(x, a)\nz = Relu(x)\nl = Relu(x)\n",
    "input x f32 [3000,2,100,2]\nconst a i64 [2] = {0,2}\ny = ReduceMean(x, a)\nz = Relu(x)\nl = Relu(x)\n"};
  for (size_t i = 0; i < COUNT(graphs); i++) {
    char text[512];
    snprintf(text, sizeof text, "graph t\n%soutput y\noutput z\noutput l\n", graphs[i]);
    check_kernel_in(text, 5e-7, 0.99, 1.01);
  }
}

static void means_over_any_axes(void **state) {
  (void)state;
  static const char *const axes[] = {"0", "1", "2", "3", "0,1", "0,2", "1,3", "-1,-2", "0,1,2", "1,2,3",
                                     "0,2,3", "0,1,2,3"};
  static const int counts[] = {1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 4};
  for (size_t i = 0; i < COUNT(axes); i++) {
    char text[256];
    snprintf(text, sizeof text, "graph t\ninput x f32 [3,5,7,18]\nconst a i64 [%d] = {%s}\n"
             "y = ReduceMean(x, a) keepdims=%d\noutput y\n", counts[i], axes[i], (int)i % 2);
    check_kernel_in(text, 1e-6, 0, 4);
  }
}

static void means_of_doubles_and_of_everything(void **state) {
  (void)state;
  check_kernel("graph t\ninput x f64 [3,50,7]\nconst a i64 [2] = {0, 2}\n"
               "y = ReduceMean(x, a)\nz = ReduceMean(x)\noutput y\noutput z\n", 1e-14);
  check_kernel_in("graph t\ninput x f32 [3,50,7]\n"
                  "y = ReduceMean(x)\nz = ReduceMean(x) noop_with_empty_axes=1\noutput y\noutput z\n",
                  1e-6, 0, 4);
}

/* Rows of -inf alone and rows with an infinity or a NaN are NaN under softmax; a NaN is the largest element. */
static void special_values(void **state) {
  (void)state;
  static const char *const calls[] = {
    "Softmax(x) axis=1", "Softmax(x) axis=2", "LogSoftmax(x) axis=1", "LogSoftmax(x) axis=2", "ArgMax(x) axis=1",
    "ArgMax(x) axis=2", "ArgMax(x) axis=2 select_last_index=1", "ArgMax(x) axis=1 select_last_index=1", "ReduceMean(x, a)",
  };
  for (size_t i = 0; i < COUNT(calls); i++) {
    char text[512];
    snprintf(text, sizeof text, "graph t\ninput x f32 [5,7,19]\nconst a i64 [1] = {2}\n"
             "y = %s\noutput y\n", calls[i]);
    check_special(text, 1e-6, false);
  }
}

static void rows_of_infinities(void **state) {
  (void)state;
  static const char *const rows[] = {"-inf", "inf", "nan"};
  for (size_t i = 0; i < COUNT(rows); i++) {
    char text[512];
    snprintf(text, sizeof text, "graph t\ninput x f32 [3,21]\nconst k f32 [] = {%s}\ns = Add(x, k)\ny = Softmax(s)\n"
             "l = LogSoftmax(s)\nz = Softmax(s) axis=0\nm = ArgMax(s) axis=1\n"
             "output y\noutput l\noutput z\noutput m\n", rows[i]);
    check_kernel(text, 1e-6);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(softmax),
    cmocka_unit_test(log_softmax),
    cmocka_unit_test(softmax_does_not_overflow),
    cmocka_unit_test(argmax),
    cmocka_unit_test(argmax_of_equal_elements_and_other_types),
    cmocka_unit_test(sums_of_many), cmocka_unit_test(means_over_any_axes),
    cmocka_unit_test(means_of_doubles_and_of_everything),
    cmocka_unit_test(special_values),
    cmocka_unit_test(rows_of_infinities),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
