/* key_test.c: layers share a function where nothing that its code depends on differs, and only there. */
#include "emit.h"
#include "each_context.h"
#include "loaded.h"
#include "harness.h"

static Options options = {.name = "net", .max_memory = 1 << 30, .verify = true, .emit = EMIT_LLVM};

static Build *planned_build(const char *text) { return build_of(text_parse(cx, &options, text), NULL); }
static Graph *planned(const char *text) { return planned_build(text)->graph; }

static Node *node_of(Graph *g, Op op) {
  for (int i = 0; i < g->n_node; i++) {
    if (g->node[i]->op == op) return g->node[i];
  }
  fail_msg("no %s", op_info[op].name);
  return NULL;
}

static Buffer key_of(const Node *n, int phase) {
  Buffer key = {0};
  assert_true(layer_key(n, phase, false, &key));
  return key;
}

static bool same_key(const Node *a, const Node *b) {
  Buffer x = key_of(a, 0), y = key_of(b, 0);
  bool same = x.size == y.size && memcmp(x.data, y.data, x.size) == 0;
  buffer_free(&x);
  buffer_free(&y);
  return same;
}

/* ==== keys ==== */

#define CONV \
  "graph net\ninput x f32 [1,16,9,7]\nconst w f32 [16,16,3,3] = random 1 -1 1\n" \
  "y = Conv(x, w) pads=[1,1,1,1]\nz = Add(y, x)\ns = Softmax(z) axis=3\noutput s\n"

/* Every byte of a plan before the places, and no other. */
static void plans_that_differ_have_other_keys(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Node *n = node_of(planned(CONV), OP_Conv), other = *n;
  for (size_t i = 0; i < sizeof *n->plan; i++) {
    Plan plan = *n->plan;
    ((char *)&plan)[i] ^= 1;
    other.plan = &plan;
    bool work = i >= offsetof(Plan, at.work); /* a pointer */
    if (!work) assert_int_equal(same_key(n, &other), i >= offsetof(Plan, at));
  }
  Plan plan = *n->plan;
  plan.at.bias = -1;
  other.plan = &plan;
  assert_false(same_key(n, &other));
}

static void fields_of_nodes_are_in_the_key(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Node *n = node_of(planned(CONV), OP_Conv), other = *n;
  assert_true(n->n_step > 0 && same_key(n, &other));
  for (size_t i = 0; i < sizeof n->win; i++) {
    ((char *)&other.win)[i] ^= 1;
    assert_false(same_key(n, &other));
    other.win = n->win;
  }
  other.group++;
  assert_false(same_key(n, &other));
  other = *n;
  other.n_step--;
  assert_false(same_key(n, &other));
  other = *n;
  for (size_t i = 0; i < sizeof n->p; i++) {
    ((char *)&other.p)[i] ^= 1;
    assert_false(same_key(n, &other));
    other.p = n->p;
  }
}

static void layouts_and_shapes_are_in_the_key(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Node *n = node_of(planned(CONV), OP_Conv), other = *n;
  Value y = *n->out[0], *out = &y;
  other.out = &out;
  assert_true(same_key(n, &other));
  int64_t *const number[] = {&y.shape.d[0], &y.shape.d[3], &y.layout.top, &y.layout.left, &y.layout.bottom, &y.layout.right,
                             &y.layout.n, &y.layout.c, &y.layout.row, &y.layout.pix, &y.layout.origin, &y.layout.size};
  for (size_t i = 0; i < COUNT(number); i++) {
    ++*number[i];
    assert_false(same_key(n, &other));
    --*number[i];
  }
  y.type = T_I32;
  assert_false(same_key(n, &other));
  y = *n->out[0];
  y.place = P_OUTPUT;
  assert_false(same_key(n, &other));
}

