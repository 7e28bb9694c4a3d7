/* product_integer_test.c: products of matrices of 8-bit integers against the evaluator, every bit: signs, zero points and batches of
 * all kinds, B constant or not, for all instructions that multiply them. */

#include "harness.h"

typedef struct Case {
  const char *a, *b;       /* types */
  int batch, m, k, n;      /* batch 0: matrices */
  bool constant;           /* B and its zero points */
  int za, zb;              /* 0: none, 1: one that is known, 2: one at run time, 3: a list, 4: a list of whole rank */
  const char *steps;
} Case;

static void print_zero(char *to, size_t size, const Case *c, int operand) {
  int kind = operand ? c->zb : c->za, count = operand ? c->n : c->m;
  const char *type = operand ? c->b : c->a, *name = operand ? "zb" : "za";
  bool known = kind == 1 || (operand && c->constant);
  char shape[32] = "[]";
  if (kind == 3) snprintf(shape, sizeof shape, "[%d]", count);
  if (kind == 4 && !operand && c->batch) snprintf(shape, sizeof shape, "[%d,%d,1]", c->batch, count);
  if (kind == 4 && !operand && !c->batch) snprintf(shape, sizeof shape, "[%d,1]", count);
  if (kind == 4 && operand) snprintf(shape, sizeof shape, "[1,%d]", count);
  if (kind) snprintf(to, size, "%s %s %s %s%s\n", known ? "const" : "input", name, type, shape, known ? " = random 9 -100 100" : "");
  else *to = 0;
}

static void check_product(const Case *c) {
  char text[2048], lead[16] = "", za[128], zb[128];
  if (c->batch) snprintf(lead, sizeof lead, "%d,", c->batch);
  print_zero(za, sizeof za, c, 0);
  print_zero(zb, sizeof zb, c, 1);
  snprintf(text, sizeof text,
           "graph p\ninput a %s [%s%d,%d]\n%s b %s [%d,%d]%s\n%s%sconst m f32 [%d] = random 3 0.001 0.01\nconst c i32 [%d] = random 4 -999 999\n"
           "y = MatMulInteger(a, b, %s, %s, m, c)%s\noutput y\n",
           c->a, lead, c->m, c->k, c->constant ? "const" : "input", c->b, c->k, c->n, c->constant ? " = random 2 -128 256" : "", za, zb,
           c->n, c->n, c->za ? "za" : "_", c->zb ? "zb" : "_", c->steps);
  check_integers(text, -128, 256);
}

static void random_products(void **state) {
  (void)state;
  static const char *const types[] = {"u8", "i8"}, *const steps[] = {" | Add(@5)", " | Add(@5) | Requantize(@4, 77) u8",
                                      " | Requantize(@4, -5) i8 | Clip(-9, 100)", " | Cast f32 | Mul(@4)"};
  uint64_t r = 1;
  for (int i = 0; i < 16; i++) {
    Case c = {.a = types[i % 8 == 5], .b = types[i % 4 < 3], .m = i % 3 ? pick(&r, 1, 15) : 1, .k = pick(&r, 1, 90), .n = pick(&r, 1, 150)};
    c.batch = i % 5 == 4 ? pick(&r, 1, 3) : 0;
    c.constant = i % 3 != 2;
    c.za = pick(&r, 0, 4);
    c.zb = i % 2 ? pick(&r, 0, 4) : 0;
    c.steps = steps[pick(&r, 0, 3)];
    check_product(&c);
  }
}

/* The sums are as large as they get, of all factors' signs. */
static void extreme_factors(void **state) {
  (void)state;
  static const char *const types[] = {"u8", "i8"};
  for (int i = 0; i < 4; i++) {
    char text[512];
    const char *a = types[i % 2], *b = types[i / 2];
    for (int known = 0; known < 2; known++) {
      snprintf(text, sizeof text, "graph p\ninput a %s [3,70]\n%s b %s [70,19]%s\nconst z %s [] = {%d}\ny = MatMulInteger(a, b, z)\noutput y\n",
               a, known ? "const" : "input", b, known ? i / 2 ? " = splat -128" : " = splat 255" : "", a, i % 2 ? 127 : 255);
      check_integers(text, i % 2 ? -128 : 254, i % 2 ? -127 : 256);
    }
  }
}

/* Pairs of products that fit 16 bits, to the last bit, and such that do not. */
static void small_weights(void **state) {
  (void)state;
  static const char *const weights[] = {"splat 64", "splat -64", "splat 65", "random 1 -64 65", "{-128, 0, 127, 1, 0, -128, 1, 127}"};
  for (size_t i = 0; i < sizeof weights / sizeof *weights; i++) {
    char text[256];
    int k = i == 4 ? 8 : 70, n = i == 4 ? 1 : 19;
    snprintf(text, sizeof text, "graph p\ninput a u8 [3,%d]\nconst b i8 [%d,%d] = %s\ny = MatMulInteger(a, b)\noutput y\n", k, k, n, weights[i]);
    check_integers(text, 254, 256);
  }
}

/* Vectors, batches that broadcast, more rows than a task takes with a panel, a classifier. */
static void shapes(void **state) {
  (void)state;
  check_integers("graph p\ninput a u8 [2,5,70]\ninput b i8 [70]\ninput z u8 []\ny = MatMulInteger(a, b, z)\noutput y\n", 0, 128);
  check_integers("graph p\ninput a u8 [70]\ninput b i8 [3,70,20]\ny = MatMulInteger(a, b)\noutput y\n", 0, 128);
  check_integers("graph p\ninput a u8 [70]\nconst b i8 [70] = random 1 -128 128\ny = MatMulInteger(a, b)\noutput y\n", 0, 256);
  check_integers("graph p\ninput a i8 [3,1,2,9]\nconst b u8 [4,9,3] = random 1 0 256\ninput z i8 [3,1,2,1]\nconst v u8 [4,1,3] = random 2 0 256\n"
                 "y = MatMulInteger(a, b, z, v)\noutput y\n", -128, 128);
  check_integers("graph p\ninput a u8 [301,33]\nconst b i8 [33,70] = random 1 -128 128\ny = MatMulInteger(a, b)\noutput y\n", 0, 256);
  check_integers("graph p\ninput a u8 [301,33]\ninput b u8 [33,70]\ny = MatMulInteger(a, b)\noutput y\n", 0, 256);
  check_integers("graph p\ninput a u8 [1,512]\nconst b i8 [512,1000] = random 1 -128 128\nconst m f32 [1000] = random 2 0.0001 0.001\n"
                 "y = MatMulInteger(a, b, _, _, m) | Requantize(@4, 100) u8\noutput y\n", 0, 256);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(random_products),
    cmocka_unit_test(extreme_factors),
    cmocka_unit_test(small_weights),
    cmocka_unit_test(shapes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
