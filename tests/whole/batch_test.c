/* batch_test.c: tensors with and without a symbolic batch in one model: every batch against one image at a time, in the
 * evaluator; what has no batch is read and written once. */
#include <stdlib.h>

#include "tools.h"
#include "each_context.h"
#include "loaded.h"

#include <math.h>

static Options options;

static int setup(void **state) {
  context_setup(state);
  options = (Options){.name = "net", .input = "net.onnx", .max_memory = 1 << 30, .verify = true};
  return 0;
}

/* ==== a model and what is right ==== */

enum { MOST = 5, MAX_TENSORS = 4 };

typedef struct Model {
  Graph *g;                       /* one image, to evaluate */
  Loaded loaded;
  const rcc_model *m;
  float *input[MAX_TENSORS];      /* of MOST images, or without a batch */
  float *expected[MAX_TENSORS];
} Model;

static size_t image_bytes(const Value *v) { return (size_t)shape_count(&v->shape) * type_size(v->type); }
static size_t tensor_bytes(const Value *v, int64_t batch) { return image_bytes(v) * (size_t)(v->batched ? batch : 1); }

static void evaluate(Model *m) {
  Graph *g = m->g;
  for (int i = 0; i < g->n_input; i++) {
    size_t n = tensor_bytes(g->input[i], MOST) / sizeof(float);
    m->input[i] = alloc_n(cx, n, sizeof(float));
    for (size_t k = 0; k < n; k++) m->input[i][k] = (float)((k * 37 + (size_t)i * 11) % 101) / 50 - 1;
  }
  for (int i = 0; i < g->n_output; i++) m->expected[i] = alloc(cx, tensor_bytes(g->output[i], MOST));
  for (int image = 0; image < MOST; image++) {
    const void *in[MAX_TENSORS];
    void *out[MAX_TENSORS];
    for (int i = 0; i < g->n_input; i++) {
      in[i] = (char *)m->input[i] + (g->input[i]->batched ? (size_t)image * image_bytes(g->input[i]) : 0);
    }
    eval_graph(g, in, out);
    for (int i = 0; i < g->n_output; i++) {
      size_t at = g->output[i]->batched ? (size_t)image * image_bytes(g->output[i]) : 0;
      memcpy((char *)m->expected[i] + at, out[i], image_bytes(g->output[i]));
    }
  }
}

static Model model_new(const char *text) {
  Model m = {.g = text_parse(cx, &options, text)};
  pass_shape(m.g);
  pass_fold(m.g);
  pass_batch(m.g);
  assert_true(m.g->n_input <= MAX_TENSORS && m.g->n_output <= MAX_TENSORS);
  evaluate(&m);
  Graph *g = text_parse(cx, &options, text);
  m.loaded = load_graph(g, NULL);
  m.m = m.loaded.model;
  return m;
}

/* ==== runs ==== */

static void compare(const Model *m, int output, const void *got, int64_t batch, int32_t threads) {
  const Value *v = m->g->output[output];
  size_t bytes = tensor_bytes(v, batch);
  if (v->type != T_F32) {
    assert_memory_equal(got, m->expected[output], bytes);
    return;
  }
  const float *x = got, *y = m->expected[output];
  for (size_t i = 0; i < bytes / sizeof *x; i++) {
    if (!(fabsf(x[i] - y[i]) <= 1e-4f)) {
      fail_msg("\"%s\"[%zu] is %g, not %g: a batch of %d, %d threads", v->name, i, (double)x[i], (double)y[i], (int)batch,
               (int)threads);
    }
  }
}

