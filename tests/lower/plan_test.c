/* plan_test.c: where values lie in the workspace. Random graphs are planned and then played with tokens for
 * numbers: every node reads what it should, so nothing alive was written over. Some of them are compiled and
 * run as well. */
#include <stdlib.h>
#include <string.h>

#include "lower.h"
#include "loaded.h"
#include "harness.h"
#include "each_context.h"

static Options options;

static int setup(void **state) {
  context_setup(state);
  options = (Options){.name = "test", .cpu = "x86-64-v3", .max_memory = 1 << 30, .verify = true};
  return 0;
}

static Build *planned(const char *text) { return build_of(text_parse(cx, &options, text), NULL); }

/* ==== random graphs ==== */

enum { MAX_VALUES = 32, TEXT = 8192 };

typedef struct Image { int c, h, w; } Image;

typedef struct Maker {
  uint64_t random;
  char text[TEXT];
  size_t size;
  Image image[MAX_VALUES]; /* of value v0, v1, ... */
  bool read[MAX_VALUES];
  int n;
} Maker;

static void PRINTF(2, 3) say(Maker *m, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  m->size += (size_t)vsnprintf(m->text + m->size, sizeof m->text - m->size, fmt, args);
  va_end(args);
  assert_true(m->size < sizeof m->text);
}

static void add_image(Maker *m, int c, int h, int w) { m->image[m->n++] = (Image){c, h, w}; }

/* A recent value more often than an old one. */
static int pick_value(Maker *m) {
  int v = m->n - 1 - pick(&m->random, 0, pick(&m->random, 0, m->n - 1));
  m->read[v] = true;
  return v;
}

/* Another of the same shape; -1: none. */
static int pick_like(Maker *m, Image like, int not) {
  for (int tries = 0; tries < 8; tries++) {
    int v = pick(&m->random, 0, m->n - 1);
    if (v == not || memcmp(&m->image[v], &like, sizeof like) != 0) continue;
    m->read[v] = true;
    return v;
  }
  return -1;
}

static void make_conv(Maker *m, int x) {
  static const int channels[] = {16, 16, 16, 3, 20, 32};
  Image i = m->image[x];
  int oc = channels[pick(&m->random, 0, 5)], k = pick(&m->random, 0, 1) ? 3 : 1;
  int stride = pick(&m->random, 0, 5) ? 1 : 2;
  say(m, "const w%d f32 [%d,%d,%d,%d] = random %d -0.3 0.3\n", m->n, oc, i.c, k, k, m->n);
  say(m, "v%d = Conv(v%d, w%d) pads=[%d,%d,%d,%d] strides=[%d,%d]\n", m->n, x, m->n, k / 2, k / 2, k / 2,
      k / 2, stride, stride);
  add_image(m, oc, (i.h - 1) / stride + 1, (i.w - 1) / stride + 1);
}

static void make_unary(Maker *m, int x) {
  static const char *const forms[] = {
    "Relu(v%d)", "Sigmoid(v%d)", "Softmax(v%d) axis=1", "MaxPool(v%d) kernel_shape=[3,3] pads=[1,1,1,1]",
    "AveragePool(v%d) kernel_shape=[3,3] pads=[1,1,1,1]", "Identity(v%d)"};
  say(m, "v%d = ", m->n);
  say(m, forms[pick(&m->random, 0, (int)COUNT(forms) - 1)], x); /* each has one %d */
  say(m, "\n");
  add_image(m, m->image[x].c, m->image[x].h, m->image[x].w);
}

static void make_binary(Maker *m, int x) {
  int y = pick_like(m, m->image[x], x);
  if (y < 0) return;
  say(m, "v%d = %s(v%d, v%d)\n", m->n, pick(&m->random, 0, 3) ? "Add" : "Mul", x, y);
  add_image(m, m->image[x].c, m->image[x].h, m->image[x].w);
  if (pick(&m->random, 0, 1)) return;
  say(m, "v%d = Relu(v%d)\n", m->n, m->n - 1);
  m->read[m->n - 1] = true;
  add_image(m, m->image[x].c, m->image[x].h, m->image[x].w);
}

static void make_concat(Maker *m, int x) {
  int y = pick_value(m);
  Image a = m->image[x], b = m->image[y];
  if (a.h != b.h || a.w != b.w || a.c + b.c > 96) return;
  say(m, "v%d = Concat(v%d, v%d) axis=1\n", m->n, x, y);
  add_image(m, a.c + b.c, a.h, a.w);
}

