/* Data movement against the evaluator, over element sizes and random shapes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include "emit.h" /* before cmocka, which has another fail */
#include <cmocka.h>

#include "cases.h"
#include "harness.h"

static const char *const types[] = {"f32", "i64", "u8", "i16", "f64", "i32"};

static const char *type_at(int i) { return types[i % (int)(sizeof types / sizeof *types)]; }

static void check(const char *type, const int *d, const char *rest) {
  char text[2048];
  snprintf(text, sizeof text, "graph move\ninput x %s [%d,%d,%d,%d]\n%s\noutput y\n", type, d[0], d[1], d[2],
           d[3], rest);
  check_kernel(text, 0);
}

static void random_dims(uint64_t *r, int *d) {
  d[0] = pick(r, 1, 3);
  for (int k = 1; k < 4; k++) d[k] = pick(r, 1, k == 3 ? 37 : 20);
}

/* To dense tensors, and in channel blocks where a convolution reads it. */
static void phases(void **state) {
  (void)state;
  for (int i = 0; i < 6; i++) check(type_at(i), (int[]){2, 3, 6, 12}, "y = SpaceToDepth(x) blocksize=3");
  for (int c = 1; c < 5; c++) {
    check("f32", (int[]){2, c, 14, 22}, "y = SpaceToDepth(x) blocksize=2");
    char text[320];
    snprintf(text, sizeof text, "graph g\ninput x f32 [2,%d,14,22]\ns = SpaceToDepth(x) blocksize=2\n"
             "const w f32 [8,%d,3,3] = random 1 -1 1\ny = Conv(s, w) pads=[1,1,1,1]\noutput y\n", c, 4 * c);
    check_kernel(text, 1e-5);
  }
}

static void transposes(void **state) {
  (void)state;
  uint64_t r = 2;
  for (int i = 0; i < 24; i++) {
    int d[4], p[4] = {0, 1, 2, 3};
    random_dims(&r, d);
    for (int k = 3; k > 0; k--) {
      int j = pick(&r, 0, k), t = p[k];
      p[k] = p[j];
      p[j] = t;
    }
    char call[128];
    snprintf(call, sizeof call, "y = Transpose(x) perm=[%d,%d,%d,%d]", p[0], p[1], p[2], p[3]);
    check(type_at(i), d, call);
  }
  check_kernel("graph move\ninput x f32 [3,4,5]\ny = Transpose(x)\noutput y\n", 0);
}

static void concatenations(void **state) {
  (void)state;
  uint64_t r = 3;
  for (int i = 0; i < 12; i++) {
    int d[4], axis = i % 4;
    random_dims(&r, d);
    int e[4] = {d[0], d[1], d[2], d[3]};
    e[axis] = pick(&r, 1, 9);
    char call[256];
    snprintf(call, sizeof call, "input z %s [%d,%d,%d,%d]\ny = Concat(x, z, x) axis=%d", type_at(i), e[0],
             e[1], e[2], e[3], axis - (i > 6 ? 4 : 0));
    check(type_at(i), d, call);
  }
}

static void splits(void **state) {
  (void)state;
  check_kernel("graph move\ninput x f32 [2,9,5]\nconst s i64 [3] = {2,4,3}\na, b, c = Split(x, s) axis=1\n"
               "output a\noutput b\noutput c\n", 0);
  check_kernel("graph move\ninput x i64 [2,8]\na, _, c = Split(x) axis=-1 num_outputs=3\noutput a\n"
               "output c\n", 0);
}

/* More parts than are copied one by one, of inputs, constants and results, empty ones and one twice among them. */
static void many_parts(void **state) {
  (void)state;
  enum { PARTS = 60 };
  static const int dims[] = {4, 5, 6};
  for (int axis = 0; axis < 3; axis++) {
    Buffer t = {0};
    buffer_printf(&t, "graph move\ninput x f32 [4,5,6]\nconst c f32 [4,5,6] = random 4 -1 1\nr = Relu(x)\n"
                      "const s i64 [%d] = {%d", PARTS, dims[axis] + 1);
    for (int i = 1; i < PARTS; i++) buffer_printf(&t, ",%d", dims[axis] + (i % 2 ? -1 : 1));
    buffer_printf(&t, "}\ny = Concat(x");
    for (int i = 1; i < PARTS; i++) buffer_printf(&t, ", %c", "xrc"[i * i % 3]);
    buffer_printf(&t, ") axis=%d\np0", axis);
    for (int i = 1; i < PARTS; i++) buffer_printf(&t, i % 3 ? ", _" : ", p%d", i);
    buffer_printf(&t, " = Split(y, s) axis=%d\nq = Add(p0, p6)\noutput y\noutput q\noutput p57\n", axis);
    check_kernel(t.data, 0);
    buffer_free(&t);
  }
}

