/* product_test.c: shapes of products and of what broadcasts. */
#include "infer_fixture.h"

static void products_broadcast_like_numpy(void **state) {
  (void)state;
  static const Row rows[] = {
    {"input a f32 [N,4]\nconst b f32 [5,4] = splat 1\ny = Gemm(a, b) transB=1", "f32 [N,5]"},
    {"input a f32 [4,3]\nconst b f32 [4,5] = splat 1\nconst c f32 [1,5] = splat 1\n"
     "y = Gemm(a, b, c) transA=1",
     "f32 [3,5]"},
    {"input a f32 [N,3,4]\ninput b f32 [4,5]\ny = MatMul(a, b)", "f32 [N,3,5]"},
    {"input a f32 [4]\ninput b f32 [2,4,5]\ny = MatMul(a, b)", "f32 [2,5]"},
    {"input a i32 [2,1,3,4]\ninput b i32 [6,4,5]\ny = MatMul(a, b)", "i32 [2,6,3,5]"},
    {"input a f32 [4]\ninput b f32 [4]\ny = MatMul(a, b)", "f32 []"},
    {"input a f32 [N,1,4]\ninput b f32 [5,1]\ny = Add(a, b)", "f32 [N,5,4]"},
    {"input a f32 [0,3]\ninput b f32 [1,3]\ny = Mul(a, b)", "f32 [0,3]"},
    {"input a u8 [N,2,4]\ninput b i8 [4,5]\ninput z u8 [2]\ninput v i8 [5]\ny = MatMulInteger(a, b, z, v)", "i32 [N,2,5]"},
    {"input a u8 [N,4]\ninput b u8 [4]\ninput z u8 [N]\ny = MatMulInteger(a, b, z)", "i32 [N]"},
    {"input a i8 [3,2,4]\ninput b i8 [3,4,5]\ninput z i8 [3,2,1]\ninput v i8 [3,1,5]\ny = MatMulInteger(a, b, z, v)", "i32 [3,2,5]"},
    {"input a f32 [3,1]\ninput b f32 [4]\ny = Pointwise(a, b) | Add(@1) | Relu", "f32 [3,4]"},
  };
  static const Row wrong[] = {
    {"input a f32 [3,4]\ninput b f32 [5,4]\ny = Gemm(a, b)",
     "Gemm): the product's inner sizes differ: 4 and 5"},
    {"input a f32 [3,4]\ninput b f32 [4,5]\ninput c f32 [2,5]\ny = Gemm(a, b, c)",
     "Gemm): input 2 of shape [2,5] does not broadcast to [3,5]"},
    {"input a f32 [3,4]\ninput b f64 [4,5]\ny = MatMul(a, b)", "MatMul): input 1 is f64, input 0 is f32"},
    {"input a f32 [2,3,4]\ninput b f32 [3,4,5]\ny = MatMul(a, b)",
     "MatMul): batches [2] and [3] do not broadcast"},
    {"input a u8 [2,4]\ninput b i8 [4,5]\ninput z i8 []\ny = MatMulInteger(a, b, z)", "MatMulInteger): input 2 is i8, not u8"},
    {"input a u8 [2,4]\ninput b i8 [4,5]\ninput z u8 [4]\ny = MatMulInteger(a, b, z)", "MatMulInteger): input 2 of shape [4] is no zero point"},
    {"input a u8 [2,4]\ninput b i8 [4,5]\ninput v i8 [4,1]\ny = MatMulInteger(a, b, _, v)",
     "MatMulInteger): input 3 of shape [4,1] is no zero point"},
    {"input a u8 [2,4]\ninput b f32 [4,5]\ny = MatMulInteger(a, b)", "MatMulInteger): input 1 of type f32 is not supported here"},
    {"input a f32 [N,4]\ninput b f32 [2,4]\ny = Add(a, b)", "Add): shapes [N,4] and [2,4] do not broadcast; --batch N fixes the batch"},
    {"input x f32 [2,3]\ninput s f32 [4,2,3]\ny = PRelu(x, s)",
     "PRelu): input 1 of shape [4,2,3] does not broadcast to [2,3]"},
    {"input a f32 [2]\ninput b f32 [3,2]\nconst w f32 [2,2] = splat 1\nx = MatMul(a, w)\n"
     "y = MatMul(x, w, b) | Add(@2)", "MatMul): input 2 of shape [3,2] does not broadcast to [2]"},
  };
  EXPECT_SHAPES(rows);
  EXPECT_ERRORS(wrong);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(products_broadcast_like_numpy)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
