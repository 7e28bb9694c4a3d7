/* Reorders between any two formats and types, against the evaluator. */
#include "harness.h"
#include "loaded.h"

/* A chain of Reorders whose types and layouts are chosen at random: each has a border of some fill, which must be there in the
 * end, and the last is dense again. */

enum { LINKS = 4 };

typedef struct Link { Type type; int block; int64_t side[4]; uint64_t fill; } Link;

static int below(uint64_t *state, int n) { return (int)(random_bits(state) % (unsigned)n); }

static int64_t random_side(uint64_t *state) { return below(state, 2) ? 0 : below(state, 3); }

static Link random_link(uint64_t *state) {
  static const Type type[] = {T_F32, T_F16, T_BF16, T_F32, T_I32, T_U8, T_I8, T_I64, T_F64};
  static const int block[] = {0, 4, 8, 16, 32, 64};
  Link l = {.type = type[below(state, COUNT(type))], .block = block[below(state, COUNT(block))]};
  for (int i = 0; i < 4; i++) l.side[i] = random_side(state);
  l.fill = below(state, 2) ? 0 : random_bits(state) >> (64 - 8 * type_size(l.type));
  return l;
}

static Layout layout_of(const Shape *s, const Link *k) {
  Layout l = {.block = k->block, .top = k->side[0], .left = k->side[1], .bottom = k->side[2], .right = k->side[3],
              .fill = k->fill, .pix = k->block ? k->block : 1};
  int64_t width = l.left + s->d[3] + l.right, height = l.top + s->d[2] + l.bottom;
  int64_t channels = k->block ? (s->d[1] + k->block - 1) / k->block : s->d[1];
  l.c = k->block ? width * l.pix : height * width;
  l.row = k->block ? channels * l.c : width;
  l.n = k->block ? height * l.row : channels * l.c;
  l.origin = l.top * l.row + l.left * l.pix;
  l.size = s->d[0] * l.n;
  return l;
}

typedef struct Chain { Link link[LINKS]; } Chain;

static void set_layouts(void *data, Graph *g, const Pass *p) {
  const Chain *c = data;
  for (int i = 0; strcmp(p->name, "layout") == 0 && i < LINKS; i++) {
    Value *v = value_named(g, format_text(g->cx, "v%d", i));
    v->layout = layout_of(&v->shape, &c->link[i]);
  }
}

/* All of the border of channel block 0 of the first image; planes have it in every channel. */
static void check_border(const Value *v, const char *work, const char *text) {
  const Layout *l = &v->layout;
  size_t size = type_size(v->type);
  for (int64_t y = -l->top; y < v->shape.d[2] + l->bottom; y++) {
    for (int64_t x = -l->left; x < v->shape.d[3] + l->right; x++) {
      bool inside = y >= 0 && y < v->shape.d[2] && x >= 0 && x < v->shape.d[3];
      const char *p = work + v->offset + (size_t)(l->origin + y * l->row + x * l->pix) * size;
      for (int64_t i = 0; !inside && i < l->pix; i++) {
        if (memcmp(p + (size_t)i * size, &l->fill, size)) fail_msg("the border of %s at %d,%d\n%s", v->name, (int)y, (int)x, text);
      }
    }
  }
}

static void set_inputs(const Value *v, void *data, uint64_t *state) {
  for (int64_t i = 0; i < shape_count(&v->shape); i++) {
    Number x = {.f = below(state, 400) * 0.25 - 50};
    put_number(v->type, data, i, convert_number(T_F64, v->type, x));
  }
}

static void run_chain(Graph *g, Chain *c, uint64_t *state, const char *text) {
  Loaded l;
  front_run(g, NULL, NULL);
  Build *b = build_new(g, g->opt, target_new(g->cx, g->opt));
  build_run(b, set_layouts, c);
  object_emit(b, &l.object);
  l.jit = jit_open(g->cx, g->name, &l.object);
  l.model = jit_model(l.jit);
  size_t size = value_bytes(g->output[0]), work_size = l.model->workspace_size(1, 3);
  void *in = alloc(g->cx, value_bytes(g->input[0])), *want = NULL;
  set_inputs(g->input[0], in, state);
  eval_graph(g, (const void *const[]){in}, &want);
  for (int tasks = 1; tasks <= 3; tasks += 2) {
    rcc_parallel lent = {.threads = tasks, .run = run_backwards};
    Guarded out = guarded_new(size, 1, true), work = guarded_new(work_size, 64, true);
    assert_int_equal(l.model->run((const void *const[]){in}, (void *[]){out.data}, 1, work.data, work_size, &lent), 0);
    if (memcmp(out.data, want, size)) fail_msg("%d tasks\n%s", tasks, text);
    check_border(value_named(g, format_text(g->cx, "v%d", LINKS - 1)), work.data, text);
    free_intact(&out);
    free_intact(&work);
  }
  unload(&l);
}

static void check_chain(uint64_t seed, const char *cpu) {
  Context cx = {.file = "reorder", .max_memory = 1 << 28, .arena = arena_new(1 << 28)};
  Options opt = {.name = "reorder", .cpu = cpu, .max_memory = cx.max_memory, .verify = true};
  uint64_t state = seed * 2 + 1;
  Chain c;
  Buffer text = {0};
  if (setjmp(cx.unwind)) fail_msg("%s\n%s", cx.error, text.data);
  for (int i = 0; i < LINKS; i++) c.link[i] = random_link(&state);
  buffer_printf(&text, "# seed %d, cpu %s\ngraph reorder\ninput x %s [%d,%d,%d,%d]\n", (int)seed, cpu ? cpu : "host",
                type_name(c.link[below(&state, LINKS)].type), 1 + below(&state, 2), 1 + below(&state, 70),
                1 + below(&state, 5), 1 + below(&state, 9));
  for (int i = 0; i < LINKS; i++) {
    buffer_printf(&text, i ? "v%d = Reorder(v%d)\n" : "v%d = Reorder(x)\n", i, i - 1);
  }
  buffer_printf(&text, "y = Reorder(v%d)\noutput y\n", LINKS - 1);
  Graph *g = text_parse(&cx, &opt, text.data);
  for (int i = 0; i < LINKS; i++) {
    const Link *k = &c.link[i];
    value_named(g, format_text(&cx, "v%d", i))->type = k->type;
    buffer_printf(&text, "# v%d %s block %d halo %d,%d,%d,%d of %llx\n", i, type_name(k->type), k->block, (int)k->side[0],
                  (int)k->side[1], (int)k->side[2], (int)k->side[3], (unsigned long long)k->fill);
  }
  run_chain(g, &c, &state, text.data);
  buffer_free(&text);
  arena_free(cx.arena);
}

static void random_formats(void **state) {
  (void)state;
  for (uint64_t seed = 0; seed < 60; seed++) check_chain(seed, seed % 3 == 0 ? NULL : seed % 3 == 1 ? "x86-64-v3" : "x86-64");
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(random_formats)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
