/* Elementwise kernels: every operator and type, broadcasting, channel blocks. */
#include "harness.h"
#include "emit.h"

#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

/* check_kernel on a graph with %s replaced. */
static void check_with(const char *graph, const char *word, double tolerance, double lo, double hi) {
  char text[1024];
  snprintf(text, sizeof text, graph, word, word, word);
  check_kernel_in(text, tolerance, lo, hi);
}

static void unary_operators_on_any_length(void **state) {
  (void)state;
  static const char *const ops[] = {
    "Relu(x)", "LeakyRelu(x) alpha=0.3", "Sigmoid(x)", "HardSigmoid(x) alpha=0.3 beta=0.4",
    "HardSwish(x)", "Tanh(x)", "Clip(x, lo, hi)", "Clip(x, _, hi)",
  };
  static const int64_t lengths[] = {1, 3, 8, 37, 20000};
  for (size_t i = 0; i < COUNT(ops); i++) {
    for (size_t k = 0; k < COUNT(lengths); k++) {
      char text[512];
      snprintf(text, sizeof text, "graph t\ninput x f32 [%lld]\n"
               "const lo f32 [] = {-1.5}\nconst hi f32 [] = {1.25}\ny = %s\noutput y\n",
               (long long)lengths[k], ops[i]);
      check_kernel_in(text, 3e-7, -6, 6);
    }
  }
}

static void broadcasting(void **state) {
  (void)state;
  static const char *const shapes[][2] = {
    {"[2,3,4,5]", "[5]"}, {"[2,3,4,5]", "[4,1]"}, {"[2,3,4,5]", "[3,1,1]"}, {"[2,3,4,5]", "[2,1,4,1]"},
    {"[1]", "[3,1]"}, {"[3,1,7]", "[1,9,1]"}, {"[]", "[11]"}, {"[40,50,30]", "[50,1]"}, {"[20000]", "[1]"},
    {"[2,9000]", "[2,1]"}, {"[4,5]", "[3,1,1,1,4,5]"}, {"[1,1,1,1]", "[1,6,5,7]"},
  };
  static const char *const ops[] = {"Add(a, b)", "Sub(b, a)", "Mul(a, b)", "Div(a, b)"};
  for (size_t i = 0; i < COUNT(shapes); i++) {
    char text[512];
    snprintf(text, sizeof text, "graph t\ninput a f32 %s\ninput b f32 %s\ny = %s\noutput y\n", shapes[i][0],
             shapes[i][1], ops[i % COUNT(ops)]);
    check_kernel_in(text, 1e-6, 1, 3);
  }
}

static void integers(void **state) {
  (void)state;
  static const char *const types[] = {"u8", "i8", "u16", "i16", "i32", "i64", "u32", "u64"};
  for (size_t i = 0; i < COUNT(types); i++) {
    check_with("graph t\ninput a %s [3,21]\ninput b %s [21]\n"
               "s = Add(a, b)\nd = Sub(a, b)\nm = Mul(a, b)\nq = Div(a, b)\n"
               "output s\noutput d\noutput m\noutput q\n", types[i], 0, 0, 0);
    check_with("graph t\ninput x %s [45]\ninput lo %s []\ninput hi %s []\ny = Clip(x, lo, hi)\noutput y\n",
               types[i], 0, 0, 0);
  }
  check_with("graph t\ninput x %s [45]\ny = Relu(x)\noutput y\n", "i8", 0, -100, 100);
  check_with("graph t\ninput x %s [45]\ny = Relu(x)\noutput y\n", "i32", 0, -100, 100);
  check_with("graph t\ninput x %s [4,5]\ninput s %s [5]\ny = PRelu(x, s)\noutput y\n", "i64", 0, -100, 100);
}

static void division_that_traps_on_the_cpu(void **state) {
  (void)state;
  check_kernel_in("graph t\ninput a i32 [9]\nconst least i32 [1] = {-2147483647}\n"
                  "const b i32 [9] = {1, -1, -1, 2, -2, 7, -7, 3, -1}\n"
                  "m = Sub(least, a)\nq = Div(m, b)\noutput q\n", 0, 1, 2);
}

