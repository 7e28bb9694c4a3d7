/* fold_test.c: each file of tests/rewrite/graphs named fold_* or batch_* holds a graph, a line `---`, and what the
 * passes make of it; the evaluator must see no difference between the two. Runs in the folder tests. */
#include "fixture.h"

#include <dirent.h>

static char *read_text(const char *file) {
  static char text[1 << 16];
  char path[300];
  snprintf(path, sizeof path, "rewrite/graphs/%s", file);
  FILE *f = fopen(path, "r");
  if (!f) fail_msg("%s can't be read", path);
  text[fread(text, 1, sizeof text - 1, f)] = '\0';
  fclose(f);
  return text;
}

static Graph *shaped_graph(Context *cx, const char *text) {
  Graph *g = text_parse(cx, NULL, text);
  pass_shape(g);
  verify(g, "shape");
  return g;
}

/* Some numbers, the same for both graphs; small integers where they may be indices. */
static const void **make_inputs(Graph *g) {
  const void **in = alloc_n(g->cx, (size_t)g->n_input, sizeof *in);
  for (int i = 0; i < g->n_input; i++) {
    int64_t count = shape_count(&g->input[i]->shape);
    char *data = alloc_n(g->cx, (size_t)count, type_size(g->input[i]->type));
    for (int64_t k = 0; k < count && g->input[i]->type == T_F32; k++)
      ((float *)data)[k] = (float)((k * 37 + 11 * i) % 101) / 50 - 1;
    in[i] = data;
  }
  return in;
}

static void expect_same_results(Graph *before, Graph *after, const char *file) {
  const void **in = make_inputs(before);
  void **a = evaluated(before, in), **b = evaluated(after, in);
  assert_int_equal(before->n_output, after->n_output);
  for (int i = 0; i < before->n_output; i++) {
    const Value *v = before->output[i];
    size_t bytes = (size_t)shape_count(&v->shape) * type_size(v->type);
    assert_string_equal(v->name, after->output[i]->name);
    assert_true(shape_equal(&v->shape, &after->output[i]->shape));
    if (memcmp(a[i], b[i], bytes) != 0) fail_msg("%s: output %s differs", file, v->name);
  }
}

/* batch_*: the passes fold and batch, and fold a second time to see that it finds nothing. */
static void check_pair(Context *cx, const char *file, bool batch) {
  EXPECT_NO_FAIL(cx);
  char *text = read_text(file), *split = strstr(text, "\n---\n");
  if (!split) fail_msg("%s has no line ---", file);
  split[1] = '\0';
  Graph *before = shaped_graph(cx, text), *g = shaped_graph(cx, text);
  pass_fold(g);
  verify(g, "fold");
  if (batch) pass_batch(g);
  verify(g, "batch");
  assert_string_equal(graph_text(g), graph_text(shaped_graph(cx, split + 5)));
  if (!batch) expect_same_results(before, g, file);
  char *once = graph_text(g);
  pass_fold(g);
  assert_string_equal(graph_text(g), once);
}

static void pairs_agree(void **state) {
  (void)state;
  int pairs = 0;
  DIR *d = opendir("rewrite/graphs");
  if (!d) fail_msg("graph can't be read: the test runs in the folder tests");
  for (struct dirent *e = readdir(d); e; e = readdir(d)) {
    bool batch = strncmp(e->d_name, "batch_", 6) == 0;
    if (!batch && strncmp(e->d_name, "fold_", 5) != 0) continue;
    print_message("  %s\n", e->d_name);
    Context *cx = context_new();
    check_pair(cx, e->d_name, batch);
    context_free(cx);
    pairs++;
  }
  closedir(d);
  assert_true(pairs >= 10);
}

/* ---- single points ---- */

static Graph *folded(Context *cx, const char *text) {
  Graph *g = shaped_graph(cx, text);
  pass_fold(g);
  verify(g, "fold");
  return g;
}

