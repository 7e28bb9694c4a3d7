/* graph_test.c: types, shapes, construction, replacement, compaction, attributes. */
#include "fixture.h"

static Node *unary(Graph *g, Op op, const char *name, Value *x) {
  Node *n = node_new(g, op, name, 1, &x, 1);
  n->out[0] = value_new(g, name, x->type, x->shape);
  n->out[0]->def = n;
  return n;
}

static void types_have_sizes(void **state) {
  (void)state;
  assert_int_equal(type_size(T_F32), 4);
  assert_int_equal(type_size(T_I64), 8);
  assert_int_equal(type_size(T_BOOL), 1);
  assert_int_equal(type_size(T_BF16), 2);
  assert_int_equal(type_size(T_STRING), 0);
  assert_int_equal(type_size((Type)14), 0); /* complex64 */
  assert_int_equal(type_size((Type)-1), 0);
  assert_string_equal(type_name(T_U16), "u16");
  assert_true(type_is_float(T_F16) && !type_is_float(T_I8));
  assert_true(type_is_int(T_U64) && !type_is_int(T_BOOL) && !type_is_int(T_F64));
}

static void shapes_are_counted(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Shape s = shape_of(3, (int64_t)2, (int64_t)-3, (int64_t)5), scalar = shape_of(0), unknown = {.rank = -1};
  Shape huge = shape_of(3, INT64_MAX / 2, (int64_t)4, (int64_t)2);
  assert_int_equal(shape_count(&s), 30);
  assert_int_equal(shape_count(&scalar), 1);
  assert_true(shape_count(&huge) == INT64_MAX);
  huge.d[2] = 0;
  assert_int_equal(shape_count(&huge), 0);
  assert_true(shape_is_symbolic(&s) && !shape_is_symbolic(&scalar));
  assert_string_equal(shape_text(cx, &s), "[2,3N,5]");
  assert_string_equal(shape_text(cx, &scalar), "[]");
  assert_string_equal(shape_text(cx, &unknown), "?");
  s.d[1] = -1;
  assert_string_equal(shape_text(cx, &s), "[2,N,5]");
  assert_false(shape_equal(&s, &scalar));
  assert_true(shape_equal(&s, &s));
  context_free(cx);
}

static void operators_are_found(void **state) {
  (void)state;
  assert_int_equal(op_find("", "Conv"), OP_Conv);
  assert_int_equal(op_find("ai.onnx", "Conv"), OP_Conv);
  assert_int_equal(op_find("rcc", "Pointwise"), OP_Pointwise);
  assert_int_equal(op_find("", "Pointwise"), OP_NONE);
  assert_int_equal(op_find("", "conv"), OP_NONE);
  for (int op = OP_NONE + 1; op < OP_COUNT; op++) {
    assert_int_equal(op_find(op_info[op].domain, op_called(&op_info[op])), op);
    assert_true(op_info[op].max_in < 0 || op_info[op].min_in <= op_info[op].max_in);
    assert_true(op_info[op].max_out < 0 || op_info[op].min_out <= op_info[op].max_out);
  }
}

static void nodes_are_inserted(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = chain(cx);
  Node *b = value_named(g, "b")->def;
  Value *x = g->input[0];
  Node *n = node_insert(g, node_index(g, b), OP_Tanh, "new", 1, &x, 1);
  assert_int_equal(node_index(g, n), 1);
  assert_int_equal(node_index(g, b), 2);
  assert_int_equal(g->n_node, 4);
  assert_null(n->out[0]);
  node_add_input(g, n, NULL);
  node_add_input(g, n, b->out[0]);
  assert_int_equal(n->n_in, 3);
  assert_ptr_equal(n->in[0], x);
  assert_ptr_equal(n->in[2], b->out[0]);
  node_add_step(g, n, (Step){.op = OP_Relu, .arg = -1});
  node_add_step(g, n, (Step){.op = OP_Add, .arg = 2});
  assert_int_equal(n->n_step, 2);
  assert_int_equal(n->step[0].op, OP_Relu);
  context_free(cx);
}

