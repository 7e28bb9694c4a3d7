/* depth_test.c: the stem of a network that gets a picture's bytes: their conversion is in the pass that makes its parities, which
 * reads the picture as the program has it. */
#include "harness.h"

/* Bytes of these axes are moved to [N,C,H,W], converted, and read by a convolution 7x7 of stride 2. */
static void check_stem(const char *shape, const char *moves, int channels) {
  Context *cx = context_new();
  check_winograd(format_text(cx, "graph g\ninput x u8 %s\n%s\nf = Cast(m) to=1\nconst mean f32 [%d,1,1] = random 3 90 130\n"
                                 "const std f32 [] = {0.02}\na = Sub(f, mean)\nb = Mul(a, std)\n"
                                 "const w f32 [20,%d,7,7] = random 1 -0.5 0.5\ny = Conv(b, w) strides=[2,2] pads=[3,3,3,3]\noutput y\n",
                             shape, moves, channels, channels), 1e-4);
  context_free(cx);
}

static void of_bytes_in_every_order(void **state) {
  (void)state;
  const char *last = "m = Transpose(x) perm=[0,3,1,2]", *planes = "m = Identity(x)";
  check_stem("[1,20,24,3]", last, 3);
  check_stem("[2,12,14,4]", last, 4);
  check_stem("[1,12,14,2]", last, 2);
  check_stem("[2,3,12,14]", planes, 3);
}

#define SLICE(result, from, axis, start, end, step) \
  "const " result "s i64 [1] = {" start "}\nconst " result "e i64 [1] = {" end "}\nconst " result "a i64 [1] = {" axis "}\n" \
  "const " result "t i64 [1] = {" step "}\n" result " = Slice(" from ", " result "s, " result "e, " result "a, " result "t)\n"

static void of_parts_of_the_bytes(void **state) {
  (void)state;
  const char *transpose = "m = Transpose(c) perm=[0,3,1,2]";
  Context *cx = context_new();
  check_stem("[1,12,14,4]", format_text(cx, SLICE("c", "x", "3", "0", "3", "1") "%s", transpose), 3);     /* without alpha */
  check_stem("[2,12,14,4]", format_text(cx, SLICE("c", "x", "3", "2", "-9", "-1") "%s", transpose), 3);   /* of b, g, r, alpha */
  check_stem("[2,12,20,3]", format_text(cx, SLICE("r", "x", "2", "0", "14", "1") SLICE("c", "r", "3", "2", "-9", "-1") "%s", transpose), 3);
  check_stem("[1,3,12,20]", SLICE("m", "x", "3", "3", "17", "1"), 3);
  context_free(cx);
}

/* Another reader sees the bytes moved; the stem does not mind. */
static void beside_other_readers(void **state) {
  (void)state;
  check_stem("[1,12,14,3]", "m = Transpose(x) perm=[0,3,1,2]\noutput m", 3);
  check_stem("[1,12,14,3]", "m = Transpose(x) perm=[0,3,1,2]\nk = Identity(m)\nq = Cast(k) to=6\noutput q", 3);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(of_bytes_in_every_order),
    cmocka_unit_test(of_parts_of_the_bytes),
    cmocka_unit_test(beside_other_readers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