static void make_split(Maker *m, int x) {
  Image i = m->image[x];
  if (i.c % 2) return;
  say(m, "v%d, v%d = Split(v%d) axis=1\n", m->n, m->n + 1, x);
  add_image(m, i.c / 2, i.h, i.w);
  add_image(m, i.c / 2, i.h, i.w);
}

/* Rows and columns change places by two views and a transposition. */
static void make_views(Maker *m, int x) {
  Image i = m->image[x];
  say(m, "const s%d i64 [3] = {%d, %d, %d}\nconst t%d i64 [4] = {-1, %d, %d, %d}\n", m->n, -1, i.h * i.w, i.c,
      m->n, i.c, i.w, i.h);
  say(m, "a%d = Reshape(v%d, s%d)\nb%d = Softmax(a%d)\nv%d = Reshape(b%d, t%d)\n", m->n, x, m->n, m->n, m->n,
      m->n, m->n, m->n);
  add_image(m, i.c, i.w, i.h);
}

static void make_global(Maker *m, int x) {
  say(m, "v%d = %s(v%d)\n", m->n, pick(&m->random, 0, 1) ? "GlobalAveragePool" : "GlobalMaxPool", x);
  add_image(m, m->image[x].c, 1, 1);
}

static const char *random_graph(int seed) {
  static void (*const make[])(Maker *, int) = {
    make_conv, make_conv, make_conv, make_unary, make_unary, make_binary, make_binary, make_binary,
    make_concat, make_split, make_views, make_global};
  Maker m = {.random = (uint64_t)seed * 77 + 1};
  int batch = pick(&m.random, 1, 2), channels = pick(&m.random, 0, 1) ? 3 : 16, size = pick(&m.random, 3, 9);
  say(&m, "graph random%d\ninput v0 f32 [%d,%d,%d,%d]\n", seed, batch, channels, size, size);
  add_image(&m, channels, size, size);
  while (m.n < MAX_VALUES - 4) make[pick(&m.random, 0, (int)COUNT(make) - 1)](&m, pick_value(&m));
  for (int i = 1; i < m.n; i++) {
    if (!m.read[i] || pick(&m.random, 0, 11) == 0) say(&m, "output v%d\n", i);
  }
  return copy_text(cx, m.text);
}

/* ==== memory of tokens ==== */

enum { GARBAGE = 0, ZERO = 1, FIRST_TOKEN = 2 };

typedef struct Player {
  Graph *g;
  uint32_t *memory[2];     /* the workspace and, one behind the other, the outputs; words of 4 bytes */
  int64_t words[2];
  int64_t *output_at;      /* word, of each output */
  uint32_t **content;      /* tokens of each value's elements in row-major order, by id */
  uint32_t next;           /* token not used yet */
} Player;

static const Value *root_of(const Value *v) {
  while (v->alias) v = v->alias;
  return v;
}

static bool is_played(const Value *v) { return v && (v->place == P_WORK || v->place == P_OUTPUT); }

/* The word at `at` elements from the start of v's storage. */
static uint32_t *word(const Player *p, const Value *v, int64_t at) {
  assert_int_equal(v->alias_offset % 4, 0);
  bool output = v->place == P_OUTPUT;
  int64_t i = at + v->alias_offset / 4 + (output ? p->output_at[v->offset] : v->offset / 4);
  if (i < 0 || i >= p->words[output]) fail_msg("%s lies outside of memory", v->name);
  return &p->memory[output][i];
}

/* Calls `visit` for every word of v's storage that v owns: elements by their number in row-major order, -1
 * for lanes past the last channel, -2 for the halo. */
typedef void Visit(Player *p, const Value *v, uint32_t *word, int64_t element);

static void visit_image(Player *p, const Value *v, int64_t n, int64_t c, Visit *visit) {
  const Layout *l = &v->layout;
  const int64_t *d = v->shape.d;
  int64_t block = l->block ? l->block : 1, base = l->origin + n * l->n + c / block * l->c + c % block;
  for (int64_t y = -l->top; y < d[2] + l->bottom; y++) {
    for (int64_t x = -l->left; x < d[3] + l->right; x++) {
      bool inside = y >= 0 && y < d[2] && x >= 0 && x < d[3];
      int64_t element = !inside ? -2 : c >= d[1] ? -1 : ((n * d[1] + c) * d[2] + y) * d[3] + x;
      visit(p, v, word(p, v, base + y * l->row + x * l->pix), element);
    }
  }
}

