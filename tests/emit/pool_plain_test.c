/* Pools on dense tensors against the evaluator: one to three axes, every type, indices of maxima. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "harness.h"

#define TOLERANCE 2e-6

static void check(const char *type, const char *dims, const char *call) {
  char text[1024];
  snprintf(text, sizeof text, "graph pool\ninput x %s [%s]\n%s", type, dims, call);
  check_kernel(text, TOLERANCE);
}

static void one_axis(void **state) {
  (void)state;
  check("f32", "2,3,17", "y = MaxPool(x) kernel_shape=[3] strides=[2] pads=[1,1]\noutput y\n");
  check("f64", "1,5,11", "y = AveragePool(x) kernel_shape=[4] strides=[3] pads=[1,2] ceil_mode=1\n"
        "output y\n");
}

static void two_axes(void **state) {
  (void)state;
  check("u8", "1,3,9,10", "y = MaxPool(x) kernel_shape=[3,2] strides=[2,1] pads=[1,0,1,1]\noutput y\n");
  check("f32", "2,3,9,10", "y = AveragePool(x) kernel_shape=[3,2] strides=[1,2] pads=[2,1,0,1]"
        " count_include_pad=1\noutput y\n");
  check("f32", "1,2,8,8", "y = MaxPool(x) kernel_shape=[2,2] dilations=[3,2]\noutput y\n");
  check("f64", "1,2,8,8", "y = AveragePool(x) kernel_shape=[3,3] strides=[3,3] ceil_mode=1\noutput y\n");
}

static void negative_bytes(void **state) {
  (void)state;
  check_kernel_in("graph pool\ninput x i8 [1,2,7,7]\ny = MaxPool(x) kernel_shape=[3,3] pads=[1,1,1,1]\n"
                  "output y\n", 0, -100, -1);
}

static void three_axes(void **state) {
  (void)state;
  check("f32", "1,2,5,6,7", "y = MaxPool(x) kernel_shape=[2,3,2] strides=[2,1,2] pads=[1,1,0,0,1,1]\n"
        "output y\n");
  check("f32", "2,1,4,6,5", "y = AveragePool(x) kernel_shape=[2,2,3] strides=[1,2,1] pads=[1,0,1,0,1,1]\n"
        "output y\n");
}

static void indices(void **state) {
  (void)state;
  check("f32", "2,3,9,10", "y, i = MaxPool(x) kernel_shape=[3,3] strides=[2,2] pads=[1,1,1,1]\noutput y\n"
        "output i\n");
  check("f32", "2,3,9,10", "y, i = MaxPool(x) kernel_shape=[2,3] storage_order=1\noutput y\noutput i\n");
  check("u8", "1,2,13", "y, i = MaxPool(x) kernel_shape=[5] strides=[2]\noutput i\n");
  check("f64", "1,2,4,5,6", "y, i = MaxPool(x) kernel_shape=[2,2,2] strides=[2,2,2]\noutput y\noutput i\n");
}

static void global_pools(void **state) {
  (void)state;
  check("f32", "2,3,17", "y = GlobalMaxPool(x)\nz = GlobalAveragePool(x)\noutput y\noutput z\n");
  check("f64", "2,3,5,7", "y = GlobalMaxPool(x)\nz = GlobalAveragePool(x)\noutput y\noutput z\n");
  check("f32", "2,3,2,3,4", "y = GlobalMaxPool(x)\nz = GlobalAveragePool(x)\noutput y\noutput z\n");
  check_kernel_in("graph pool\ninput x f32 [1,2,100001]\ny = GlobalAveragePool(x)\noutput y\n", 3e-7, 0.99, 1.01);
}

/* Arguments that can't stand beside blocks keep the pool on dense tensors. */
static void epilogues(void **state) {
  (void)state;
  check("f32", "2,3,8,9", "input s f32 [9]\nm = MaxPool(x) kernel_shape=[3,3] pads=[1,1,1,1]\n"
        "t = Mul(m, s)\ny = Relu(t)\noutput y\n");
  check("f32", "2,3,8", "input s f32 [2,1,8]\nm = AveragePool(x) kernel_shape=[3] pads=[1,1]\n"
        "t = Sub(s, m)\ny = Sigmoid(t)\noutput y\n");
  check("f32", "2,3", "input s f32 [1,3]\nm = GlobalMaxPool(x)\ny = Mul(m, s)\noutput y\n");
}

/* A NaN is the largest, and the first one the maximum: index and sign of a zero are those of one element. */
static void special_values(void **state) {
  (void)state;
  check_special("graph pool\ninput x f32 [2,3,9,10]\ny, i = MaxPool(x) kernel_shape=[3,3] strides=[2,2] pads=[1,1,1,1]\n"
                "output y\noutput i\n", 0, true);
  check_special("graph pool\ninput x f64 [2,3,31]\ny, i = MaxPool(x) kernel_shape=[4]\na = AveragePool(x) kernel_shape=[3]\n"
                "output y\noutput i\noutput a\n", 1e-14, true);
  check_special("graph pool\ninput x f64 [2,3,5,7]\ny = GlobalMaxPool(x)\nz = GlobalAveragePool(x)\noutput y\noutput z\n",
                1e-14, true);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(one_axis),       cmocka_unit_test(two_axes),
                                     cmocka_unit_test(negative_bytes), cmocka_unit_test(three_axes),
                                     cmocka_unit_test(indices),        cmocka_unit_test(global_pools),
                                     cmocka_unit_test(epilogues),      cmocka_unit_test(special_values)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