/* A walk over the chain x -> a -> b -> c that puts nodes on both sides of each; those behind are met, those before are not. */
static void walks_insert_nodes(void **state) {
  (void)state;
  enum { BEFORE = 40 };
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = chain(cx);
  Value *x = g->input[0];
  int met = 0, old = g->n_node;
  walk_begin(g);
  for (Node *n; (n = walk_next(g)); met++) {
    assert_int_equal(node_index(g, n), g->n_node - 1);
    if (strcmp(n->name, "new") == 0) continue;
    for (int i = 0; i < BEFORE; i++) {
      Node *before = walk_before(g, OP_Tanh, "new", 1, &x, 1);
      assert_int_equal(node_index(g, before), g->n_node - 2);
      assert_int_equal(node_index(g, n), g->n_node - 1);
    }
    walk_after(g, OP_Relu, "new", 1, &x, 1);
    node_new(g, OP_Identity, "new", 1, &x, 1);
  }
  assert_int_equal(met, 3 * old);
  assert_int_equal(g->n_node, (BEFORE + 3) * old);
  for (int i = 0; i < g->n_node; i++) {
    int at = i % (BEFORE + 2);
    bool last = i >= (BEFORE + 2) * old;
    assert_int_equal(node_index(g, g->node[i]), i);
    assert_true(g->node[i]->op == (last ? OP_Identity : at == BEFORE + 1 ? OP_Relu : at < BEFORE ? OP_Tanh : g->node[i]->op));
    assert_true(last || (at == BEFORE) == (strcmp(g->node[i]->name, "new") != 0));
  }
  context_free(cx);
}

static void large_graphs_compact_in_linear_time(void **state) {
  (void)state;
  enum { NODES = 100000 };
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = graph_new(cx, NULL);
  Value *x = value_new(g, "x", T_F32, shape_of(1, (int64_t)4));
  for (int i = 0; i < NODES; i++) {
    Node *n = unary(g, OP_Relu, "n", x);
    n->dead = i % 2;
    if (!n->dead) x = n->out[0];
  }
  graph_count_uses(g);
  graph_compact(g);
  assert_int_equal(g->n_node, NODES / 2);
  assert_int_equal(g->n_value, NODES / 2 + 1);
  context_free(cx);
}

static void attributes_are_set_and_removed(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = text_parse(cx, NULL, "graph g\ninput x f32 [2]\ny = Relu(x) alpha=0.5 mode=\"edge\"\noutput y\n");
  Node *n = g->node[0];
  int64_t pads[] = {1, 2, 3};
  attr_set_int(g, n, "axis", 5);
  attr_set_ints(g, n, "pads", 3, pads);
  pads[1] = 9;
  assert_int_equal(attr_int(n, "axis", 0), 5);
  assert_true(attr_float(n, "alpha", 0) == 0.5f);
  assert_int_equal(attr_find(n, "pads")->ints[1], 2);
  assert_string_equal(attr_string(n, "mode", ""), "edge");
  assert_int_equal(attr_int(n, "alpha", 7), 7); /* another kind */
  attr_set_int(g, n, "axis", 6);
  assert_int_equal(n->n_attr, 4);
  assert_int_equal(attr_int(n, "axis", 0), 6);
  attr_remove(n, "alpha");
  attr_remove(n, "nothing");
  assert_int_equal(n->n_attr, 3);
  assert_null(attr_find(n, "alpha"));
  assert_string_equal(attr_string(n, "mode", ""), "edge");
  context_free(cx);
}

static void constants_are_read(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = graph_new(cx, NULL);
  int64_t out[4], k[] = {3, -4, 5};
  int32_t small = -7;
  int count = -1;
  float f = 0;
  Value *v = value_const_i64(g, "k", 3, k);
  assert_true(const_ints(v, 4, out, &count));
  assert_int_equal(count, 3);
  assert_int_equal(out[1], -4);
  assert_false(const_ints(v, 2, out, &count));
  assert_true(const_ints(value_const(g, "s", T_I32, shape_of(0), &small), 4, out, &count));
  assert_int_equal(count, 1);
  assert_int_equal(out[0], -7);
  assert_false(const_ints(NULL, 4, out, &count));
  Value *w = value_const_f32(g, "w", shape_of(2, (int64_t)1, (int64_t)1));
  f32_of(w)[0] = 2.5f;
  assert_true(const_scalar(w, &f) && f == 2.5f);
  assert_false(const_ints(w, 4, out, &count));
  assert_false(const_scalar(v, &f));
  assert_false(const_scalar(value_const_f32(g, "two", shape_of(1, (int64_t)2)), &f));
  context_free(cx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(types_have_sizes),
    cmocka_unit_test(shapes_are_counted),
    cmocka_unit_test(operators_are_found),
    cmocka_unit_test(nodes_are_inserted),
    cmocka_unit_test(walks_insert_nodes),
    cmocka_unit_test(large_graphs_compact_in_linear_time),
    cmocka_unit_test(attributes_are_set_and_removed),
    cmocka_unit_test(constants_are_read),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