static void slices(void **state) {
  (void)state;
  uint64_t r = 4;
  for (int i = 0; i < 24; i++) {
    int d[4], start[4], end[4], step[4];
    random_dims(&r, d);
    for (int k = 0; k < 4; k++) {
      step[k] = i % 2 ? 1 : pick(&r, -2, 2);
      if (step[k] == 0) step[k] = 3;
      start[k] = step[k] > 0 ? pick(&r, 0, d[k] - 1) : pick(&r, 0, d[k]);
      end[k] = step[k] > 0 ? pick(&r, start[k] + 1, d[k] + 2) : -100;
    }
    char call[512];
    snprintf(call, sizeof call,
             "const s i64 [4] = {%d,%d,%d,%d}\nconst e i64 [4] = {%d,%d,%d,%d}\n"
             "const a i64 [4] = {0,1,-2,3}\n"
             "const p i64 [4] = {%d,%d,%d,%d}\ny = Slice(x, s, e, a, p)",
             start[0], start[1], start[2], start[3], end[0], end[1], end[2], end[3], step[0], step[1],
             step[2], step[3]);
    check(type_at(i), d, call);
  }
}

static void pads(void **state) {
  (void)state;
  static const char *const modes[] = {"constant", "reflect", "edge", "wrap"};
  uint64_t r = 5;
  for (int i = 0; i < 24; i++) {
    int d[4], p[8];
    random_dims(&r, d);
    for (int k = 0; k < 8; k++) {
      int most = i % 4 == 1 && d[k % 4] < 4 ? d[k % 4] - 1 : 3;
      p[k] = pick(&r, 0, 1) ? pick(&r, 0, most) : 0;
    }
    if (d[3] > 3) p[3] = i % 4 == 0 ? -2 : p[3];
    char call[512], fill[64] = "";
    bool value = i % 8 == 4;
    if (value) snprintf(fill, sizeof fill, "const v %s [] = {7}\n", type_at(i));
    snprintf(call, sizeof call, "const p i64 [8] = {%d,%d,%d,%d,%d,%d,%d,%d}\n%sy = Pad(x, p%s) mode=\"%s\"",
             p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7], fill, value ? ", v" : "", modes[i % 4]);
    check(type_at(i), d, call);
  }
  check_kernel("graph move\ninput x f32 [5]\ninput v f32 [1]\nconst p i64 [2] = {20,9}\ny = Pad(x, p, v)\n"
               "z = Pad(x, p) mode=\"wrap\"\noutput y\noutput z\n", 0);
}

/* More copies than may be code: rows whose elements are looked up; boxes of the constant on many axes. */
static void pads_of_many_parts(void **state) {
  (void)state;
  static const char *const calls[] = {
    "const p i64 [8] = {1,2,3,4,2,1,4,3}\ny = Pad(x, p) mode=\"reflect\"",
    "const p i64 [8] = {1,2,-3,40,20,1,4,3}\ny = Pad(x, p) mode=\"edge\"",
    "const p i64 [8] = {9,2,30,-3,20,-1,4,33}\ny = Pad(x, p) mode=\"wrap\"",
    "const p i64 [8] = {9,2,30,-3,20,-1,4,33}\ny = Pad(x, p) mode=\"constant\"",
    "const p i64 [8] = {0,0,0,5000,0,0,0,2000}\ny = Pad(x, p) mode=\"wrap\"",
    "const p i64 [8] = {0,0,0,-9,0,0,0,4}\ny = Pad(x, p) mode=\"constant\"",
  };
  static const int dims[] = {3, 4, 5, 6};
  for (int i = 0; i < (int)(sizeof calls / sizeof *calls); i++) check(type_at(i), dims, calls[i]);
  check_kernel("graph move\ninput x f32 [2,1,2,1,2,1,2,1]\nconst p i64 [16] = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1}\n"
               "y = Pad(x, p)\nz = Pad(x, p) mode=\"edge\"\noutput y\noutput z\n", 0);
}

