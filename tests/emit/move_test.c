/* Data movement against the evaluator, over element sizes and random shapes. */
#include "emit.h"

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
}

/* Rows and pixels of channel blocks, whole and not, of floats: a depthwise convolution of one tap, which is exact, makes the blocks. */
static void cuts_of_blocks(void **state) {
  (void)state;
  static const char *const modes[] = {"constant", "reflect", "edge", "wrap"};
  uint64_t r = 6;
  for (int i = 0; i < 24; i++) {
    int d[4], p[4], start[2], step[2];
    random_dims(&r, d);
    d[1] = pick(&r, 1, 40);
    for (int k = 0; k < 4; k++) p[k] = pick(&r, 0, i % 4 ? size_min(3, d[2 + k % 2] - 1) : 4) - (i % 4 == 0 && d[2 + k % 2] > 4);
    for (int k = 0; k < 2; k++) {
      step[k] = pick(&r, 0, 1) ? 1 : pick(&r, 0, 1) ? -1 : 2;
      start[k] = step[k] > 0 ? 0 : 100;
    }
    char call[1024];
    snprintf(call, sizeof call,
             "const w f32 [%d,1,1,1] = random %d -1 1\nc = Conv(x, w) group=%d\n"
             "const p i64 [4] = {%d,%d,%d,%d}\nconst a i64 [2] = {2,3}\nconst v f32 [] = {%d}\nq = Pad(c, p, v, a) mode=\"%s\"\n"
             "const s i64 [2] = {%d,%d}\nconst e i64 [2] = {%d,%d}\nconst t i64 [2] = {%d,%d}\n"
             "z = Slice(q, s, e, a, t)\ny = MaxPool(z) kernel_shape=[1,1]",
             d[1], i + 1, d[1], p[0], p[1], p[2], p[3], i % 8, modes[i % 4], start[0], start[1], step[0] > 0 ? 50 : -100,
             step[1] > 0 ? 50 : -100, step[0], step[1]);
    check("f32", d, call);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(transposes),
    cmocka_unit_test(concatenations),
    cmocka_unit_test(slices),
    cmocka_unit_test(many_parts),
    cmocka_unit_test(pads),
    cmocka_unit_test(cuts_of_blocks),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