static void division_by_zero(void **state) {
  (void)state;
  static const char *const types[] = {"u8", "i8", "u16", "i16", "i32", "i64", "u32", "u64"};
  for (size_t i = 0; i < COUNT(types); i++) {
    check_with("graph t\ninput a %s [5,21]\ninput b %s [21]\nq = Div(a, b)\noutput q\n", types[i], 0,
               strchr(types[i], 'i') ? -3 : 0, 3);
  }
}

static void doubles(void **state) {
  (void)state;
  check_kernel("graph t\ninput a f64 [5,13]\ninput b f64 [13]\ns = Add(a, b)\nm = Mul(s, b)\nr = Relu(m)\n"
               "l = LeakyRelu(m)\nh = HardSwish(m)\nq = Div(a, b)\n"
               "output r\noutput l\noutput h\noutput q\n", 1e-15);
}

static void casts_between_all_types(void **state) {
  (void)state;
  static const struct { const char *name; int number; } types[] = {
    {"f32", 1}, {"u8", 2}, {"i8", 3}, {"u16", 4}, {"i16", 5}, {"i32", 6}, {"i64", 7}, {"bool", 9},
    {"f16", 10}, {"f64", 11}, {"u32", 12}, {"u64", 13}, {"bf16", 16},
  };
  for (size_t i = 0; i < COUNT(types); i++) {
    char text[1024];
    int n = snprintf(text, sizeof text, "graph t\ninput x %s [4211]\n", types[i].name);
    for (size_t k = 0; k < COUNT(types); k++) {
      if (k == i) continue;
      n += snprintf(text + n, sizeof text - (size_t)n, "y%zu = Cast(x) to=%d\noutput y%zu\n", k,
                    types[k].number, k);
    }
    bool is_half = types[i].number == 10 || types[i].number == 16; /* its inputs are bits */
    bool is_signed = !is_half && strchr("fi", types[i].name[0]);
    check_kernel_in(text, 0, is_signed ? -70000 : 0, is_half ? 65536 : 70000);
    check_kernel_in(text, 0, is_signed ? -3 : 0, is_half ? 0x400 : 3);
  }
}

static void small_numbers_to_half(void **state) {
  (void)state;
  check_kernel_in("graph t\ninput x f32 [4000]\ny = Cast(x) to=10\nz = Cast(x) to=16\noutput y\noutput z\n",
                  0, -1e-4, 1e-4);
  check_kernel_in("graph t\ninput x f64 [4000]\ny = Cast(x) to=10\noutput y\n", 0, -1e-6, 1e-6);
}

static void large_numbers_to_integers(void **state) {
  (void)state;
  check_kernel_in("graph t\ninput x f64 [4000]\ny = Cast(x) to=3\nz = Cast(x) to=13\noutput y\noutput z\n",
                  0, -1e20, 1e20);
}

static void chains_on_dense_tensors(void **state) {
  (void)state;
  check_kernel("graph t\ninput x f32 [3,17,10]\ninput a f32 [17,1]\ninput b f32 [3,17,10]\n"
               "y = Pointwise(x, a, b) | Add(@1) | Relu | ~Sub(@2) | Mul(@1) | Clip(-1, 2)\n"
               "output y\n", 1e-6);
  check_kernel("graph t\ninput x f32 [1,3,60,50]\n"
               "const m f32 [3,1,1] = {0.4, 0.5, 0.6}\nconst s f32 [3,1,1] = {0.2, 0.3, 0.25}\n"
               "c = Sub(x, m)\ny = Div(c, s)\noutput y\n", 1e-6);
}

static void batch_norm_with_run_time_parameters(void **state) {
  (void)state;
  static const char *const shapes[] = {"2,5,3,7", "4,5", "2,5,1", "1,5,40"};
  for (size_t i = 0; i < COUNT(shapes); i++) {
    check_with("graph t\ninput x f32 [%s]\n"
               "input s f32 [5]\ninput b f32 [5]\ninput m f32 [5]\ninput v f32 [5]\n"
               "y = BatchNormalization(x, s, b, m, v) epsilon=0.01\noutput y\n", shapes[i], 1e-6, 0.5, 2);
  }
}

/* "\ny0 = CALL\noutput y0" and so on: one graph for many calls. */
static int add_calls(char *text, size_t size, int at, const char *const *call, size_t n) {
  for (size_t i = 0; i < n; i++) {
    at += snprintf(text + at, size - (size_t)at, "y%zu = %s\noutput y%zu\n", i, call[i], i);
  }
  assert_true((size_t)at < size);
  return at;
}

