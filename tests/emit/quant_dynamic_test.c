/* quant_dynamic_test.c: what quantize_dynamic writes, against the evaluator, every bit. */

#include "harness.h"

#include <math.h>

static void ranges(void **state) {
  (void)state;
  static const int counts[] = {1, 3, 16, 67, 256, 300};
  static const double lo[] = {-7, 1, -9, 0}, hi[] = {5, 2, -3, 1e-30};
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    char text[256];
    snprintf(text, sizeof text, "graph r\ninput x f32 [%d]\ny, s, z = DynamicQuantizeLinear(x)\noutput y\noutput s\noutput z\n", counts[i]);
    check_kernel_in(text, 0, lo[i % 4], hi[i % 4]);
  }
}

/* NaN is no part of a range. */
static void range_without_nan(void **state) {
  (void)state;
  static const double x[] = {1, NAN, -2, 3, NAN}, want[] = {153, 0, 0, 255, 0}; /* the scale is 5 / 255, the zero point 102 */
  check_values("graph r\ninput x f32 [5]\ny = DynamicQuantizeLinear(x)\noutput y\n", (const double *const[]){x}, want, 5);
}

/* A sum's scale is a number that is known at run time, or one for each channel; in blocks and else. */
static void layers(void **state) {
  (void)state;
  static const char *const scales[] = {"const t f32 [] = {0.01}\n", "const t f32 [70,1,1] = random 5 0.001 0.01\n"};
  for (size_t i = 0; i < sizeof scales / sizeof *scales; i++) {
    char text[1024];
    snprintf(text, sizeof text,
             "graph d\ninput x f32 [1,40,7,6]\nconst w i8 [70,40,3,3] = random 1 -128 128\n%sconst b f32 [1,70,1,1] = random 3 -1 1\n"
             "r = Relu(x)\nq, s, z = DynamicQuantizeLinear(r)\nc = ConvInteger(q, w, z) pads=[1,1,1,1]\nf = Cast(c) to=1\nm = Mul(s, t)\n"
             "g = Mul(f, m)\ny = Add(g, b)\noutput y\n", scales[i]);
    check_kernel_in(text, 1e-6, -1, 1);
    snprintf(text, sizeof text,
             "graph d\ninput x f32 [1,40,7,6]\nconst w i8 [70,40,3,3] = random 1 -128 128\n%s"
             "q, s, z = DynamicQuantizeLinear(x)\nc = ConvInteger(q, w, z) pads=[1,1,1,1] strides=[2,2]\nf = Cast(c) to=1\nm = Mul(s, t)\n"
             "y = Mul(f, m)\noutput y\n", scales[i]);
    check_kernel_in(text, 1e-6, -1, 1);
  }
  check_kernel_in("graph d\ninput x f32 [3,40]\nconst w i8 [40,10] = random 1 -128 128\nconst t f32 [10] = random 5 0.001 0.01\n"
                  "const b f32 [10] = random 3 -1 1\nq, s, z = DynamicQuantizeLinear(x)\nc = MatMulInteger(q, w, z)\nf = Cast(c) to=1\n"
                  "m = Mul(s, t)\ng = Mul(f, m)\ny = Add(g, b)\noutput y\n", 1e-6, -1, 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(ranges),
    cmocka_unit_test(range_without_nan),
    cmocka_unit_test(layers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