static void gathers(void **state) {
  (void)state;
  static const char *const graphs[] = {
    "input x f32 [7,5,6]\ninput i i64 [2,3]\ny = Gather(x, i) axis=0",
    "input x i64 [4,11]\ninput i i32 [5]\ny = Gather(x, i) axis=-1",
    "input x u8 [4,11,3]\ninput i i64 []\ny = Gather(x, i) axis=1",
    "input x f32 [40,9]\nconst i i64 [4] = {-1, 39, 0, -40}\ny = Gather(x, i)",
  };
  for (size_t i = 0; i < sizeof graphs / sizeof *graphs; i++) {
    char text[512];
    snprintf(text, sizeof text, "graph move\n%s\noutput y\n", graphs[i]);
    check_kernel_in(text, 0, 0, 4);
    check_kernel_in(text, 0, -4, 0);
  }
}

static void views(void **state) {
  (void)state;
  check_kernel("graph move\ninput x f32 [3,40,5,17]\nconst s i64 [2] = {0,-1}\ny = Reshape(x, s)\n"
               "z = Flatten(x) axis=2\n"
               "output y\noutput z\n", 0);
  check_kernel("graph move\ninput x u8 [1,3,1,2]\nconst a i64 [1] = {2}\ny = Squeeze(x, a)\n"
               "z = Unsqueeze(x, a)\n"
               "w = Identity(x)\noutput y\noutput z\noutput w\n", 0);
}

/* Behind convolutions, on channel blocks. */
static void blocks(void **state) {
  (void)state;
  static const char *const calls[] = {
    "y = Concat(a, b) axis=1", "y = Concat(a, b, a) axis=2", "p, y = Split(a) axis=1 num_outputs=2",
    ("const s i64 [2] = {1,0}\nconst e i64 [2] = {9,9}\nconst k i64 [2] = {2,3}\nconst t i64 [2] = {2,3}\n"
     "y = Slice(a, s, e, k, t)"),
    "const s i64 [8] = {0,0,1,2,0,0,0,1}\ny = Pad(a, s) mode=\"edge\"",
  };
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
    char text[1024];
    snprintf(text, sizeof text,
             "graph move\ninput x f32 [1,3,6,7]\nconst v f32 [32,3,1,1] = random 1 -1 1\n"
             "const u f32 [32,3,3,3] = random 2 -1 1\n"
             "a = Conv(x, v)\nb = Conv(x, u) pads=[1,1,1,1]\n%s\nz = Relu(y)\noutput z\n", calls[i]);
    check_kernel(text, 2e-6);
  }
}

/* Elements move as they are. */
static void special_values(void **state) {
  (void)state;
  static const char *const kinds[] = {"f32", "f64", "f16"};
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    char text[1024];
    snprintf(text, sizeof text,
             "graph move\ninput x %s [3,5,17]\nconst p i64 [6] = {1,0,2,0,1,3}\nconst s i64 [1] = {-1}\nconst e i64 [1] = {-99}\n"
             "const k i64 [1] = {2}\nconst t i64 [1] = {-2}\nconst i i64 [2] = {4,1}\n"
             "a = Transpose(x) perm=[2,0,1]\nb = Concat(x, x) axis=2\nc, d = Split(x) axis=2 num_outputs=2\n"
             "f = Slice(x, s, e, k, t)\ng = Pad(x, p)\nh = Gather(x, i) axis=1\nj = Flatten(x)\n"
             "output a\noutput b\noutput c\noutput d\noutput f\noutput g\noutput h\noutput j\n", kinds[i]);
    check_special(text, 0, true);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(transposes), cmocka_unit_test(concatenations),
                                     cmocka_unit_test(splits),     cmocka_unit_test(slices),
                                     cmocka_unit_test(many_parts), cmocka_unit_test(pads),
                                     cmocka_unit_test(pads_of_many_parts), cmocka_unit_test(gathers),
                                     cmocka_unit_test(views),      cmocka_unit_test(blocks),
                                     cmocka_unit_test(phases), cmocka_unit_test(special_values)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