static void special_values_of_one_operand(void **state) {
  (void)state;
  static const char *const calls[] = {
    "Relu(x)", "LeakyRelu(x) alpha=0.3", "HardSigmoid(x) alpha=0.3 beta=0.4", "HardSwish(x)", "Clip(x, lo, hi)",
    "Clip(x, _, hi)", "Clip(x, hi, lo)", "Clip(x, zero, zero)", "Clip(x, nan, hi)", "Clip(x, lo, nan)", "Clip(x, inf, hi)",
    "Clip(x, _, least)", "Sigmoid(x)", "Tanh(x)", /* these two of f32 alone */
  };
  static const char *const types[] = {"f64", "f32"};
  for (size_t t = 0; t < COUNT(types); t++) {
    char text[2048];
    int n = snprintf(text, sizeof text, "graph t\ninput x %s [301]\n", types[t]);
    static const char *const bounds[] = {"lo", "-0.5", "hi", "0.75", "zero", "-0", "nan", "nan", "inf", "inf", "least", "-inf"};
    for (size_t i = 0; i < COUNT(bounds); i += 2) {
      n += snprintf(text + n, sizeof text - (size_t)n, "const %s %s [] = {%s}\n", bounds[i], types[t], bounds[i + 1]);
    }
    add_calls(text, sizeof text, n, calls, COUNT(calls) - (t == 0 ? 2 : 0));
    check_special(text, 3e-7, true);
  }
}

/* Bounds of Clip that are known at run time only. */
static void special_bounds(void **state) {
  (void)state;
  char text[2048];
  int n = snprintf(text, sizeof text, "graph t\ninput x f32 [83]\ninput b u8 []\nf = Cast(b) to=1\nzero = Sub(f, f)\n");
  static const char *const bounds[] = {"nan", "-0", "inf", "-inf", "0.5"};
  for (size_t i = 0; i < COUNT(bounds); i++) {
    n += snprintf(text + n, sizeof text - (size_t)n, "const k%zu f32 [] = {%s}\nb%zu = Sub(k%zu, zero)\n", i, bounds[i], i, i);
  }
  for (size_t i = 0; i < COUNT(bounds) * COUNT(bounds); i++) {
    n += snprintf(text + n, sizeof text - (size_t)n, "y%zu = Clip(x, b%zu, b%zu)\noutput y%zu\n", i, i / COUNT(bounds),
                  i % COUNT(bounds), i);
  }
  assert_true((size_t)n < sizeof text);
  check_special(text, 0, true);
}

static void special_values_of_two_operands(void **state) {
  (void)state;
  static const char *const ops[] = {"Add", "Sub", "Mul", "Div", "PRelu"};
  for (size_t i = 0; i < COUNT(ops); i++) {
    char text[256];
    snprintf(text, sizeof text, "graph t\ninput a f32 [5,61]\ninput b f32 [61]\ny = %s(a, b)\noutput y\n", ops[i]);
    check_special(text, 1e-6, true);
    snprintf(text, sizeof text, "graph t\ninput a f64 [5,61]\ninput b f64 [5,1]\ny = %s(a, b)\noutput y\n", ops[i]);
    check_special(text, 1e-15, true);
  }
}

static void casts_of_special_values(void **state) {
  (void)state;
  static const struct { const char *name; int number; } types[] = {{"f32", 1}, {"f64", 11}, {"f16", 10}, {"bf16", 16}};
  static const int to[] = {1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 16};
  for (size_t i = 0; i < COUNT(types); i++) {
    char text[1024];
    int n = snprintf(text, sizeof text, "graph t\ninput x %s [333]\n", types[i].name);
    for (size_t k = 0; k < COUNT(to); k++) {
      if (to[k] == types[i].number) continue;
      n += snprintf(text + n, sizeof text - (size_t)n, "y%zu = Cast(x) to=%d\noutput y%zu\n", k, to[k], k);
    }
    check_special(text, 0, true);
  }
}