static void strict_keeps_signed_zeros(void **state) {
  (void)state;
  static const char text[] = "input x f32 [4]\nconst z f32 [] = {0}\nconst m f32 [] = {-0}\n"
                             "a = Add(x, z)\nb = Relu(a)\nc = Add(b, m)\nd = Tanh(c)\noutput d\n";
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  assert_int_equal(folded(cx, text)->n_node, 2);
  Options strict = {.strict = true};
  Graph *g = text_parse(cx, &strict, text);
  pass_shape(g);
  pass_fold(g);
  assert_int_equal(g->n_node, 3);
  context_free(cx);
}

/* Megabytes of result from a few bytes would only make the object large. */
static void large_results_stay(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = folded(cx, "const s i64 [1] = {20000000}\ny = ConstantOfShape(s)\noutput y\n");
  assert_int_equal(g->node[0]->op, OP_Pad); /* of the one element with itself */
  context_free(cx);
}

static void large_fills_are_the_same(void **state) {
  (void)state;
  static const char text[] = "const s i64 [2] = {2000, 1001}\nconst v i32 [1] = {-7}\ny = ConstantOfShape(s) value=&v\noutput y\n";
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *before = shaped_graph(cx, text), *g = folded(cx, text);
  assert_int_equal(g->node[0]->op, OP_Pad);
  expect_same_results(before, g, "fill");
  context_free(cx);
}

/* What all that is folded takes, in time and in memory, is bounded too, but not for a model whose own constants are as large. */
static void many_computations_stay(void **state) {
  (void)state;
  static const char *const first[] = {"const k f32 [512,512] = splat 1\n", "const k f32 [2048,2048] = splat 1\n"};
  for (int i = 0; i < 2; i++) {
    Context *cx = context_new();
    Buffer text = {0};
    buffer_printf(&text, "%sinput x f32 [1]\n", first[i]);
    for (int n = 0; n < 40; n++) buffer_printf(&text, "y%d = %s(%s%d)\n", n, i ? "Sigmoid" : "Relu", n ? "y" : "k", n - 1);
    char *y0 = strstr(text.data, "k-1");
    y0[1] = y0[2] = ' ';
    buffer_printf(&text, "y = Add(x, y39)\noutput y\n");
    Graph *g = folded(cx, text.data);
    assert_true(i == 0 ? g->n_node == 1 : g->n_node > 1 && g->n_node < 41);
    buffer_free(&text);
    context_free(cx);
  }
}

/* Of a window's taps only those inside the input are looked at. */
static void windows_beyond_the_input(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = folded(cx, "const x f32 [1,1,2,2,2] = splat 1\ny = MaxPool(x) kernel_shape=[2000000000,1,1] "
                        "pads=[1999999998,0,0,0,0,0]\noutput y\n");
  assert_int_equal(g->node[0]->op, OP_Identity);
  context_free(cx);
}

static void long_computations_stay(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = folded(cx, "const a f32 [1024,1100] = splat 1\nconst b f32 [1100,1024] = splat 1\n"
                        "y = MatMul(a, b)\noutput y\n");
  assert_int_equal(g->n_node, 1);
  assert_int_equal(g->node[0]->op, OP_MatMul);
  context_free(cx);
}

static void folding_is_linear(void **state) {
  (void)state;
  enum { NODES = 20000 };
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = text_parse(cx, NULL, "input x f32 [4]\n");
  Value *x = g->input[0];
  for (int i = 0; i < NODES; i++) {
    Node *n = node_new(g, i % 2 ? OP_Identity : OP_Relu, "n", 1, &x, 1);
    n->out[0] = value_new(g, "n", x->type, x->shape);
    n->out[0]->def = n;
    x = n->out[0];
  }
  x->is_output = true;
  g->output = &x;
  g->n_output = 1;
  pass_fold(g);
  assert_int_equal(g->n_node, NODES / 2);
  context_free(cx);
}