static void visit_words(Player *p, const Value *v, Visit *visit) {
  if (v->shape.rank != 4) {
    int64_t words = (int64_t)value_bytes(v) / 4; /* what threads share counts bytes */
    for (int64_t i = 0; i < words; i++) visit(p, v, word(p, v, i), i);
    return;
  }
  int64_t block = v->layout.block ? v->layout.block : 1;
  int64_t channels = (v->shape.d[1] + block - 1) / block * block;
  for (int64_t n = 0; n < v->shape.d[0]; n++) {
    for (int64_t c = 0; c < channels; c++) visit_image(p, v, n, c, visit);
  }
}

static void check_word(Player *p, const Value *v, uint32_t *at, int64_t element) {
  uint32_t want = element >= 0 ? p->content[v->id][element] : ZERO;
  if (element != -1 && *at != want) {
    fail_msg("%s[%lld] was written over\n%s", v->name, (long long)element, graph_text(p->g));
  }
}

static void write_word(Player *p, const Value *v, uint32_t *at, int64_t element) {
  bool in_place = v->alias && shape_equal(&v->shape, &v->alias->shape); /* its halo is zero already */
  if (element == -2 && in_place) return;
  *at = element >= 0 ? p->content[v->id][element] : element == -1 ? GARBAGE : ZERO;
}

static uint32_t *marked; /* the words of one value, while it is compared with another */
static void mark_word(Player *p, const Value *v, uint32_t *at, int64_t element) {
  (void)v, (void)element;
  marked[at - p->memory[0]] = 1;
}

static void check_unmarked(Player *p, const Value *v, uint32_t *at, int64_t element) {
  (void)element;
  if (marked[at - p->memory[0]]) fail_msg("%s is written where it is read\n%s", v->name, graph_text(p->g));
}

/* ==== what nodes do to tokens ==== */

static void fresh(Player *p, const Value *v) {
  for (int64_t i = 0; i < shape_count(&v->shape); i++) p->content[v->id][i] = p->next++;
}

/* Elements of a part of a Concat or Split along channels, from `first` on. */
static void copy_part(Player *p, const Value *whole, const Value *part, int64_t first, bool into_whole) {
  int64_t pixels = whole->shape.d[2] * whole->shape.d[3], n = part->shape.d[1] * pixels;
  for (int64_t i = 0; i < whole->shape.d[0]; i++) {
    uint32_t *w = p->content[whole->id] + (i * whole->shape.d[1] + first) * pixels;
    uint32_t *q = p->content[part->id] + i * n;
    memcpy(into_whole ? w : q, into_whole ? q : w, (size_t)n * sizeof *w);
  }
}

static void compute(Player *p, const Node *n) {
  int64_t first = 0, size[2];
  if (op_info[n->op].family == FAMILY_VIEW || n->op == OP_Reorder) {
    memcpy(p->content[n->out[0]->id], p->content[n->in[0]->id], (size_t)shape_count(&n->out[0]->shape) * 4);
  } else if (n->op == OP_Concat) {
    for (int i = 0; i < n->n_in; first += n->in[i++]->shape.d[1]) {
      copy_part(p, n->out[0], n->in[i], first, true);
    }
  } else if (n->op == OP_Split) {
    split_sizes(p->g, n, size);
    for (int i = 0; i < n->n_out; first += size[i++]) {
      if (n->out[i]) copy_part(p, n->in[0], n->out[i], first, false);
    }
  } else {
    for (int i = 0; i < n->n_out; i++) fresh(p, n->out[i]);
  }
}

/* The result lies there already. */
static bool is_in_place(const Node *n) {
  if (n->op == OP_Reorder) return n->out[0]->alias == n->in[0]; /* else a copy, maybe to another place in the same whole */
  if (op_info[n->op].family == FAMILY_VIEW || n->op == OP_Split) return n->out[0] && root_of(n->out[0]) == root_of(n->in[0]);
  return n->op == OP_Concat && n->in[0]->alias == n->out[0];
}

/* Only an operand that is read element by element, each just before it is written, may lie where the result
 * lies. */
static void check_hazards(Player *p, const Node *n) {
  const Value *y = n->out[0];
  if (!y || y->place != P_WORK) return;
  memset(marked, 0, (size_t)(p->words[0] + 1) * sizeof *marked);
  visit_words(p, y, mark_word);
  for (int i = 0; i < n->n_in; i++) {
    const Value *x = n->in[i];
    if (!x || x->place != P_WORK) continue;
    bool same = layout_equal(&x->layout, &y->layout) &&
                x->offset + x->alias_offset == y->offset + y->alias_offset;
    bool by_element = (i > 0 || n->op == OP_Pointwise) && shape_equal(&x->shape, &y->shape) && same;
    if (!by_element) visit_words(p, x, check_unmarked);
  }
  const Value *work = n->plan ? n->plan->at.work : NULL;
  if (work) visit_words(p, work, check_unmarked);
}