/* Parameters too: variances that are negative, zero or infinite, scales of 0. */
static void special_batch_norms(void **state) {
  (void)state;
  check_special("graph t\ninput x f32 [2,61,7]\ninput s f32 [61]\ninput b f32 [61]\ninput m f32 [61]\ninput v f32 [61]\n"
                "y = BatchNormalization(x, s, b, m, v) epsilon=0.01\nz = BatchNormalization(x, s, b, m, v) epsilon=0.0\n"
                "output y\noutput z\n", 1e-5, false);
}

/* Lanes past the last channel hold what the chain makes of zeros there, which nobody may read: 0/0, say. */
static void lanes_past_the_channels(void **state) {
  (void)state;
  static const char *const readers[] = {
    "Conv(q, w) pads=[1,1,1,1]", "Conv(q, v)", "Conv(q, d) group=19 pads=[1,1,1,1]", "Conv(q, u) group=19",
    "Conv(q, few) pads=[1,1,1,1]", "Conv(q, one_output)",
    "GlobalAveragePool(q)", "MaxPool(q) kernel_shape=[2,2]", "Softmax(q) axis=1", "ArgMax(q) axis=1", "MatMul(f, m)",
    "Concat(q, q) axis=1", "Transpose(q) perm=[0,2,3,1]",
  };
  char text[2048];
  int n = snprintf(text, sizeof text,
                   "graph t\ninput x f32 [2,19,9,11]\nconst one f32 [19,1,1,1] = splat 1\n"
                   "const w f32 [21,19,3,3] = random 1 -0.1 0.1\nconst v f32 [21,19,1,1] = random 2 -0.1 0.1\n"
                   "const d f32 [19,1,3,3] = random 3 -0.5 0.5\nconst u f32 [38,1,1,1] = random 4 -0.5 0.5\n"
                   "const m f32 [1881,5] = random 5 -0.1 0.1\nconst few f32 [2,19,3,3] = random 6 -0.1 0.1\n"
                   "const one_output f32 [1,19,1,1] = random 7 -0.1 0.1\n"
                   "b = Conv(x, one) group=19\np = Conv(x, one) group=19\nq = Div(b, p)\nf = Flatten(q)\n");
  add_calls(text, sizeof text, n, readers, COUNT(readers));
  check_kernel_in(text, 1e-5, 1, 2);
  check_winograd(text, 1e-5);
}

/* Convolutions on both sides make the chain run on channel blocks, with its reader's halo. Its gate needs
 * all of the convolution's result, so that it can't be that one's epilogue. */
static void chains_on_channel_blocks(void **state) {
  (void)state;
  static const char *const channels[] = {"8", "5", "19", "32"};
  for (size_t i = 0; i < COUNT(channels); i++) {
    check_with("graph t\ninput x f32 [1,3,13,11]\n"
               "const w f32 [%s,3,3,3] = random 1 -0.5 0.5\nconst v f32 [6,%s,3,3] = random 2 -0.2 0.2\n"
               "const s f32 [1,%s,1,1] = random 3 0.5 1.5\n"
               "a = Conv(x, w, _) pads=[1,1,1,1]\np = Relu(a)\n"
               "gate = GlobalAveragePool(p)\ng = Sigmoid(gate)\nm = Mul(p, g)\n"
               "t = Mul(m, s)\nq = Add(t, a)\nr = LeakyRelu(q)\nu = Tanh(r)\n"
               "y = Conv(u, v, _) pads=[1,1,1,1]\noutput y\noutput r\n", channels[i], 1e-5, 0, 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(unary_operators_on_any_length),
    cmocka_unit_test(broadcasting),
    cmocka_unit_test(integers),
    cmocka_unit_test(division_that_traps_on_the_cpu),
    cmocka_unit_test(division_by_zero),
    cmocka_unit_test(doubles),
    cmocka_unit_test(casts_between_all_types),
    cmocka_unit_test(small_numbers_to_half),
    cmocka_unit_test(large_numbers_to_integers),
    cmocka_unit_test(chains_on_dense_tensors),
    cmocka_unit_test(batch_norm_with_run_time_parameters),
    cmocka_unit_test(chains_on_channel_blocks),
    cmocka_unit_test(special_values_of_one_operand),
    cmocka_unit_test(special_bounds),
    cmocka_unit_test(special_values_of_two_operands),
    cmocka_unit_test(casts_of_special_values),
    cmocka_unit_test(special_batch_norms),
    cmocka_unit_test(lanes_past_the_channels),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
