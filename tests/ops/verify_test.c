/* verify_test.c: a sound graph passes; each way to break one is found and named. */
#include "fixture.h"

#include <sys/wait.h>
#include <unistd.h>

static const char sound[] = "input x f32 [1,4,6,6]\nconst w f32 [4,4,3,3] = random 1 -1 1\n"
                            "y = Conv(x, w, _, x) pads=[1,1,1,1] | Add(@3) | Relu\n"
                            "a, b = Split(y) axis=1\nz = Concat(b, a) axis=1\noutput z\noutput a\n";

static Graph *sound_graph(Context *cx) {
  Graph *g = text_parse(cx, NULL, sound);
  pass_shape(g);
  return g;
}

static void the_sound_graph_passes(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = sound_graph(cx);
  verify(g, "shape");
  g->node[1]->dead = g->node[2]->dead = true;
  g->output[0]->is_output = g->output[1]->is_output = false;
  g->n_output = 0;
  verify(g, "shape"); /* dead nodes may be anything */
  context_free(cx);
}

/* In a child process, because it aborts: breaks the graph, verifies it, and gives back what was written. */
static char *message_of(void (*damage)(Graph *)) {
  static char text[1000];
  int ends[2], status;
  assert_int_equal(pipe(ends), 0);
  pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDERR_FILENO);
    Context *cx = context_new();
    if (setjmp(cx->unwind)) _exit(3);
    Graph *g = sound_graph(cx);
    damage(g);
    verify(g, "test");
    _exit(0);
  }
  close(ends[1]);
  size_t n = 0;
  for (ssize_t got; (got = read(ends[0], text + n, sizeof text - 1 - n)) > 0;) n += (size_t)got;
  text[n] = '\0';
  close(ends[0]);
  waitpid(child, &status, 0);
  assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
  return text;
}

static void dead_reader(Graph *g) { g->node[1]->dead = true; }
static void wrong_order(Graph *g) {
  Node *n = g->node[1];
  g->node[1] = g->node[2];
  g->node[2] = n;
}
static void two_definitions(Graph *g) { g->node[2]->out[0] = g->node[1]->out[0]; }
static void forgotten_def(Graph *g) { g->node[1]->out[1]->def = NULL; }
static void missing_input(Graph *g) { g->node[0]->in[1] = NULL; }
static void too_many_inputs(Graph *g) {
  for (int i = 0; i < 2; i++) node_add_input(g, g->node[1], NULL);
}
static void foreign_value(Graph *g) {
  Value *copy = alloc(g->cx, sizeof *copy);
  *copy = *g->node[0]->in[0];
  g->node[0]->in[0] = copy;
}
static void no_type(Graph *g) { g->node[0]->out[0]->type = T_NONE; }
static void wrong_type(Graph *g) { g->node[2]->out[0]->type = T_F64; }
static void wrong_shape(Graph *g) { g->node[0]->out[0]->shape.d[2] = 7; }
static void wrong_window(Graph *g) { g->node[0]->win.top = 0; }
static void wrong_group(Graph *g) { g->node[0]->group = 2; }
static void wrong_parameter(Graph *g) { g->node[2]->p.axis = 2; }
static void bad_attribute(Graph *g) { attr_set_int(g, g->node[2], "axis", 9); }
static void symbol(Graph *g) { g->input[0]->shape.d[0] = -1; }
static void unmarked_output(Graph *g) { g->output[0]->is_output = false; }
static void undefined_output(Graph *g) {
  g->output[0] = value_new(g, "nobody", T_F32, g->output[0]->shape);
  g->output[0]->is_output = true;
}
static void constant_input(Graph *g) { g->input[0]->data = g->node[0]->in[1]->data; }
static void step_without_argument(Graph *g) { g->node[0]->step[0].arg = -1; }
static void step_beyond_inputs(Graph *g) { g->node[0]->step[0].arg = 9; }
static void step_of_no_kind(Graph *g) { g->node[0]->step[1].op = OP_Concat; }

static const struct { void (*damage)(Graph *); const char *message; } faults[] = {
  {dead_reader, "node \"z\" (Concat): reads \"b\" before it is defined"},
  {wrong_order, "node \"z\" (Concat): reads \"b\" before it is defined"},
  {two_definitions, "node \"z\" (Concat): result \"a\" does not know its node"},
  {forgotten_def, "node \"a\" (Split): result \"b\" does not know its node"},
  {missing_input, "node \"y\" (Conv): input 1 is missing"},
  {too_many_inputs, "node \"a\" (Split): has 3 inputs"},
  {foreign_value, "node \"y\" (Conv): value \"x\" is not in the graph's list"},
  {no_type, "node \"y\" (Conv): value \"y\" has no type"},
  {wrong_type, "node \"z\" (Concat): result \"z\" has the type f64, inferred is f32"},
  {wrong_shape, "node \"y\" (Conv): result \"y\" has the shape [1,4,7,6], inferred is [1,4,6,6]"},
  {wrong_window, "node \"y\" (Conv): its window is not what its attributes say"},
  {wrong_group, "node \"y\" (Conv): has 2 groups, its attributes say 1"},
  {wrong_parameter, "node \"z\" (Concat): its parameters are not what its attributes say"},
  {bad_attribute, "node \"z\" (Concat): "},
  {symbol, "value \"x\" has a symbolic shape, but the graph's batch is a number"},
  {unmarked_output, "output \"z\" is not marked as one"},
  {undefined_output, "output \"nobody\" is never defined"},
  {constant_input, "input \"x\" is computed or constant"},
  {step_without_argument, "node \"y\" (Conv): step 0 has the wrong arguments"},
  {step_beyond_inputs, "node \"y\" (Conv): step 0 reads input 9, which is none"},
  {step_of_no_kind, "node \"y\" (Conv): step 1 is not elementwise"},
};

static void every_fault_is_named(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(faults); i++) {
    const char *text = message_of(faults[i].damage);
    if (!strstr(text, "the pass test leaves a broken graph: ") || !strstr(text, faults[i].message))
      fail_msg("fault %zu: expected \"%s\", got \"%s\"", i, faults[i].message, text);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_sound_graph_passes),
    cmocka_unit_test(every_fault_is_named),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