/* Where values lie is no part of it; that two lie in the same memory is. */
static void only_relations_of_places_are_in_the_key(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Node *n = node_of(planned("graph net\ninput x f32 [4,6]\na = Softmax(x) axis=0\nb = Softmax(a) axis=1\n"
                            "c = Softmax(b) axis=0\noutput c\n"), OP_Softmax);
  Value x = {.type = T_F32, .shape = n->in[0]->shape, .layout = n->in[0]->layout, .place = P_WORK, .offset = 640};
  Value y = x, *in = &x, *out = &y;
  Node one = *n, other;
  one.in = &in;
  one.out = &out;
  y.offset = 1280;
  Value x2 = x, y2 = y, *in2 = &x2, *out2 = &y2;
  other = one;
  other.in = &in2;
  other.out = &out2;
  x2.offset = 64000;
  assert_true(same_key(&one, &other));
  y2.offset = x2.offset;
  assert_false(same_key(&one, &other));
  y.offset = x.offset;
  assert_true(same_key(&one, &other));
  y2.alias_offset = 64;
  assert_false(same_key(&one, &other));
}

/* A node that is read from a key has that key. */
static void nodes_come_back_from_their_keys(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Graph *g = planned(CONV);
  for (int i = 0; i < g->n_node; i++) {
    Buffer key = key_of(g->node[i], 0);
    Node *n = layer_node(cx, &key);
    assert_int_equal(n->op, g->node[i]->op);
    Buffer again = key_of(n, 0);
    assert_int_equal(key.size, again.size);
    assert_memory_equal(key.data, again.data, key.size);
    buffer_free(&key);
    buffer_free(&again);
  }
}

/* ==== functions ==== */

typedef struct Functions {
  int layers, kernels; /* kernels: of convolutions */
} Functions;

static Functions functions_of(const char *text) {
  Object o;
  Functions f = {0};
  object_emit(planned_build(text), &o);
  char *copy = copy_bytes_as_text(cx, o.data, o.size);
  for (const char *at = copy; (at = strstr(at, "define internal void @net.")) != NULL; at++) {
    const char *name = strchr(at, '@') + strlen("@net.");
    f.layers += *name >= '0' && *name <= '9';
    f.kernels += *name == 'k' && strncmp(strchr(name, '.'), ".conv_", 6) == 0;
  }
  return f;
}

static void layers_share_functions(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  static const char text[] =
    "graph net\ninput x f32 [1,16,9,7]\nconst v f32 [16,16,3,3] = random 1 -1 1\nconst w f32 [16,16,3,3] = random 2 -1 1\n"
    "a = Conv(x, v) pads=[1,1,1,1]\nb = Conv(a, w) pads=[1,1,1,1]\nc = Conv(b, v) pads=[1,1,1,1]\n"
    "d = Conv(c, w) pads=[1,1,1,1]\noutput d\n";
  options.winograd = WINOGRAD_OFF;
  assert_int_equal(functions_of(text).layers, 4); /* two Reorders, and d, which has no halo */
  options.unshared = true;
  assert_int_equal(functions_of(text).layers, 6);
  options.unshared = false;
  options.winograd = WINOGRAD_AUTO;
}

static void sums_with_numbers_share_a_function(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  static const char text[] = "graph net\ninput x f32 [2,3]\nconst s f32 [1] = {3}\nconst t f32 [1] = {4}\nconst u f32 [1] = {5}\n"
                             "a = Add(x, s)\nb = Add(x, t)\nc = Add(x, u)\noutput a\noutput b\noutput c\n";
  assert_int_equal(functions_of(text).layers, 3);
  options.many_shapes = true;
  assert_int_equal(functions_of(text).layers, 1);
  options.many_shapes = false;
}

