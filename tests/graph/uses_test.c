/* uses_test.c: readers of values. */
#include "fixture.h"

static void readers_are_counted(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = text_parse(cx, NULL, "input x f32 [4]\na = Relu(x)\nb = Add(a, a)\nc = Mul(b, x)\noutput c\n");
  graph_count_uses(g);
  assert_int_equal(value_named(g, "x")->n_uses, 2);
  assert_int_equal(value_named(g, "a")->n_uses, 2);
  assert_int_equal(value_named(g, "c")->n_uses, 1);
  assert_null(only_reader(value_named(g, "a")));
  assert_null(only_reader(value_named(g, "x")));
  assert_null(only_reader(value_named(g, "c")));
  assert_ptr_equal(only_reader(value_named(g, "b")), value_named(g, "c")->def);
  value_named(g, "c")->def->dead = true;
  assert_null(only_reader(value_named(g, "b")));
  graph_count_uses(g);
  assert_int_equal(value_named(g, "x")->n_uses, 1);
  context_free(cx);
}

static void replacing_moves_readers(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = chain(cx);
  Value *a = value_named(g, "a"), *b = value_named(g, "b"), *c = value_named(g, "c");
  graph_replace(g, b, a);
  assert_ptr_equal(c->def->in[0], a);
  b->def->dead = true;
  graph_compact(g);
  assert_int_equal(g->n_node, 2);
  assert_int_equal(g->n_value, 3);
  for (int i = 0; i < g->n_value; i++) assert_int_equal(g->value[i]->id, i);
  assert_null(find_value(g, "b"));
  context_free(cx);
}

static void replacing_an_output_keeps_its_name(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = chain(cx);
  Value *b = value_named(g, "b"), *c = value_named(g, "c");
  graph_replace(g, c, b);
  assert_ptr_equal(g->output[0], b);
  assert_true(b->is_output && !c->is_output);
  assert_string_equal(b->name, "c");
  context_free(cx);
}

/* An input, a constant or another output can't be the output itself. */
static void replacing_an_output_may_need_a_copy(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = text_parse(cx, NULL, "input x f32 [1]\nconst k f32 [1] = {2}\na = Relu(x)\nb = Tanh(x)\n"
                                  "c = Tanh(a)\noutput a\noutput b\noutput c\n");
  const char *names[] = {"x", "k", "a"};
  Value *with[3];
  for (int i = 0; i < 3; i++) with[i] = value_named(g, names[i]);
  for (int i = 0; i < 3; i++) {
    Value *old = g->output[i == 2 ? 1 : 2];
    graph_replace(g, old, with[i]);
    Value *copy = g->output[i == 2 ? 1 : 2];
    assert_ptr_not_equal(copy, with[i]);
    assert_string_equal(copy->name, i == 2 ? "b" : "c");
    assert_true(copy->is_output && !old->is_output);
    assert_int_equal(copy->def->op, OP_Identity);
    assert_ptr_equal(copy->def->in[0], with[i]);
    assert_string_equal(with[i]->name, names[i]);
  }
  context_free(cx);
}

/* What a node read once and reads no more, or again, or in another number of inputs. */
static void inputs_that_change_hands(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = text_parse(cx, NULL, "input x f32 [4]\na = Relu(x)\nb = Tanh(x)\nc = Add(a, b)\nd = Tanh(c)\noutput d\n");
  Value *a = value_named(g, "a"), *b = value_named(g, "b");
  Node *c = value_named(g, "c")->def;
  node_set_input(g, c, 0, b);
  assert_null(only_reader(a));
  assert_null(only_reader(b));
  node_set_input(g, c, 0, a);
  assert_ptr_equal(only_reader(a), c);
  node_set_input(g, c, 0, a); /* noted twice, read once */
  assert_ptr_equal(only_reader(a), c);
  assert_ptr_equal(only_reader(b), c);
  assert_null(find_unlisted(g));
  node_set_inputs(g, c, 1, (Value *[]){a});
  assert_null(only_reader(b));
  assert_ptr_equal(only_reader(a), c);
  node_add_input(g, c, b);
  assert_ptr_equal(only_reader(b), c);
  c->n_in = 1;
  assert_null(only_reader(b));
  Use *at = NULL;
  assert_ptr_equal(next_reader(value_named(g, "x"), &at), b->def);
  assert_ptr_equal(next_reader(value_named(g, "x"), &at), a->def);
  assert_null(next_reader(value_named(g, "x"), &at));
  c->in[0] = b; /* behind the list's back */
  assert_ptr_equal(find_unlisted(g), c);
  context_free(cx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(readers_are_counted),
    cmocka_unit_test(replacing_moves_readers),
    cmocka_unit_test(replacing_an_output_keeps_its_name),
    cmocka_unit_test(replacing_an_output_may_need_a_copy),
    cmocka_unit_test(inputs_that_change_hands),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
