/* Convolutions of integers with a single output against the evaluator, every bit, and sums that all channels of a pixel share. */
#include "harness.h"

#include <stdio.h>

enum { SIZE = 2048 };

static void single_outputs(void **state) {
  (void)state;
  static const struct { const char *x, *w, *window; int zero; } cases[] = {
    {"[1,64,9,17]", "[1,64,3,3]", "pads=[1,1,1,1]", 0},       {"[2,70,6,33]", "[1,70,1,1]", "strides=[1,2]", 255},
    {"[3,130,1,1]", "[1,130,1,1]", "", 3},                    {"[1,7,12,14]", "[1,7,5,3]", "pads=[2,1,2,1] strides=[2,1]", 128},
    {"[1,40,28,28]", "[1,40,3,3]", "pads=[4,4,4,4] dilations=[4,4]", 77},
  };
  for (size_t i = 0; i < 2 * COUNT(cases); i++) {
    char text[SIZE];
    size_t k = i / 2;
    snprintf(text, SIZE, "graph c\ninput x u8 %s\nconst w i8 %s = random 1 %s\nconst z u8 [] = {%d}\ny = ConvInteger(x, w, z) %s\noutput y\n",
             cases[k].x, cases[k].w, i % 2 ? "-128 128" : "-60 64", cases[k].zero, cases[k].window);
    check_integers(text, 0, 256);
  }
}

/* In every order of loops, also where a tile runs over row ends. */
static void shared_sums(void **state) {
  (void)state;
  static const ConvCase cases[] = {
    {1, 70, 5, 29, 80, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0}, {2, 64, 7, 7, 64, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {1, 64, 12, 13, 33, 3, 3, 1, 2, 2, 1, 1, 1, 1, 1, 1}, {1, 24, 28, 28, 17, 3, 3, 1, 1, 1, 12, 12, 12, 12, 12, 12},
    {1, 600, 1, 1, 24, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0},
  };
  static const char *const steps[] = {"| Add(@4) | Requantize(@5, 3) u8", "| Requantize(@5, 3) u8", "| Cast f32 | Mul(@5)"};
  for (size_t i = 0; i < COUNT(cases); i++) {
    const ConvCase *k = &cases[i];
    char text[SIZE];
    snprintf(text, SIZE, "graph c\ninput x u8 [%d,%d,%d,%d]\nconst w i8 [%d,%d,%d,%d] = random 1 -128 128\nconst z u8 [] = {%d}\n"
             "const v i8 [] = {%d}\nconst b i32 [%d,1,1] = random 5 -90000 90000\nconst m f32 [%d,1,1] = random 6 0.0001 0.004\n"
             "y = ConvInteger(x, w, z, v, b, m) strides=[%d,%d] dilations=[%d,%d] pads=[%d,%d,%d,%d] %s\noutput y\n",
             k->n, k->c, k->h, k->w, k->oc, k->c, k->kh, k->kw, (int)(60 * i), i % 2 ? -127 : 127, k->oc, k->oc, k->sh, k->sw,
             k->dh, k->dw, k->top, k->left, k->bottom, k->right, steps[i % COUNT(steps)]);
    check_integers(text, 0, 256);
  }
}

/* A sum for a pixel that is an input of the graph, and one that another layer makes in blocks. */
static void sums_from_outside(void **state) {
  (void)state;
  check_integers("graph c\ninput x u8 [2,64,5,9]\ninput s i32 [2,1,5,9]\nconst w i8 [40,64,1,1] = random 1 -128 128\n"
                 "y = ConvInteger(x, w, _, _, s) | Add(@4)\noutput y\n", 0, 256);
  check_integers("graph c\ninput x u8 [1,64,5,9]\nconst w i8 [40,64,1,1] = random 1 -128 128\nconst v i8 [1,64,1,1] = random 2 -128 128\n"
                 "const b i32 [] = {9}\ns = ConvInteger(x, v, _, _, b) | Add(@4)\ny = ConvInteger(x, w, _, _, s) | Add(@4)\noutput y\n", 0, 256);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(single_outputs),
    cmocka_unit_test(shared_sums),
    cmocka_unit_test(sums_from_outside),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
