/* polyphase_test.c: transposed convolutions become as many convolutions as their strides have places. The
 * results stay. */
#include "lower.h"
#include "fixture.h"

#define X "graph spread\ninput x f32 [2,4,5,6]\n"
#define W "const w f32 [4,3,4,4] = random 1 -0.5 0.5\n"
#define FOUR "Conv Conv Conv Conv"

static void expect(const char *text, const char *ops) { expect_ops(&lax_options, pass_polyphase, text, ops); }

static void a_part_for_each_place(void **state) {
  (void)state;
  expect(X W "y = ConvTranspose(x, w) strides=[2,2] pads=[1,1,1,1]\noutput y\n", FOUR " Interleave");
  expect(X W "y = ConvTranspose(x, w) strides=[1,3]\noutput y\n", "Conv Conv Conv Interleave");
  expect(X W "y = ConvTranspose(x, w) pads=[2,1,0,3]\noutput y\n", "Conv");
  expect("graph g\ninput x f32 [1,4,9]\nconst w f32 [4,1,3] = random 1 -1 1\n"
         "y = ConvTranspose(x, w) strides=[2] group=4 dilations=[3]\noutput y\n", "Conv Conv Interleave");
}

static void the_epilogue_goes_along(void **state) {
  (void)state;
  expect(X W "const b f32 [3] = random 2 -1 1\ninput s f32 [2,3,1,1]\n"
             "y = ConvTranspose(x, w, b, s) strides=[1,2] | Mul(@3) | Relu\noutput y\n",
             "Conv|Mul|Relu Conv|Mul|Relu Interleave");
}

static void what_differs_from_place_to_place_stands_behind(void **state) {
  (void)state;
  expect(X W "input t f32 [2,3,12,14]\nconst s f32 [3,1,1] = random 3 -1 1\n"
             "y = ConvTranspose(x, w, _, s, t) strides=[2,2] | Mul(@3) | Add(@4) | Relu\noutput y\n",
         "Conv|Mul Conv|Mul Conv|Mul Conv|Mul Interleave Pointwise|Add|Relu");
}

/* Padding of more than a kernel cuts the input; a place without taps has its bias alone. */
static void kernels_shorter_than_stride_or_padding(void **state) {
  (void)state;
  expect(X "const w f32 [4,3,2,2] = random 1 -1 1\ny = ConvTranspose(x, w) strides=[2,2] pads=[1,1,1,1]\n"
           "output y\n",
         "Slice Conv Slice Conv Slice Conv Slice Conv Interleave");
  const char *short_kernel = X "const w f32 [4,3,1,1] = random 1 -1 1\nconst b f32 [3] = random 2 -1 1\n"
                               "y = ConvTranspose(x, w, b) strides=[2,2] output_padding=[1,1]\noutput y\n";
  expect(short_kernel, FOUR " Interleave");
  expect_ops(&strict_options, pass_polyphase, short_kernel, "ConvTranspose");
}

static void others_stay(void **state) {
  (void)state;
  expect(X "input w f32 [4,3,4,4]\ny = ConvTranspose(x, w) strides=[2,2]\noutput y\n", "ConvTranspose");
  expect(X W "y = ConvTranspose(x, w) strides=[8,9]\noutput y\n", "ConvTranspose");
  expect("graph g\ninput x f32 [1,4,1,1]\nconst w f32 [4,3,1,1] = splat 1\n"
         "y = ConvTranspose(x, w) strides=[2,2]\noutput y\n",
         "ConvTranspose");
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_part_for_each_place),
    cmocka_unit_test(the_epilogue_goes_along),
    cmocka_unit_test(what_differs_from_place_to_place_stands_behind),
    cmocka_unit_test(kernels_shorter_than_stride_or_padding),
    cmocka_unit_test(others_stay),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