/* With threads 0 on the caller's; without a batch's elements there is no pointer. */
static void run_batch(const Model *m, int64_t batch, int32_t threads, size_t size) {
  const Graph *g = m->g;
  rcc_parallel par = {.threads = threads, .run = run_backwards};
  Guarded in[MAX_TENSORS], out[MAX_TENSORS], work = guarded_new(size, 64, true);
  const void *inputs[MAX_TENSORS] = {0};
  void *outputs[MAX_TENSORS] = {0};
  for (int i = 0; i < g->n_input; i++) {
    size_t bytes = tensor_bytes(g->input[i], batch);
    in[i] = guarded_new(bytes, 1, true);
    if (bytes) inputs[i] = memcpy(in[i].data, m->input[i], bytes);
  }
  for (int i = 0; i < g->n_output; i++) {
    size_t bytes = tensor_bytes(g->output[i], batch);
    out[i] = guarded_new(bytes, 1, true);
    if (bytes) outputs[i] = out[i].data;
  }
  int error = m->m->run(inputs, outputs, batch, work.data, size, threads ? &par : NULL);
  if (error) fail_msg("%s: a batch of %d, %d threads", rcc_strerror(error), (int)batch, (int)threads);
  for (int i = 0; i < g->n_output; i++) compare(m, i, outputs[i], batch, threads);
  for (int i = 0; i < g->n_input; i++) free_intact(&in[i]);
  for (int i = 0; i < g->n_output; i++) free_intact(&out[i]);
  free_intact(&work);
}

static void check_batches(const char *text) {
  static const int32_t threads[] = {0, 1, 2, 3};
  static const int64_t batches[] = {0, 1, 2, 3, MOST};
  Model m = model_new(text);
  for (size_t t = 0; t < COUNT(threads); t++) {
    for (size_t b = 0; b < COUNT(batches); b++) {
      int32_t n = threads[t] ? threads[t] : 1;
      run_batch(&m, batches[b], threads[t], m.m->workspace_size(batches[b], n));
      run_batch(&m, batches[b], threads[t], m.m->workspace_size(1, n));
    }
  }
  unload(&m.loaded);
}

/* Image by image; then, where that can be, by groups of two. */
static void check(const char *text) {
  EXPECT_NO_FAIL(cx);
  check_batches(text);
  options.image_nodes = 2;
  options.images_together = 1;
  check_batches(text);
}

/* ==== the models ==== */

/* What a group can be of: its last layers make a matrix. */
static const char classifier[] =
  "graph net\ninput x f32 [N,3,12,12]\nconst w f32 [16,3,3,3] = random 1 -0.4 0.4\nconst v f32 [16,16,3,3] = random 2 -0.2 0.2\n"
  "const m f32 [16,10] = random 3 -0.3 0.3\nconst bias f32 [10] = random 4 -1 1\n"
  "a = Conv(x, w) pads=[1,1,1,1]\nb = Relu(a)\nc = MaxPool(b) kernel_shape=[2,2] strides=[2,2]\nd = Conv(c, v) pads=[1,1,1,1]\n"
  "e = Add(d, c)\nf = GlobalAveragePool(e)\nh = Flatten(f)\ni = Gemm(h, m, bias)\nj = Softmax(i)\noutput j\noutput f\n";

static const char template_match[] =
  "graph net\ninput x f32 [N,3,9,9]\ninput template f32 [1,3,9,9]\n"
  "const w f32 [16,3,3,3] = random 1 -0.3 0.3\nconst v f32 [16,16,3,3] = random 2 -0.2 0.2\n"
  "a = Conv(x, w) pads=[1,1,1,1]\nb = Relu(a)\nc = Conv(template, w) pads=[1,1,1,1]\nd = Relu(c)\n"
  "e = Conv(d, v) pads=[1,1,1,1]\nf = Relu(e)\nh = Add(b, f)\ni = Relu(h)\noutput i\noutput f\n";

static const char side_inputs[] =
  "graph net\ninput x f32 [N,4,5,5]\ninput scale f32 [1,4,1,1]\ninput shift f32 [4,1,1]\n"
  "a = Mul(x, scale)\nb = Add(a, shift)\nc = Relu(scale)\noutput b\noutput c\n";

static const char gate[] =
  "graph net\ninput x f32 [N,8,6,6]\ninput size f32 [1,2]\nconst w f32 [2,8] = random 1 -1 1\n"
  "const p i64 [4] = {1, 8, 1, 1}\nconst q f32 [8,8,1,1] = random 2 -1 1\n"
  "a = MatMul(size, w)\nb = Sigmoid(a)\nc = Reshape(b, p)\nd = Conv(x, q)\ne = Mul(d, c)\noutput e\n";