static void interface_shapes_are_kept(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = folded(cx, "input x f32 [N,3]\ninput k f32 [3]\n"
                        "y = Add(x, k)\nz = Relu(k)\noutput y\noutput z\n");
  pass_batch(g);
  assert_true(g->symbolic);
  assert_int_equal(g->input_shape[0].d[0], -1);
  assert_int_equal(g->input_shape[1].d[0], 3);
  assert_int_equal(g->output_shape[0].d[0], -1);
  assert_int_equal(g->output_shape[0].d[1], 3);
  assert_int_equal(g->output_shape[1].d[0], 3);
  assert_int_equal(g->output[0]->shape.d[0], 1);
  Graph *fixed = folded(cx, "input x f32 [2,3]\ny = Relu(x)\noutput y\n");
  pass_batch(fixed);
  assert_false(fixed->symbolic);
  assert_int_equal(fixed->input_shape[0].d[0], 2);
  assert_int_equal(fixed->output_shape[0].d[0], 2);
  context_free(cx);
}

#define FIX "; fix the batch with --batch N"

static void mixed_images_are_refused(void **state) {
  (void)state;
  static const struct { const char *text, *error; } bad[] = {
    {"input x f32 [N,4]\ny = ArgMax(x) axis=0\noutput y\n",
     "test: node \"y\" (ArgMax): axis 0 of input 0, [N,4], is the symbolic batch; --batch fixes it"},
    {"input x f32 [N,4]\nz = Gemm(x, x) transA=1\noutput z\n",
     "test: node \"z\" (Gemm): axis 0 of input 0, [N,4], is the symbolic batch; --batch fixes it"},
    {"input x f32 [N,4]\ny = Softmax(x) axis=0\noutput y\n",
     "test: node \"y\" (Softmax): works along the batch axis" FIX},
    {"input x f32 [N,4]\ny = LogSoftmax(x) axis=-2\noutput y\n",
     "test: node \"y\" (LogSoftmax): works along the batch axis" FIX},
    {"input x f32 [N]\ny = Softmax(x)\noutput y\n",
     "test: node \"y\" (Softmax): works along the batch axis" FIX},
    {"input x f32 [N,4]\ny = Concat(x, x) axis=0\nz = Relu(y)\nw = Softmax(z)\nconst s i64 [2] = {N,8}\n"
     "v = Reshape(w, s)\noutput v\n", "test: node \"y\" (Concat): joins batches" FIX},
    {"input x f32 [N,4]\ninput k f32 [3,N]\ny = MatMul(k, x)\noutput y\n",
     "test: node \"y\" (MatMul): axis 1 of input 0, [3,N], is the symbolic batch; --batch fixes it"},
    {"input x f32 [4,N]\ny = Relu(x)\noutput y\n",
     "test: input \"x\" has the shape [4,N], in which the batch is not the first dimension; "
     "fix it with --batch N"},
    {"input x f32 [N,4]\nconst s i64 [2] = {2N,2}\ny = Reshape(x, s)\noutput y\n",
     "test: output \"y\" has the shape [2N,2], in which the batch is not the first dimension; "
     "fix it with --batch N"},
    {"input x f32 [N,3,4,4]\ny, z = MaxPool(x) kernel_shape=[2,2]\noutput z\n",
     "test: node \"y\" (MaxPool): numbers the elements of all images" FIX},
    {"input x f32 [N,4]\ny = Shape(x)\noutput y\n",
     "test: node \"y\" (Identity): needs the size of the batch" FIX},
  };
  Context *cx = context_new();
  for (size_t i = 0; i < COUNT(bad); i++)
    EXPECT_FAIL(cx, pass_batch(folded(cx, bad[i].text)), bad[i].error);
  context_free(cx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(pairs_agree),
    cmocka_unit_test(strict_keeps_signed_zeros),
    cmocka_unit_test(large_results_stay),
    cmocka_unit_test(large_fills_are_the_same),
    cmocka_unit_test(many_computations_stay),
    cmocka_unit_test(windows_beyond_the_input),
    cmocka_unit_test(long_computations_stay),
    cmocka_unit_test(folding_is_linear),
    cmocka_unit_test(interface_shapes_are_kept),
    cmocka_unit_test(mixed_images_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