/* One kernel serves all numbers of whole blocks. Rows lie further apart the more channels there are, unless there are many shapes. */
static void kernels_serve_all_channels(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  static const char text[] =
    "graph net\ninput x f32 [1,32,9,7]\nconst u f32 [64,32,3,3] = random 1 -1 1\nconst v f32 [48,64,3,3] = random 2 -1 1\n"
    "const w f32 [96,48,3,3] = random 2 -1 1\na = Conv(x, u) pads=[1,1,1,1]\nb = Conv(a, v) pads=[1,1,1,1]\n"
    "c = Conv(b, w) pads=[1,1,1,1]\nd = MaxPool(c) kernel_shape=[2,2]\noutput d\n";
  options.winograd = WINOGRAD_OFF;
  int apart = functions_of(text).kernels;
  options.many_shapes = true;
  int together = functions_of(text).kernels;
  options.many_shapes = false;
  options.winograd = WINOGRAD_AUTO;
  if (together >= apart) fail_msg("%d kernels, not fewer than %d", together, apart);
}

/* A copy whose source and target are the same memory had the key of one between others. */
static void each_name_of_a_tensor_is_written(void **state) {
  (void)state;
  check_kernel("graph g\ninput x f32 [1,8,5,5]\na = Relu(x)\nb = Identity(a)\nc = Identity(a)\nd = Relu(a)\n"
               "output a\noutput b\noutput c\noutput d\n", 0);
  check_kernel("graph g\ninput x f32 [1,16,8,8]\nconst w f32 [16,16,3,3] = random 1 -1 1\na = Conv(x, w)\n"
               "b = Conv(x, w)\nc = Conv(x, w)\nd = Conv(x, w)\noutput a\noutput b\noutput c\noutput d\n", 2e-4);
}

/* Maps of 7 and of 8 pixels have halves of 4: the second half of the first repeats its last pixel. */
static void halves_of_odd_and_even_maps_differ(void **state) {
  (void)state;
  check_strassen("graph g\ninput x f32 [1,128,8,1]\ninput z f32 [1,128,7,1]\nconst w f32 [128,128,1,1] = random 1 -1 1\n"
                 "a = Conv(x, w)\nb = Conv(z, w)\noutput a\noutput b\n", 1e-4);
}

/* Products of a single phase are code of stride 1 as well as 2; products that complete nothing are code of any epilogue. */
static void kernels_are_called_as_they_are_defined(void **state) {
  (void)state;
  check_winograd("graph g\ninput x f32 [1,32,16,16]\nconst w f32 [32,32,3,3] = random 1 -1 1\n"
                 "a = Conv(x, w) pads=[1,1,1,1] strides=[2,2]\nb = Conv(a, w) pads=[1,1,1,1]\n"
                 "c = Conv(b, w) pads=[1,1,1,1] strides=[2,2]\noutput c\n", 2e-3);
  check_strassen("graph g\ninput x f32 [1,128,8,8]\nconst w f32 [128,128,1,1] = random 1 -0.1 0.1\n"
                 "a = Conv(x, w)\nb = Conv(a, w)\nr = Relu(b)\nc = Conv(r, w)\nd = Add(c, r)\ne = Relu(d)\noutput e\n", 1e-4);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(plans_that_differ_have_other_keys, context_setup, context_teardown),
    cmocka_unit_test_setup_teardown(fields_of_nodes_are_in_the_key, context_setup, context_teardown),
    cmocka_unit_test_setup_teardown(layouts_and_shapes_are_in_the_key, context_setup, context_teardown),
    cmocka_unit_test_setup_teardown(only_relations_of_places_are_in_the_key, context_setup, context_teardown),
    cmocka_unit_test_setup_teardown(nodes_come_back_from_their_keys, context_setup, context_teardown),
    cmocka_unit_test_setup_teardown(layers_share_functions, context_setup, context_teardown),
    cmocka_unit_test_setup_teardown(kernels_serve_all_channels, context_setup, context_teardown),
    cmocka_unit_test_setup_teardown(sums_with_numbers_share_a_function, context_setup, context_teardown),
    cmocka_unit_test(each_name_of_a_tensor_is_written),
    cmocka_unit_test(halves_of_odd_and_even_maps_differ),
    cmocka_unit_test(kernels_are_called_as_they_are_defined),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
