/* alone_test.c: layers outside their network: what they keep, what they read. */
#include <string.h>

#include "tools.h"
#include "each_context.h"
#include "loaded.h"

static Options options;

static int setup(void **state) {
  context_setup(state);
  options = (Options){.cpu = "haswell", .max_memory = 1 << 30};
  return 0;
}

static Build *network(void) {
  Graph *g = text_parse(cx, &options,
                        "graph net\ninput x f32 [N,16,12,12]\nconst w f32 [16,16,3,3] = random 1 -0.1 0.1\n"
                        "const b f32 [16] = random 2 -0.1 0.1\nc = Conv(x, w, b) pads=[1,1,1,1]\nr = Relu(c)\n"
                        "d = Conv(r, w) pads=[1,1,1,1]\ny = Add(d, r)\noutput y\n");
  return build_of(g, NULL);
}

static const Node *conv(const Graph *g, int number) {
  for (int i = 0; i < g->n_node; i++) {
    if (g->node[i]->op == OP_Conv && number-- == 0) return g->node[i];
  }
  fail_msg("no convolution");
  return NULL;
}

/* Nodes of g, but for the Reorders that layout puts between. */
static int count_but_reorders(const Graph *g) {
  int n = 0;
  for (int i = 0; i < g->n_node; i++) n += g->node[i]->op != OP_Reorder;
  return n;
}

static void a_layer_keeps_its_epilogue_and_reads_inputs(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Build *b = network();
  const Graph *g = b->graph;
  const Node *second = conv(g, 1);
  Alone layer[] = {{.node = second, .candidate = 1}, {.node = second, .candidate = 0}};
  Graph *alone = build_alone(b, &options, layer, 2)->graph;
  verify(alone, "build_alone");
  assert_int_equal(count_but_reorders(alone), 2);
  assert_int_equal(alone->n_output, 0);
  assert_int_equal(alone->n_input, 2); /* the residual of each is its input too */
  for (int i = 0; i < 2; i++) {
    const Node *copy = layer[i].copy;
    const Plan *plan = &second->candidates->item[layer[i].candidate].plan;
    assert_int_equal(copy->n_step, second->n_step);
    assert_ptr_equal(copy->in[1]->data, second->in[1]->data);
    assert_ptr_not_equal(copy->plan, plan);
    assert_memory_equal(copy->plan, plan, offsetof(Plan, at));
  }
  assert_true(layer[0].copy->plan->at.weights != layer[1].copy->plan->at.weights);
}

static void a_bare_layer_gives_its_result(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Build *b = network();
  const Graph *g = b->graph;
  Alone layer[] = {{.node = conv(g, 0), .bare = true}, {.node = conv(g, 1), .bare = true}};
  Graph *alone = build_alone(b, &options, layer, 2)->graph;
  verify(alone, "build_alone");
  assert_int_equal(alone->n_output, 2);
  assert_int_equal(layer[0].copy->n_step + layer[1].copy->n_step, 0);
  assert_ptr_equal(layer[0].copy->in[2]->data, conv(g, 0)->in[2]->data);
  for (int i = 0; i < 2; i++) assert_true(shape_equal(&alone->output[i]->shape, &conv(g, i)->out[0]->shape));
}

/* What is measured alone has the strides that it has in the network, in either layout. */
static void a_layer_keeps_its_layout(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  for (int many = 0; many <= 1; many++) {
    options.many_shapes = many;
    Build *b = network();
    const Graph *g = b->graph;
    Alone layer[] = {{.node = conv(g, 1)}};
    build_alone(b, &options, layer, 1);
    assert_true(layer[0].copy->in[0]->layout.row == conv(g, 1)->in[0]->layout.row);
    assert_int_equal(layer[0].copy->in[0]->layout.c > layer[0].copy->in[0]->layout.row, many);
  }
  options.many_shapes = false;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, context_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
    TEST(a_layer_keeps_its_epilogue_and_reads_inputs),
    TEST(a_bare_layer_gives_its_result),
    TEST(a_layer_keeps_its_layout),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