/* Outputs that no input and no image decides. */
static const char constants[] =
  "graph net\ninput x f32 [N,3]\nconst boxes f32 [7,4] = random 1 0 1\ns = Shape(x) start=1\n"
  "b = Identity(boxes)\ny = Relu(x)\noutput y\noutput b\noutput s\n";

/* One tensor of zeros for every image, one for all; alike as soon as there is one image. */
static const char alike[] =
  "graph net\ninput x f32 [N,3]\ninput side f32 [1,3]\nconst tail i64 [1] = {3}\n"
  "const whole f32 [1,3] = {1, 2, 3}\n"
  "n = Shape(x) end=1\nshape = Concat(n, tail) axis=0\none = ConstantOfShape(shape)\n"
  "a = Add(side, one)\nb = Add(side, whole)\nc = Mul(a, whole)\nd = Mul(side, whole)\n"
  "output a\noutput b\noutput c\noutput d\n";

/* Outputs that are the same for every image and yet each one's, computed from constants. */
static const char spread[] =
  "graph net\ninput x f32 [N,3]\nconst rows i64 [2] = {2, 3}\nconst row f32 [1,1,3] = {1, 2, 3}\n"
  "h = Shape(x) end=1\nshape = Concat(h, rows) axis=0\na = Expand(row, shape)\nb = ConstantOfShape(h)\ny = Relu(x)\n"
  "output a\noutput b\noutput y\n";

/* Views: of what is made once, as an image's output, and the other way round. */
static const char views[] =
  "graph net\ninput x f32 [N,2,6]\ninput side f32 [2,6]\nconst flat i64 [2] = {1, 12}\n"
  "a = Relu(side)\nb = Reshape(a, flat)\nc = Flatten(x)\nd = Add(c, b)\ne = Tanh(a)\noutput d\noutput b\noutput e\n";

/* Parts of a Concat in place, one of them made once and read by every image. */
static const char parts[] =
  "graph net\ninput x f32 [N,3,4,4]\ninput side f32 [1,3,4,4]\nconst w f32 [16,3,1,1] = random 1 -1 1\n"
  "const v f32 [8,16,1,1] = random 2 -1 1\n"
  "a = Conv(x, w)\nb = Conv(side, w)\nc = Add(a, b)\nd = Concat(a, c) axis=1\ne = Concat(b, b) axis=1\n"
  "f = Mul(d, e)\ng = MaxPool(b) kernel_shape=[2,2]\nh = Conv(g, v)\noutput f\noutput h\n";

/* All that is computed is computed once; the batch passes through. */
static const char only_once[] =
  "graph net\ninput x f32 [N,2]\ninput side f32 [3,4]\nconst w f32 [4,5] = random 1 -1 1\n"
  "a = MatMul(side, w)\nb = Softmax(a)\ny = Identity(x)\noutput b\noutput y\n";

static const char run_time_weights[] =
  "graph net\ninput x f32 [N,3,6,6]\ninput w f32 [5,3,3,3]\ninput bias f32 [5]\n"
  "const up f32 [1] = {0.5}\nv = Mul(w, up)\ny = Conv(x, v, bias)\noutput y\n";

static const char transposed[] =
  "graph net\ninput x f32 [N,5,4,3]\ninput side f32 [1,5,4,3]\nconst w f32 [8,3,1,1] = random 1 -1 1\n"
  "a = Transpose(x) perm=[0,3,1,2]\nb = Transpose(side) perm=[0,3,1,2]\nc = Add(a, b)\nd = Conv(c, w)\n"
  "e = Conv(b, w)\nf = Mul(d, e)\noutput f\n";

static const char lines[] =
  "graph net\ninput x f32 [N,3,20]\ninput side f32 [1,3,20]\nconst w f32 [16,3,5] = random 1 -1 1\n"
  "a = Conv(x, w)\nb = Conv(side, w)\nc = Relu(b)\nd = Add(a, c)\noutput d\noutput c\n";

