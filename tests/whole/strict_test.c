/* strict_test.c: with --strict NaNs and infinities come out of whole networks where the operators one after the other have them,
 * whatever the passes made of them; and x + 0 is no -0. */
#include "harness.h"

#define TOLERANCE 1e-5

#define NORM(y, x, gamma) y " = BatchNormalization(" x ", " gamma ", beta, mean, var)\n"
#define CHANNELS \
  "const gamma f32 [24] = random 11 -2 2\nconst beta f32 [24] = random 12 -1 1\nconst zero f32 [24] = splat 0\n" \
  "const mean f32 [24] = random 13 -1 1\nconst var f32 [24] = random 14 0.1 3\n" \
  "const w f32 [24,24,3,3] = random 1 -0.1 0.1\nconst v f32 [24,24,1,1] = random 2 -0.3 0.3\n"

/* Winograd's algorithm would fit, and parities. */
static void stem(void **state) {
  (void)state;
  check_strict("graph t\ninput x f32 [1,3,40,44]\nconst s f32 [24,3,7,7] = random 3 -0.2 0.2\n" CHANNELS
               "c = Conv(x, s) pads=[3,3,3,3] strides=[2,2]\n" NORM("n", "c", "gamma") "r = Relu(n)\n"
               "p = MaxPool(r) kernel_shape=[3,3] strides=[2,2] pads=[1,1,1,1]\noutput p\noutput r\n", TOLERANCE);
}

static void blocks(void **state) {
  (void)state;
  check_strict("graph t\ninput x f32 [1,24,13,12]\n" CHANNELS
               "a = Conv(x, w) pads=[1,1,1,1]\n" NORM("b", "a", "gamma") "c = Relu(b)\n"
               "d = Conv(c, v)\n" NORM("e", "d", "gamma") "f = Add(e, x)\ng = Relu(f)\n"
               "h = GlobalAveragePool(g)\ni = Sigmoid(h)\nj = Mul(g, i)\noutput g\noutput j\n", TOLERANCE);
}

/* A block with gamma 0 adds 0 times what it has seen. */
static void zero_gamma(void **state) {
  (void)state;
  check_strict("graph t\ninput x f32 [1,24,13,12]\n" CHANNELS
               "a = Conv(x, w) pads=[1,1,1,1]\n" NORM("b", "a", "zero") "y = Add(b, x)\noutput y\n", TOLERANCE);
}

static void padded_shortcuts(void **state) {
  (void)state;
  check_strict("graph t\ninput x f32 [1,6,12,14]\nconst start i64 [2] = {0,0}\nconst end i64 [2] = {100,100}\n"
               "const axes i64 [2] = {2,3}\nconst step i64 [2] = {2,2}\nconst more i64 [8] = {0,3,0,0,0,3,0,0}\n"
               "const v f32 [6,6,1,1] = random 2 -0.3 0.3\nb = Conv(x, v)\n"
               "s = Slice(b, start, end, axes, step)\ny = Pad(s, more)\noutput y\n", TOLERANCE);
}

/* Padding of the least finite number is no padding to a maximum of what may be -inf. */
static void padding_of_pools(void **state) {
  (void)state;
  check_strict("graph t\ninput x f32 [1,2,6,9]\nconst pads i64 [8] = {0,0,1,1,0,0,1,1}\nconst v f32 [] = {-3.4028234663852886e38}\n"
               "const nan f32 [] = {nan}\np = Pad(x, pads, v)\ny = MaxPool(p) kernel_shape=[2,2]\n"
               "q = Pad(x, pads, nan)\nz = MaxPool(q) kernel_shape=[2,2]\noutput y\noutput z\n", 0);
}

static void signs_of_zeros(void **state) {
  (void)state;
  check_signs("graph t\ninput x f32 [2,4,37]\nconst zero f32 [] = {0}\nconst least f32 [] = {-0}\n"
               "const zeros f32 [4] = splat 0\nconst ones f32 [4] = splat 1\nconst mixed f32 [4,1] = {0, -0, 1, 0}\n"
               "a = Add(x, zero)\nb = Add(x, least)\nc = Sub(x, zero)\nd = Sub(x, least)\n"
               "e = BatchNormalization(x, ones, zeros, zeros, ones) epsilon=0.0\nf = Add(mixed, x)\ng = Sub(zero, x)\n"
               "h = Mul(x, least)\ni = Sub(mixed, x)\n"
               "output a\noutput b\noutput c\noutput d\noutput e\noutput f\noutput g\noutput h\noutput i\n", 1e-6);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(stem),         cmocka_unit_test(blocks),           cmocka_unit_test(zero_gamma),
    cmocka_unit_test(padded_shortcuts), cmocka_unit_test(padding_of_pools), cmocka_unit_test(signs_of_zeros),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
