/* control_test.c: branches and loops that are known at compile time. */
#include "onnx_writer.h"

#define BRANCHES "then_branch={\noutput t 1 -\nt = Relu(r)\n} else_branch={\noutput e 1 -\ne = Tanh(r)\n}\n"
#define CONDITION "consti zero 1 = 0\nk = Cast(zero) to=9\n"

static void the_branch_that_is_taken(void **state) {
  (void)state;
  check_import(13, "input x 1 N,2\n" CONDITION "output y 0 -\nr = Sigmoid(x)\ny = If(k) " BRANCHES,
               "input x f32 [N,2]\nconst zero i64 [1] = {0}\nk = Cast(zero) to=9 # bool [1]\n"
               "r = Sigmoid(x) # f32 [N,2]\n"
               "y = Tanh(r)\noutput y\n");
}

/* What the graph computes later in the file than the branch reads it. */
static void captured_values_come_first(void **state) {
  (void)state;
  check_import(13, "input x 1 2\n" CONDITION "output y 0 -\ny = If(k) " BRANCHES "r = Sigmoid(x)\n",
               "input x f32 [2]\nconst zero i64 [1] = {0}\nk = Cast(zero) to=9 # bool [1]\n"
               "r = Sigmoid(x) # f32 [2]\n"
               "y = Tanh(r)\noutput y\n");
}

/* The other branch may hold what resnetcc does not have; an outer value may be its result. */
static void only_that_branch_is_read(void **state) {
  (void)state;
  check_import(13, "input x 1 2\n" CONDITION "output y 0 -\nr = Sigmoid(x)\ny = If(k) then_branch={\n"
                                             "output t 1 -\nt = Abacus(x)\n"
                   "} else_branch={\noutput r 1 -\n}\n",
               "input x f32 [2]\nconst zero i64 [1] = {0}\nk = Cast(zero) to=9 # bool [1]\n"
               "y = Sigmoid(x) # f32 [2]\noutput y\n");
  check_refused(13, "input x 1 2\n" CONDITION "output y 0 -\ny = If(k) then_branch={\noutput t 1 -\n"
                                              "t = Relu(x)\n"
                    "} else_branch={\noutput e 1 -\ne = Abacus(x)\n}\n",
                "test: node \"y/else/e\" (Abacus): unsupported operator");
}

static void branches_that_cannot_be(void **state) {
  (void)state;
  check_refused(13, "input x 1 2\n" CONDITION "output y 0 -\ny = If(k)\n",
                "test: node \"y\" (If): the graph \"else_branch\" is missing");
  check_refused(13, "input x 1 2\n" CONDITION "output y 0 -\ny = If(k) else_branch={\n}\n",
                "test: node \"y\" (If): else_branch has 0 outputs, not 1");
  check_refused(13, "input x 1 2\n" CONDITION "output y 0 -\ny = If(k) else_branch={\noutput e 1 -\n}\n",
                "test: node \"y\" (If): its graph does not compute the output \"e\"");
  check_refused(13, "input x 1 2\noutput y 0 -\nconst c = 1\ny = If(c) then_branch={\n}\n",
                "test: node \"y\" (If): the condition is not of type bool");
}

/* The output is what such a node computes. */
static void check_branch(const char *text, Op op) {
  Context *cx = context_new();
  Options opt = {.input = "test"};
  EXPECT_NO_FAIL(cx);
  Graph *g = import_text(cx, &opt, 13, text);
  assert_string_equal(op_info[g->output[0]->def->op].name, op_info[op].name);
  context_free(cx);
}

/* A condition on the batch holds for all batches, or the batch has to be known. */
static void conditions_on_the_batch(void **state) {
  (void)state;
#define OF_BATCH(op) \
  "input x 1 N,2\noutput y 0 -\nconsti zero = 0\nconsti five = 5\ns = Shape(x)\nd = Gather(s, zero)\n" \
  "k = " op "\n" \
  "y = If(k) then_branch={\noutput t 1 -\nt = Relu(x)\n} else_branch={\noutput e 1 -\ne = Tanh(x)\n}\n"
  check_branch(OF_BATCH("Greater(d, zero)"), OP_Relu);
  check_branch(OF_BATCH("Equal(d, zero)"), OP_Tanh);
  check_branch(OF_BATCH("Equal(d, five)"), OP_Where);
  check_branch(OF_BATCH("Less(d, five)"), OP_Where);
}

static void both_branches_where_data_decides(void **state) {
  (void)state;
  check_import(13, "input c 9 1\ninput r 1 2\noutput y 0 -\ny = If(c) " BRANCHES,
               "input c bool [1]\ninput r f32 [2]\nconst y.scalar i64 [0] = {}\n"
               "y/then/t = Relu(r) # f32 [2]\n"
               "y/else/e = Tanh(r) # f32 [2]\ny.condition = Reshape(c, y.scalar) # bool []\n"
               "y = Where(y.condition, y/then/t, y/else/e)\noutput y\n");
  check_refused(13, "input c 9 1\ninput r 1 2\noutput y 0 -\ny = If(c) then_branch={\noutput t 1 -\n"
                    "t = Relu(r)\n} else_branch={\n"
                    "output e 1 -\nconsti a 1 = 0\ne = Unsqueeze(r, a)\n}\n",
                "test: node \"y\" (If): the condition depends on data, and the branches give f32 [2] and f32 "
                "[1,2]");
}