static void write_garbage(Player *p, const Value *v, uint32_t *at, int64_t element) {
  (void)p, (void)v, (void)element;
  *at = GARBAGE;
}

static void play_node(Player *p, const Node *n) {
  if (n->plan && n->plan->at.work) visit_words(p, n->plan->at.work, write_garbage);
  for (int i = 0; i < n->n_in; i++) {
    if (is_played(n->in[i])) visit_words(p, n->in[i], check_word);
  }
  compute(p, n);
  if (!is_in_place(n)) check_hazards(p, n);
  for (int i = 0; i < n->n_out; i++) {
    if (is_played(n->out[i])) visit_words(p, n->out[i], is_in_place(n) ? check_word : write_word);
  }
}

static void play(const Build *b) {
  Graph *g = b->graph;
  Player p = {.g = g, .next = FIRST_TOKEN, .words = {b->work_size / 4, 0}};
  p.output_at = alloc_n(cx, (size_t)g->n_output, sizeof *p.output_at);
  for (int i = 0; i < g->n_output; i++) {
    p.output_at[i] = p.words[1];
    p.words[1] += shape_count(&g->output[i]->shape);
  }
  for (int i = 0; i < 2; i++) p.memory[i] = alloc_n(cx, (size_t)p.words[i] + 1, sizeof *p.memory[i]);
  marked = alloc_n(cx, (size_t)p.words[0] + 1, sizeof *marked);
  p.content = alloc_n(cx, (size_t)g->n_value, sizeof *p.content);
  for (int i = 0; i < g->n_value; i++) {
    Value *v = g->value[i];
    p.content[v->id] = alloc_n(cx, (size_t)shape_count(&v->shape) + 1, sizeof **p.content);
    if (v->is_input || v->data) fresh(&p, v);
  }
  for (int i = 0; i < g->n_node; i++) play_node(&p, g->node[i]);
  for (int i = 0; i < g->n_output; i++) visit_words(&p, g->output[i], check_word);
}

static void play_seed(int seed) {
  static const char *const cpus[] = {"x86-64", "x86-64-v3", "x86-64-v4"};
  context_free(cx);
  cx = context_new();
  EXPECT_NO_FAIL(cx);
  options.cpu = cpus[seed % 3];
  options.winograd = seed % 2 ? WINOGRAD_4 : WINOGRAD_AUTO;
  play(planned(random_graph(seed)));
}

static void nothing_alive_is_written_over(void **state) {
  (void)state;
  for (int seed = 0; seed < 150; seed++) play_seed(seed);
}

static void random_graphs_compute_right(void **state) {
  (void)state;
  for (int seed = 200; seed < 206; seed++) check_kernel(random_graph(seed), 2e-5);
}

/* ==== sharing ==== */

#define RESIDUAL \
  "graph g\ninput x f32 [1,16,8,8]\nconst w f32 [16,16,1,1] = random 1 -1 1\n" \
  "const u f32 [16,16,1,1] = random 2 -1 1\n" \
  "a = Conv(x, w)\nr = Relu(a)\nb = Conv(r, u)\ns = Add(b, r)\nt = Relu(s)\n"

static void residuals_are_written_over(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  const Build *b = planned(RESIDUAL "c = Conv(t, w)\nd = Conv(c, u)\ne = Add(d, t)\nf = Conv(e, w)\noutput f\n");
  const Graph *g = b->graph;
  const Value *e = value_named(g, "e"), *t = value_named(g, "t");
  assert_ptr_equal(e->alias, t);
  assert_ptr_equal(root_of(e), root_of(t));
  assert_int_equal(e->offset + e->alias_offset, t->offset + t->alias_offset);
  play(b);
}