static const char multiples[] =
  "graph net\ninput x f32 [N,6]\ninput side f32 [1,3]\nconst two i64 [2] = {-1, 3}\nconst six i64 [2] = {-1, 6}\n"
  "a = Reshape(x, two)\nb = Mul(a, side)\nc = Reshape(b, six)\noutput c\n";

#define CHECK(name) \
  static void name##_are_right(void **state) { (void)state, check(name); }
CHECK(classifier)
CHECK(template_match)
CHECK(side_inputs)
CHECK(gate)
CHECK(constants)
CHECK(alike)
CHECK(spread)
CHECK(views)
CHECK(parts)
CHECK(only_once)
CHECK(run_time_weights)
CHECK(transposed)
CHECK(lines)
CHECK(multiples)

/* ==== how often ==== */

static int layers_lent;

static void counted(const rcc_parallel *self, void (*task)(void *, int32_t, int32_t), void *arg, int32_t count) {
  layers_lent++;
  run_backwards(self, task, arg, count);
}

/* Layers that all threads share: so many for a batch of 0, and so many more for an image. */
static void what_does_not_depend_on_the_image_runs_once(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Model m = model_new(template_match);
  static float x[MOST * 3 * 9 * 9], side[3 * 9 * 9], y[MOST * 16 * 9 * 9], f[16 * 9 * 9];
  const void *in[] = {x, side};
  void *out[] = {y, f};
  rcc_parallel par = {.threads = 7, .run = counted}; /* more than images: these go one by one */
  size_t size = m.m->workspace_size(1, 7);
  void *work = rcc_workspace_alloc(size);
  int lent[3];
  for (int batch = 0; batch < 3; batch++) {
    layers_lent = 0;
    assert_int_equal(m.m->run(in, out, batch, work, size, &par), RCC_OK);
    lent[batch] = layers_lent;
  }
  assert_true(lent[0] >= 3); /* two convolutions and a reorder */
  assert_true(lent[1] > lent[0]);
  assert_int_equal(lent[2] - lent[1], lent[1] - lent[0]);
  rcc_workspace_free(work, size);
  unload(&m.loaded);
}

static void pointers_may_be_missing_without_elements_alone(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Model m = model_new(side_inputs);
  float x[100], scale[4] = {1, 2, 3, 4}, shift[4] = {0}, b[100], c[4];
  char *work = rcc_workspace_alloc(4096);
  const void *in[] = {NULL, scale, shift};
  void *out[] = {NULL, c};
  size_t size = m.m->workspace_size(0, 1);
  assert_true(size <= 4096);
  assert_int_equal(m.m->run(in, out, 0, work, size, NULL), RCC_OK);
  assert_memory_equal(c, scale, sizeof c);
  assert_int_equal(m.m->run(in, out, 1, work, size, NULL), RCC_ERR_ARGUMENT);
  in[0] = x;
  assert_int_equal(m.m->run(in, out, 1, work, size, NULL), RCC_ERR_ARGUMENT);
  out[0] = b;
  in[1] = NULL;
  assert_int_equal(m.m->run(in, out, 0, work, size, NULL), RCC_ERR_ARGUMENT);
  in[1] = scale;
  out[1] = NULL;
  assert_int_equal(m.m->run(in, out, 0, work, size, NULL), RCC_ERR_ARGUMENT);
  rcc_workspace_free(work, 4096);
  unload(&m.loaded);
}

/* ==== groups ==== */

/* Which come once. */
static void a_group_has_the_weights_of_one_image(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  const char *large = "graph net\ninput x f32 [N,512,7,7]\nconst w f32 [512,512,3,3] = splat 0.1\nconst m f32 [512,200] = splat 0.2\n"
                      "a = Conv(x, w) pads=[1,1,1,1]\nb = Relu(a)\nc = GlobalAveragePool(b)\nd = Flatten(c)\ne = Gemm(d, m)\noutput e\n";
  const Build *b = build_of(text_parse(cx, &options, large), NULL);
  options.small = true;
  const Build *one = build_of(text_parse(cx, &options, large), NULL);
  assert_non_null(b->group);
  assert_null(one->group);
  assert_true(b->weights_size <= one->weights_size + one->weights_size / 50);
}