#define BODY "body={\ninput i 7 -\ninput c 9 -\ninput a 1 -\noutput c 9 -\noutput b 1 -\noutput s 1 -\n" \
  "b = Add(a, w)\ns = Relu(b)\n}\n"

static void a_loop_is_unrolled(void **state) {
  (void)state;
  check_import(13, "input x 1 2\nconst w 2 = 1 2\nconsti n = 2\noutput y 0 -\noutput z 0 -\n"
                   "y, z = Loop(n, _, x) name:l " BODY,
               "input x f32 [2]\nconst w f32 [2] = {1, 2}\nconst n i64 [] = {2}\n"
               "const l.condition bool [] = {1}\n"
               "const l.iteration i64 [] = {0}\nconst l.iteration_1 i64 [] = {1}\n"
               "const l.axis i64 [1] = {0}\n"
               "const l.axis_2 i64 [1] = {0}\n"
               "l/0/b = Add(x, w) # f32 [2]\nl/0/s = Relu(l/0/b) # f32 [2]\ny = Add(l/0/b, w)\n"
               "l/1/s = Relu(y)\nl.row = Unsqueeze(l/0/s, l.axis)\nl.row_3 = Unsqueeze(l/1/s, l.axis_2)\n"
               "z = Concat(l.row, l.row_3) axis=0\noutput y\noutput z\n");
}

static void a_loop_that_never_runs(void **state) {
  (void)state;
  check_import(13, "input x 1 2\nconst w 2 = 1 2\nconsti n = 0\noutput y 0 -\ny = Loop(n, _, x) " BODY,
               "input x f32 [2]\nconst w f32 [2] = {1, 2}\nconst n i64 [] = {0}\n"
               "const y.condition bool [] = {1}\n"
               "y = Identity(x) # f32 [2]\noutput y\n");
  check_refused(13, "input x 1 2\nconst w 2 = 1 2\nconsti n = 0\noutput y 0 -\noutput z 0 -\n"
                    "y, z = Loop(n, _, x) " BODY,
                "test: node \"y\" (Loop): never runs, so the shape of its results is not known");
}

static void loops_that_cannot_be_unrolled(void **state) {
  (void)state;
  check_refused(13, "input x 1 2\ninput n 7 1\nconst w 2 = 1 2\noutput y 0 -\ny = Loop(n, _, x) " BODY,
                "test: node \"y\" (Loop): the number of iterations must be one number that is known at "
                "compile time");
  check_refused(13, "input x 1 2\nconsti n = 1000000\nconst w 2 = 1 2\noutput y 0 -\ny = Loop(n, _, x) " BODY,
                "test: node \"y\" (Loop): runs more than 4096 times, which is too often to be unrolled");
  check_refused(13, "input x 1 2\nconst w 2 = 1 2\noutput y 0 -\ny = Loop(_, _, x) body={\ninput i 7 -\n"
                    "output i 7 -\n}\n",
                "test: node \"y\" (Loop): its graph has 1 outputs, fewer than it has inputs");
}

static void a_scan_is_unrolled(void **state) {
  (void)state;
  check_import(13,
               "input x 1 2,2\nconst w 2 = 1 2\noutput y 0 -\n"
               "y = Scan(w, x) name:l num_scan_inputs=1 scan_input_axes=[1] "
               "body={\ninput a 1 -\ninput r 1 -\noutput b 1 -\nb = Add(a, r)\n}\n",
               "input x f32 [2,2]\nconst w f32 [2] = {1, 2}\nconst l.row i64 [] = {0}\n"
               "const l.row_1 i64 [] = {1}\n"
               "l.scanned = Gather(x, l.row) axis=1\nl/0/b = Add(w, l.scanned)\n"
               "l.scanned_2 = Gather(x, l.row_1) axis=1\n"
               "y = Add(l/0/b, l.scanned_2)\noutput y\n");
  check_refused(13, "input x 1 N,2\noutput y 0 -\ny = Scan(x) num_scan_inputs=1 body={\ninput r 1 -\n"
                    "output r 1 -\n}\n",
                "test: node \"y\" (Scan): runs along the batch; fix the batch with --batch N");
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_branch_that_is_taken),   cmocka_unit_test(captured_values_come_first),
    cmocka_unit_test(only_that_branch_is_read),   cmocka_unit_test(branches_that_cannot_be),
    cmocka_unit_test(conditions_on_the_batch),    cmocka_unit_test(both_branches_where_data_decides),
    cmocka_unit_test(a_loop_is_unrolled),         cmocka_unit_test(a_loop_that_never_runs),
    cmocka_unit_test(loops_that_cannot_be_unrolled), cmocka_unit_test(a_scan_is_unrolled),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
