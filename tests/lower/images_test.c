/* images_test.c: which layers of a batch are run for a few images at a time, and where what they leave lies. */
#include "loaded.h"
#include "harness.h"
#include "each_context.h"

static Options options;

static int setup(void **state) {
  context_setup(state);
  options = (Options){.name = "test", .cpu = "x86-64", .max_memory = 1 << 30, .verify = true}; /* of 256 KiB of L2 */
  return 0;
}

static Build *planned(const char *text) { return build_of(text_parse(cx, &options, text), NULL); }

static const Node *find_op(const Graph *g, Op op) {
  for (int i = 0; i < g->n_node; i++) {
    if (g->node[i]->op == op) return g->node[i];
  }
  return NULL;
}

/* Three convolutions of large maps, and two of small ones with large weights. */
static const char *network(const char *size) {
  return format_text(cx, "graph net\ninput x f32 [%s,16,48,48]\nconst u f32 [16,16,3,3] = random 1 -0.1 0.1\n"
                         "const v f32 [128,16,1,1] = random 2 -0.1 0.1\nconst w f32 [256,128,3,3] = random 3 -0.1 0.1\n"
                         "const z f32 [256,256,3,3] = random 4 -0.1 0.1\n"
                         "a = Conv(x, u) pads=[1,1,1,1]\nb = Relu(a)\nc = Conv(b, u) pads=[1,1,1,1]\nd = Add(c, b)\n"
                         "e = MaxPool(d) kernel_shape=[12,12] strides=[12,12]\nf = Conv(e, v)\n"
                         "h = Conv(f, w) pads=[1,1,1,1]\ni = Relu(h)\nk = Conv(i, z) pads=[1,1,1,1]\nl = GlobalAveragePool(k)\noutput l\n", size);
}

static void large_maps_are_made_one_by_one_and_large_weights_read_once(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  const Build *b = planned(network("8"));
  const Graph *g = b->graph;
  const Node *image = find_op(g, OP_Image), *images = find_op(g, OP_Images);
  assert_true(image && images);
  assert_int_equal(b->image_runs, 8);
  assert_int_equal(images->at, b->n_image);
  assert_int_equal(image->out[0]->shape.d[0], 1);
  assert_true(images->in[0]->shape.d[2] == 4); /* what the pool leaves, or what is made of it */
  assert_int_equal(images->out[0]->shape.d[0], 8);
  for (int i = 0; i < g->n_node; i++) {
    assert_int_equal(node_is_batched(g->node[i]), i < b->n_image);
    assert_int_equal(g->node[i]->out[0]->shape.d[0], i < b->n_image ? 1 : 8);
  }
}

static void images_lie_in_the_input_and_in_what_all_leave(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  const Build *b = planned(network("8"));
  const Node *image = find_op(b->graph, OP_Image), *images = find_op(b->graph, OP_Images);
  const Value *some = images->in[0], *all = images->out[0];
  assert_int_equal(image->out[0]->place, P_INPUT);
  assert_int_equal(some->place, P_IMAGE);
  assert_int_equal(all->place, P_ONCE);
  assert_int_equal(some->offset, all->offset);
  assert_int_equal(some->layout.n, all->layout.n);
  assert_int_equal(some->layout.origin, all->layout.origin);
  assert_int_equal(all->layout.size, 8 * some->layout.size);
  assert_true(workspace_bytes(b) < workspace_bytes(planned(network("1"))) * 3);
}

static void fewer_are_made_at_a_time_where_a_layer_is_small(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  const char *text = "input x f32 [64,16,16,16]\nconst u f32 [16,16,3,3] = random 1 -0.1 0.1\na = Conv(x, u) pads=[1,1,1,1]\n"
                     "b = Conv(a, u) pads=[1,1,1,1]\nc = Conv(b, u) pads=[1,1,1,1]\nd = GlobalAveragePool(c)\noutput d\n";
  const Build *b = planned(text);
  const Node *image = find_op(b->graph, OP_Image);
  assert_true(image && image->out[0]->shape.d[0] > 1 && image->out[0]->shape.d[0] < 64);
  assert_int_equal(b->image_runs, 64 / image->out[0]->shape.d[0]);
}

/* Not what is small, has one image, a batch that is not known, or frames; not behind what mixes images. */
static void others_stay_as_they_are(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  const char *const same[] = {
    network("1"), network("N"),
    "input x f32 [4,16,8,8]\nconst u f32 [16,16,3,3] = random 1 -0.1 0.1\na = Conv(x, u)\nb = Conv(a, u)\nc = Relu(b)\noutput c\n",
    "input x f32 [1,8,4,96,96]\nconst u f32 [8,8,3,3,3] = random 1 -0.1 0.1\na = Conv(x, u) pads=[1,1,1,1,1,1]\n"
    "b = Conv(a, u) pads=[1,1,1,1,1,1]\nc = MaxPool(b) kernel_shape=[2,2,2]\noutput c\n",
    "input x f32 [8,16,96,96]\nconst u f32 [16,16,3,3] = random 1 -0.1 0.1\na = ReduceMean(x) axes=[0] keepdims=1\n"
    "s = Sub(x, a)\nb = Conv(s, u)\nc = Conv(b, u)\nd = GlobalAveragePool(c)\noutput d\n",
    "input x f32 [8,16,96,96]\ninput y f32 [8,1,96,96]\nconst u f32 [16,16,3,3] = random 1 -0.1 0.1\nb = Conv(x, u)\noutput b\n",
  };
  for (size_t i = 0; i < COUNT(same); i++) {
    const Build *b = planned(same[i]);
    assert_null(find_op(b->graph, OP_Image));
    assert_int_equal(b->image_runs, 0);
  }
}

/* Where a test asks for it, at the last place before that at which one value goes on. */
static void a_skip_is_not_cut(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  static const struct { int nodes, cut; } row[] = {{1, 1}, {2, 1}, {3, 3}, {9, 3}};
  const char *text = "input x f32 [4,16,8,8]\nconst u f32 [16,16,3,3] = random 1 -0.1 0.1\na = Conv(x, u) pads=[1,1,1,1]\n"
                     "b = Conv(a, u) pads=[1,1,1,1]\nc = Conv(b, u) pads=[1,1,1,1]\nd = Add(c, a)\ne = Softmax(d) axis=0\noutput e\n";
  for (size_t i = 0; i < COUNT(row); i++) {
    options.image_nodes = row[i].nodes;
    options.images_together = 2;
    const Build *b = planned(text);
    int convs = 0;
    for (int k = 0; k < b->n_image; k++) convs += b->graph->node[k]->op == OP_Conv;
    assert_int_equal(b->image_runs, 2);
    assert_int_equal(convs, row[i].cut);
  }
}

/* Though what all images leave is an output under another shape. */
static void images_stay_in_the_workspace(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  options.image_nodes = 1;
  options.images_together = 2;
  const Build *b = planned("input x f32 [4,5,14,5]\na = Relu(x)\nb = Flatten(a)\noutput b\n");
  assert_int_equal(b->image_runs, 2);
  assert_int_equal(find_op(b->graph, OP_Images)->out[0]->place, P_ONCE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, context_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
    TEST(large_maps_are_made_one_by_one_and_large_weights_read_once),
    TEST(images_lie_in_the_input_and_in_what_all_leave),
    TEST(fewer_are_made_at_a_time_where_a_layer_is_small),
    TEST(others_stay_as_they_are),
    TEST(a_skip_is_not_cut),
    TEST(images_stay_in_the_workspace),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