/* A workspace for one image serves any batch. */
static void groups_need_a_workspace_for_the_batch(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  options.image_nodes = 2;
  options.images_together = 1;
  const Build *b = build_of(text_parse(cx, &options, classifier), NULL);
  assert_non_null(b->group);
  assert_int_equal(group_images(b), 2);
  Loaded l = load_graph(text_parse(cx, &options, classifier), NULL);
  assert_int_equal(l.model->workspace_size(1, 1), workspace_bytes(b));
  assert_true(l.model->workspace_size(2, 1) >= (size_t)workspace_bytes(b->group));
  unload(&l);
}

/* In memory of its own, of so many bytes. */
static bool compiles_within(const char *text, int64_t limit) {
  Options own = options;
  Context c = {.file = "test", .max_memory = limit, .arena = arena_new(limit)};
  bool failed = setjmp(c.unwind);
  own.max_memory = limit;
  if (!failed) {
    Object o;
    Graph *g = text_parse(&c, &own, text);
    front_run(g, NULL, NULL);
    Build *b = build_new(g, &own, target_new(&c, &own));
    build_run(b, NULL, NULL);
    object_emit(b, &o);
  }
  arena_free(c.arena);
  return !failed;
}

/* Where there is memory for the code of one image, but not for a group's, there is none of a group. */
static void groups_are_left_out_for_want_of_memory(void **state) {
  enum { STEP = 1 << 18, PASSES = 1 << 20 /* what a group's take */, MORE = 8 << 20 };
  (void)state;
  int64_t least = STEP;
  while (!compiles_within(classifier, least)) least += STEP;
  options.image_nodes = 2;
  options.images_together = 1;
  for (int64_t limit = least + PASSES; limit < least + MORE; limit += STEP) assert_true(compiles_within(classifier, limit));
}

/* Not where images are read by what is made once, or small weights are asked for. */
static void others_have_no_group(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  assert_null(build_of(text_parse(cx, &options, classifier), NULL)->group); /* too small */
  options.image_nodes = 2;
  options.images_together = 1;
  const char *const none[] = {template_match, side_inputs, gate, views, parts, only_once, run_time_weights, multiples};
  for (size_t i = 0; i < COUNT(none); i++) assert_null(build_of(text_parse(cx, &options, none[i]), NULL)->group);
}

/* ==== a number of images ==== */

/* %s stands for the batch. All algorithms are the same for one image. */
static const char number[] =
  "graph net\ninput x f32 [%s,3,12,12]\ninput side f32 [%s,8,3,3]\nconst w f32 [24,3,3,3] = random 1 -0.4 0.4\n"
  "const v f32 [24,24,3,3] = random 2 -0.2 0.2\na = Conv(x, w) pads=[1,1,1,1] strides=[2,2]\nb = Relu(a)\n"
  "c = Conv(b, v) pads=[1,1,1,1]\nd = Add(c, b)\ne = MaxPool(d) kernel_shape=[2,2] strides=[2,2]\nf = Sigmoid(e)\n"
  "const u f32 [8,24,1,1] = random 3 -0.2 0.2\nh = Conv(f, u)\ni = Add(h, side)\nj = Flatten(i)\noutput j\n";

enum { X = 3 * 12 * 12, SIDE = 8 * 3 * 3, Y = 8 * 3 * 3 };

static void run_number(const rcc_model *m, const float *x, const float *side, float *y, int32_t threads, size_t size) {
  rcc_parallel par = {.threads = threads, .run = run_backwards};
  Guarded work = guarded_new(size, 64, true);
  assert_int_equal(m->run((const void *const[]){x, side}, (void *[]){y}, 1, work.data, size, threads ? &par : NULL), RCC_OK);
  free_intact(&work);
}