static void residuals_stay_where_they_are_needed(void **state) {
  (void)state;
  static const struct { const char *rest, *result; } cases[] = {
    /* r is the convolution's input too */
    {"output t\n", "t"},
    /* t is read later */
    {"c = Conv(t, w)\nd = Conv(c, u)\ne = Add(d, t)\nf = Conv(t, u)\noutput e\noutput f\n", "e"},
    /* x is the caller's */
    {"c = Conv(t, w)\nd = Conv(c, u)\ne = Add(d, x)\nf = Conv(e, w)\noutput f\n", "e"},
  };
  EXPECT_NO_FAIL(cx);
  for (size_t i = 0; i < COUNT(cases); i++) {
    const Build *b = planned(format_text(cx, RESIDUAL "%s", cases[i].rest));
    const Graph *g = b->graph;
    play(b);
    const Value *result = value_named(g, cases[i].result);
    const Value *blocks = result->def->op == OP_Reorder ? result->def->in[0] : result;
    assert_int_equal(blocks->def->op, OP_Conv);
    for (int k = 0; k < blocks->def->n_in; k++) {
      const Value *v = blocks->def->in[k];
      if (i < 2 && v && v->place == P_WORK) assert_ptr_not_equal(root_of(v), root_of(blocks));
      assert_int_not_equal(root_of(blocks)->place, P_INPUT);
    }
  }
}

static void views_cost_nothing(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  const Build *b = planned("graph g\ninput x f32 [2,6,4]\nconst s i64 [2] = {2, -1}\na = Softmax(x)\n"
                           "b = Reshape(a, s)\n"
                           "const t i64 [3] = {4, 3, 4}\nc = Softmax(b)\nd = Reshape(c, t)\noutput d\n");
  const Graph *g = b->graph;
  assert_ptr_equal(root_of(value_named(g, "b")), value_named(g, "a"));
  assert_ptr_equal(root_of(value_named(g, "c")), g->output[0]); /* computed where the caller wants it */
  assert_int_equal(b->work_size, 2 * 6 * 4 * 4);
  play(b);
}

static void dense_blocks_are_views(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  const Build *b = planned("graph g\ninput x f32 [1,16,8,8]\nconst w f32 [16,16,1,1] = splat 1\ny = Conv(x, w)\n"
                           "p = GlobalAveragePool(y)\nf = Flatten(p)\nq = Softmax(f)\noutput q\n");
  const Graph *g = b->graph;
  assert_ptr_equal(root_of(value_named(g, "f")), value_named(g, "p"));
  play(b);
}

/* ==== sizes ==== */

static void check_sizes(const Build *b) {
  const Graph *g = b->graph;
  int64_t largest = 0, scratch = 0, sum = 0;
  for (int i = 0; i < g->n_value; i++) {
    const Value *v = g->value[i];
    if (v->place != P_WORK || v->alias) continue;
    int64_t bytes = (v->layout.size * (int64_t)type_size(v->type) + 63) / 64 * 64;
    assert_int_equal(v->offset % 64, 0);
    assert_true(v->offset >= 0 && v->offset + bytes <= b->work_size);
    largest = bytes > largest ? bytes : largest;
    sum += bytes;
  }
  for (int i = 0; i < g->n_node; i++) {
    const Plan *plan = g->node[i]->plan;
    if (plan && plan->at.scratch > scratch) scratch = plan->at.scratch;
  }
  assert_true(b->work_size >= largest && b->work_size <= sum);
  assert_true(b->scratch_size >= scratch && b->scratch_size % 64 == 0);
}

static void sizes_cover_everything(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  for (int seed = 300; seed < 310; seed++) check_sizes(planned(random_graph(seed)));
}

static void too_large_values_are_refused(void **state) {
  (void)state;
  options.max_memory = 1 << 20;
  EXPECT_FAIL(cx, planned("graph g\ninput x f32 [1024,1024]\na = Softmax(x)\n"
                          "b = Softmax(a) axis=0\noutput b\n"),
              "test: value \"a\" alone is larger than the memory limit");
}

/* Each fits, and the weights too, but not all together. */
static void the_sum_of_all_is_held_against_the_limit(void **state) {
  (void)state;
  options.max_memory = 5 << 19;
  EXPECT_FAIL(cx, planned("graph g\ninput x f32 [256,1024]\na = Softmax(x)\nb = Softmax(a) axis=0\n"
                          "c = Softmax(b)\nd = Add(a, c)\ne = Softmax(d)\noutput e\n"),
              "test: needs 0 MiB of weights and 3 MiB of workspace, the memory limit is 2.5 MiB");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, context_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
    TEST(nothing_alive_is_written_over), TEST(random_graphs_compute_right), TEST(residuals_are_written_over),
    TEST(residuals_stay_where_they_are_needed), TEST(views_cost_nothing), TEST(dense_blocks_are_views),
    TEST(sizes_cover_everything), TEST(too_large_values_are_refused),
    TEST(the_sum_of_all_is_held_against_the_limit),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
