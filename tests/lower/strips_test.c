/* strips_test.c: which layers run in strips, and that every task finds the rows that it reads, in memory of their own. */
#include "lower.h"
#include "loaded.h"
#include "harness.h"
#include "each_context.h"

static Options options;

static int setup(void **state) {
  context_setup(state);
  options = (Options){.name = "test", .cpu = "skylake-avx512", .max_memory = 1 << 30, /* of 1 MiB of L2 */
                      .image_nodes = 1, .images_together = INT32_MAX /* not image by image */};
  return 0;
}

static Build *planned(const char *text) { return build_of(text_parse(cx, &options, text), NULL); }

/* A bottleneck whose wide maps are larger than L2; `size` of the map, `window` and stride of its depthwise convolution. */
static const char *bottleneck(const char *size, const char *taps, const char *window, const char *end) {
  return format_text(cx, "graph net\ninput i f32 [%s]\nconst u f32 [48,16,1,1] = random 1 -0.3 0.3\n"
                         "const d f32 [48,1,%s] = random 2 -0.4 0.4\nconst v f32 [16,48,1,1] = random 3 -0.2 0.2\n"
                         "x = Relu(i)\na = Conv(x, u)\nb = Relu(a)\nc = Conv(b, d) group=48 %s\ne = Relu(c)\nf = Conv(e, v)\n%s"
                         "k = Conv(y, u)\noutput k\n", size, taps, window, end);
}

/* Rows [0, *end) of its first input are enough for rows [from, to) of the result, all images' rows being one list. */
static void needed_rows(const Node *n, int64_t from, int64_t to, int64_t *end) {
  const Window *w = &n->win;
  int64_t rows = n->out[0]->shape.d[2], height = n->in[0]->shape.d[2];
  *end = 0;
  for (int64_t r = from; r < to; r++) {
    for (int64_t t = 0; t < (n->op == OP_Conv ? w->kh : 1); t++) {
      int64_t y = n->op == OP_Conv ? r % rows * w->sh - w->top + t * w->dh : r % rows;
      bool inside = y >= 0 && y < height;
      int64_t row = r / rows * height + (inside ? y : y < 0 ? 0 : height - 1); /* the border comes with the rows at it */
      if (row + 1 > *end) *end = row + 1;
    }
  }
}

static void check_order(const Build *b, const Strips *s) {
  int n = s->last - s->first + 1, *done = alloc_n(cx, (size_t)n, sizeof *done);
  const StripTask *order = strips_order(b, s);
  assert_int_equal(strips_tasks(s), n * s->count);
  for (int i = 0; i < n * s->count; i++) {
    int k = order[i].node - s->first;
    assert_in_range(k, 0, n - 1);
    assert_int_equal(order[i].task, done[k]);
    const Node *node = b->graph->node[order[i].node];
    int64_t rows = node->out[0]->shape.d[0] * node->out[0]->shape.d[2], end;
    needed_rows(node, rows * done[k] / s->count, size_ceiling(rows * (done[k] + 1), s->count), &end);
    if (k > 0) {
      const Shape *x = &node->in[0]->shape;
      assert_true(end <= x->d[0] * x->d[2] * done[k - 1] / s->count);
    }
    done[k]++;
  }
  for (int k = 0; k < n; k++) assert_int_equal(done[k], s->count);
}

/* Values that strips have in use at one time share no memory, but for a result over what its node reads beside it. */
static void check_memory(const Build *b, const Strips *s) {
  const Graph *g = b->graph;
  for (int i = s->first; i <= s->last; i++) {
    const Value *y = g->node[i]->out[0];
    for (int m = s->first; m <= s->last; m++) {
      for (int k = 0; k < g->node[m]->n_in; k++) {
        const Value *x = g->node[m]->in[k];
        if (!x || x->place != P_WORK || y->place != P_WORK || x == y || m == i) continue;
        bool apart = x->offset + x->layout.size * 4 <= y->offset || y->offset + y->layout.size * 4 <= x->offset;
        if (!apart) fail_msg("node %d writes over what node %d reads", i, m);
      }
    }
  }
}

static void check_strips(const char *text, int strips, int nodes) {
  Build *b = planned(text);
  assert_int_equal(b->n_strips, strips);
  for (int i = 0; i < strips; i++) {
    const Strips *s = &b->strips[i];
    assert_int_equal(s->last - s->first + 1, nodes);
    assert_true(s->count > 1);
    assert_ptr_equal(strips_of(b, s->last), s);
    check_order(b, s);
    check_memory(b, s);
  }
}

static void wide_layers_run_in_strips(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  const char *sum = "y = Add(f, x)\n", *end = "y = Relu(f)\n";
  check_strips(bottleneck("1,16,36,208", "3,3", "pads=[1,1,1,1]", sum), 1, 3);
  check_strips(bottleneck("1,16,35,208", "5,5", "pads=[2,2,2,2] strides=[2,2]", end), 1, 2);
  check_strips(bottleneck("3,16,23,256", "3,3", "pads=[1,1,1,1]", sum), 1, 4);
  check_strips(bottleneck("1,16,60,160", "3,3", "pads=[4,1,0,1] dilations=[2,1]", end), 1, 4);
}

static void other_layers_do_not(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  check_strips(bottleneck("1,16,10,12", "3,3", "pads=[1,1,1,1]", "y = Relu(f)\n"), 0, 0); /* what stays in L2 anyway */
  options.cpu = "znver5"; /* beyond whose L2 memory is fast */
  check_strips(bottleneck("1,16,60,160", "3,3", "pads=[4,1,0,1] dilations=[2,1]", "y = Relu(f)\n"), 0, 0);
  options.cpu = "skylake-avx512";
  check_strips("graph net\ninput x f32 [1,16,60,60]\nconst u f32 [48,16,1,1] = random 1 -0.3 0.3\n"
               "const v f32 [16,48,1,1] = random 3 -0.2 0.2\na = Conv(x, u)\nb = Conv(a, v)\nc = Conv(b, u)\noutput c\n", 0, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(wide_layers_run_in_strips, setup, context_teardown),
    cmocka_unit_test_setup_teardown(other_layers_do_not, setup, context_teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