/* So many images, the first layers of which are run for `together` at a time, are the same bits as each alone. */
static void check_images(int images, int together, const float *x, const float *side, const float *alone) {
  static const int32_t threads[] = {0, 1, 2, 3, 7};
  char *count = format_text(cx, "%d", images);
  options.image_nodes = 9;
  options.images_together = together;
  Loaded l = load_graph(text_parse(cx, &options, format_text(cx, number, count, count)), NULL);
  Guarded in = guarded_new((size_t)images * X * sizeof *x, 4, true), out = guarded_new((size_t)images * Y * sizeof *x, 4, true);
  memcpy(in.data, x, (size_t)images * X * sizeof *x);
  for (size_t i = 0; i < COUNT(threads); i++) {
    int32_t n = threads[i] ? threads[i] : 1;
    size_t most = l.model->workspace_size(1, n), one = l.model->workspace_size(1, 1);
    assert_true(images / together < n || n == 1 || most >= (size_t)n * (one / 2)); /* several have a workspace of their own */
    memset(out.data, 0, (size_t)images * Y * sizeof *x);
    run_number(l.model, (const float *)in.data, side, (float *)out.data, threads[i], most);
    assert_memory_equal(out.data, alone, (size_t)images * Y * sizeof *x);
  }
  float y[1];
  char work[64];
  assert_int_equal(l.model->run((const void *const[]){x, side}, (void *[]){y}, 1, work, 0, NULL), RCC_ERR_WORKSPACE);
  assert_int_equal(l.model->run((const void *const[]){x, side}, (void *[]){y}, images, work, 64, NULL), RCC_ERR_SHAPE);
  free_intact(&in);
  free_intact(&out);
  unload(&l);
}

static void a_number_of_images_is_as_each_alone(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  enum { IMAGES = 6 };
  static float x[IMAGES * X], side[IMAGES * SIDE], alone[IMAGES * Y];
  for (size_t i = 0; i < COUNT(x); i++) x[i] = (float)(i * 37 % 101) / 50 - 1;
  for (size_t i = 0; i < COUNT(side); i++) side[i] = (float)(i * 11 % 97) / 50 - 1;
  Loaded one = load_graph(text_parse(cx, &options, format_text(cx, number, "1", "1")), NULL);
  size_t size = one.model->workspace_size(1, 1);
  for (int i = 0; i < IMAGES; i++) run_number(one.model, x + i * X, side + i * SIDE, alone + i * Y, 0, size);
  unload(&one);
  check_images(6, 1, x, side, alone);
  check_images(6, 2, x, side, alone);
  check_images(5, 1, x, side, alone);
  check_images(2, 1, x, side, alone);
}

/* ==== the plan ==== */

/* What comes first is marked by the layout of the workspace, not only by the order of nodes. */
static void the_plan_keeps_what_images_read(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  const Build *b = build_of(text_parse(cx, &options, parts), NULL);
  const Graph *g = b->graph;
  assert_true(b->n_once > 0 && b->n_once < g->n_node && b->once_size > 0);
  for (int i = 0; i < g->n_node; i++) assert_int_equal(node_is_batched(g->node[i]), i >= b->n_once);
  for (int i = b->n_once; i < g->n_node; i++) {
    for (int k = 0; k < g->node[i]->n_in; k++) {
      const Value *v = g->node[i]->in[k];
      if (v && v->def && !v->batched && !v->is_output) assert_int_equal(v->place, P_ONCE);
    }
  }
  assert_int_equal(workspace_bytes(b), b->once_size + b->work_size + b->scratch_size);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, context_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
    TEST(classifier_are_right),
    TEST(template_match_are_right),
    TEST(side_inputs_are_right),
    TEST(gate_are_right),
    TEST(constants_are_right),
    TEST(alike_are_right),
    TEST(spread_are_right),
    TEST(views_are_right),
    TEST(parts_are_right),
    TEST(only_once_are_right),
    TEST(run_time_weights_are_right),
    TEST(transposed_are_right),
    TEST(lines_are_right),
    TEST(multiples_are_right),
    TEST(what_does_not_depend_on_the_image_runs_once),
    TEST(pointers_may_be_missing_without_elements_alone),
    TEST(a_group_has_the_weights_of_one_image),
    TEST(groups_need_a_workspace_for_the_batch),
    TEST(groups_are_left_out_for_want_of_memory),
    TEST(others_have_no_group),
    TEST(a_number_of_images_is_as_each_alone),
    TEST(the_plan_keeps_what_images_read),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
