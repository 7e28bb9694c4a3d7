/* function_test.c: calls of the model's functions become the nodes of their bodies. */
#include "onnx_writer.h"

static void a_call_becomes_the_body(void **state) {
  (void)state;
  check_import(13,
               "function f(a, b) -> c\nt = Add(a, b)\nc = Relu(t)\nend\n"
               "input x 1 N,2\nconst w 2 = 1 2\noutput y 0 -\nu = f(x, w) name:one\ny = f(u, w) name:two\n",
               "input x f32 [N,2]\nconst w f32 [2] = {1, 2}\none/t = Add(x, w)\nu = Relu(one/t)\n"
               "two/t = Add(u, w)\ny = Relu(two/t)\noutput y\n");
}

static void functions_call_functions(void **state) {
  (void)state;
  check_import(13,
               "function f(a) -> c domain:d\nc = Relu(a)\nend\nfunction g(a) -> c domain:d\n"
               "t = f(a) domain:d\nc = f(t) domain:d\nend\n"
               "input x 1 2\noutput y 0 -\ny = g(x) domain:d\n",
               "input x f32 [2]\ny/t = Relu(x)\ny = Relu(y/t)\noutput y\n");
}

static void a_function_may_be_called_like_an_operator(void **state) {
  (void)state;
  check_import(13, "function Relu(a) -> c\nc = Tanh(a)\nend\ninput x 1 2\noutput y 0 -\ny = Relu(x)\n",
               "input x f32 [2]\ny = Tanh(x)\noutput y\n");
}

static void overloads_are_told_apart(void **state) {
  (void)state;
  check_import(13,
               "function f(a) -> c overload:p\nc = Tanh(a)\nend\nfunction f(a) -> c\nc = Relu(a)\nend\n"
               "input x 1 2\noutput y 0 -\nt = f(x) overload:p\ny = f(t)\n",
               "input x f32 [2]\nt = Tanh(x)\ny = Relu(t)\noutput y\n");
  check_refused(13, "input x 1 2\noutput y 0 -\ny = f(x) overload:p\n",
                "test: node \"y\" (f): unsupported operator");
}

static void attributes_of_the_call_stand_for_references(void **state) {
  (void)state;
  const char *text = "function f(a) -> c k alpha=0.5\nt = LeakyRelu(a) alpha=@alpha:1\n"
                     "c = Softmax(t) axis=@k:2\nend\n"
                     "input x 1 2\noutput y 0 -\noutput z 0 -\ny = f(x) k=0\nz = f(x) alpha=0.25\n";
  check_import(13, text,
               "input x f32 [2]\ny/t = LeakyRelu(x) alpha=0.5\ny = Softmax(y/t) axis=0\n"
               "z/t = LeakyRelu(x) alpha=0.25\nz = Softmax(z/t)\noutput y\noutput z\n");
}

static void references_pass_through_calls(void **state) {
  (void)state;
  check_import(13,
               "function f(a) -> c alpha=0.5\nc = LeakyRelu(a) alpha=@alpha:1\nend\n"
               "function g(a) -> c slope\nc = f(a) alpha=@slope:1\nend\ninput x 1 2\noutput y 0 -\n"
               "y = g(x) slope=0.125\n",
               "input x f32 [2]\ny = LeakyRelu(x) alpha=0.125\noutput y\n");
}

static void references_that_mean_nothing(void **state) {
  (void)state;
  check_refused(13,
                "function f(a) -> c k\nc = LeakyRelu(a) alpha=@k:1\nend\ninput x 1 2\noutput y 0 -\n"
                "y = f(x) k=1\n",
                "test: node \"y/c\" (LeakyRelu): attribute \"alpha\" refers to \"k\", which is of another "
                "type");
  check_refused(13, "input x 1 2\noutput y 0 -\ny = LeakyRelu(x) alpha=@k:1\n",
                "test: node \"y\" (LeakyRelu): attribute \"alpha\" refers to one of a function, but stands "
                "in none");
}

static void inputs_and_outputs_may_be_left_out(void **state) {
  (void)state;
  check_import(13,
               "function f(a, lo, hi) -> c,d\nc = Clip(a, lo, hi)\nd = Relu(a)\nend\n"
               "input x 1 2\nconst m = 1\noutput y 0 -\ny = f(x, _, m)\n",
               "input x f32 [2]\nconst m f32 [] = {1}\ny = Clip(x, _, m)\ny/d = Relu(x)\noutput y\n");
  check_refused(13, "function f(a) -> c\nc = Relu(a)\nend\ninput x 1 2\noutput y 0 -\ny = f(x, x)\n",
                "test: node \"y\" (f): has 2 inputs, the function takes 1");
  check_refused(13, "function f(a) -> c\nc = Relu(a)\nend\ninput x 1 2\noutput y 0 -\ny, z = f(x)\n",
                "test: node \"y\" (f): has 2 outputs, the function has 1");
  check_refused(13, "function f(a) -> d\nc = Relu(a)\nend\ninput x 1 2\noutput y 0 -\ny = f(x)\n",
                "test: node \"y\" (f): the function does not compute its output \"d\"");
}

/* A body is of the operator set that its function says: before set 13, Softmax saw a matrix. */
static void a_function_has_its_operator_set(void **state) {
  (void)state;
  check_import(18, "function f(a) -> c opset:12\nc = Unsqueeze(a) axes=[0]\nend\ninput x 1 2\noutput y 0 -\n"
                   "y = f(x)\n",
               "input x f32 [2]\nconst y/c.axes i64 [1] = {0}\ny = Unsqueeze(x, y/c.axes)\noutput y\n");
  check_refused(18, "function f(a) -> c opset:99\nc = Relu(a)\nend\ninput x 1 2\noutput y 0 -\ny = f(x)\n",
                "test: operator set 99 is not supported, sets 1 to 28 are");
}

static void a_function_sees_no_names_but_its_own(void **state) {
  (void)state;
  check_refused(13, "function f(a) -> c\nc = Add(a, w)\nend\ninput x 1 2\nconst w 2 = 1 2\noutput y 0 -\n"
                    "y = f(x)\n",
                "test: node \"y/c\" (Add): its input \"w\" does not exist");
}

static void recursion_is_refused(void **state) {
  (void)state;
  check_refused(13,
                "function f(a) -> c\nc = g(a)\nend\nfunction g(a) -> c\nc = f(a)\nend\ninput x 1 2\n"
                "output y 0 -\ny = f(x)\n",
                "test: node \"y/c/c\" (f): the function calls itself");
}

/* 2^40 nodes from 40 functions. */
static void work_is_bounded(void **state) {
  (void)state;
  Buffer text = {0};
  for (int i = 0; i < 40; i++)
    buffer_printf(&text, "function f%d(a) -> c\nt = f%d(a)\nc = f%d(t)\nend\n", i, i + 1, i + 1);
  buffer_printf(&text, "function f40(a) -> c\nc = Relu(a)\nend\ninput x 1 2\noutput y 0 -\ny = f0(x)\n");
  Context *cx = context_new();
  Options opt = {.input = "test"};
  if (setjmp(cx->unwind) == 0) {
    import_text(cx, &opt, 13, text.data);
    fail_msg("no error");
  }
  assert_non_null(strstr(cx->error, "functions, loops and branches would make too many nodes"));
  buffer_free(&text);
  context_free(cx);
}

static void functions_twice_or_without_a_name(void **state) {
  (void)state;
  check_refused(13, "function f(a) -> c\nc = Relu(a)\nend\nfunction f(a) -> c\nc = Relu(a)\nend\n"
                    "input x 1 2\n"
                    "output y 0 -\ny = f(x)\n",
                "test: the function \"f\" is defined twice");
}

static void missing_operators_in_bodies_are_named(void **state) {
  (void)state;
  check_refused(13, "function f(a) -> c\nc = Abacus(a)\nend\ninput x 1 2\noutput y 0 -\ny = f(x)\n",
                "test: node \"y/c\" (Abacus): unsupported operator");
}

/* Elements of 8 bits are made of wider ones in place: only once. */
static void constants_of_a_body_are_read_once(void **state) {
  (void)state;
  Context *cx = context_new();
  Options opt = {.input = "test"};
  EXPECT_NO_FAIL(cx);
  Buffer tensor = {0}, f = {0};
  put_int(&tensor, 1, 3);
  put_int(&tensor, 2, 3);
  for (int i = 0; i < 3; i++) put_int(&tensor, 5, 7 + i);
  put_text(&f, 1, "f");
  put_text(&f, 5, "c");
  put_constant(&f, 7, &tensor);
  Buffer model = model_of_text("output y 0 -\noutput z 0 -\na = f()\nb = f()\ny = Identity(a)\n"
                               "z = Identity(b)\n", 8, 13);
  put_message(&model, 25, &f);
  Graph *g = import_buffer(cx, &opt, &model);
  for (int i = 0; i < 2; i++) assert_memory_equal(g->node[i]->in[0]->data, ((int8_t[]){7, 8, 9}), 3);
  context_free(cx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_call_becomes_the_body),
    cmocka_unit_test(functions_call_functions),
    cmocka_unit_test(a_function_may_be_called_like_an_operator),
    cmocka_unit_test(overloads_are_told_apart),
    cmocka_unit_test(attributes_of_the_call_stand_for_references),
    cmocka_unit_test(references_pass_through_calls),
    cmocka_unit_test(references_that_mean_nothing),
    cmocka_unit_test(inputs_and_outputs_may_be_left_out),
    cmocka_unit_test(a_function_has_its_operator_set),
    cmocka_unit_test(a_function_sees_no_names_but_its_own),
    cmocka_unit_test(recursion_is_refused),
    cmocka_unit_test(work_is_bounded),
    cmocka_unit_test(functions_twice_or_without_a_name),
    cmocka_unit_test(missing_operators_in_bodies_are_named),
    cmocka_unit_test(constants_of_a_body_are_read_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
