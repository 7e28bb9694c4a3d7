/* layout_test.c: what lies on blocks, where Reorders stand, halos, concatenations in place. */
#include <string.h>

#include "lower.h"
#include "harness.h"
#include "each_context.h"

static Options options;

static int setup(void **state) {
  context_setup(state);
  options = (Options){.name = "test", .max_memory = 1 << 30, .winograd = WINOGRAD_OFF};
  return 0;
}

/* For vectors of 8 lanes. */
static Graph *laid_out(const char *text) {
  Graph *g = text_parse(cx, &options, text);
  pass_shape(g);
  static const Target target = {.lanes = 8, .regs = 16, .fma = true, .l1 = 32 << 10, .l2 = 512 << 10};
  Build *b = build_new(g, &options, &target);
  pass_select(b);
  pass_layout(b);
  verify(g, "layout");
  return g;
}

static void assert_halo(const Value *v, int top, int left, int bottom, int right) {
  const Layout *l = &v->layout;
  if (l->top != top || l->left != left || l->bottom != bottom || l->right != right) {
    fail_msg("halo of %s is %d,%d,%d,%d, not %d,%d,%d,%d", v->name, (int)l->top, (int)l->left, (int)l->bottom, (int)l->right,
             top, left, bottom, right);
  }
}

/* The convolutions write where their results belong, two pixels apart; the border is the whole's. */
static void interleaved_parts_lie_in_the_whole(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Graph *g = laid_out("input x f32 [1,16,4,5]\nconst w f32 [24,16,1,1] = splat 1\nconst v f32 [8,24,3,3] = splat 1\n"
                      "a = Conv(x, w)\nb = Conv(x, w)\nc = Conv(x, w)\nd = Conv(x, w)\ny = Interleave(a, b, c, d) strides=[2,2]\n"
                      "z = Conv(y, v) pads=[1,1,1,1]\noutput z\n");
  assert_string_equal(ops_text(g), "Reorder Conv Conv Conv Conv Interleave Conv Reorder");
  const Value *y = value_named(g, "y"), *d = value_named(g, "d");
  assert_halo(y, 1, 1, 1, 1);
  assert_halo(d, 0, 0, 0, 0);
  assert_ptr_equal(d->alias, y);
  assert_int_equal(d->layout.row, 2 * y->layout.row);
  assert_int_equal(d->layout.pix, 2 * y->layout.pix);
  assert_int_equal(d->alias_offset, 4 * (y->layout.row + y->layout.pix));
}

/* A part that others read too, or that lies dense, is copied. */
static void other_parts_are_copied(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Graph *g = laid_out("input x f32 [1,16,4,5]\nconst w f32 [24,16,1,1] = splat 1\na = Conv(x, w)\n"
                      "y = Interleave(a, a) strides=[1,2]\noutput y\n");
  assert_string_equal(ops_text(g), "Reorder Conv Reorder Interleave");
  assert_null(value_named(g, "a")->alias);
}

/* The frames lie behind each other already, with one of zeros before and one behind. */
static void stacked_frames_are_views(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Graph *g = laid_out("input x f32 [4,16,5,5]\nconst w f32 [16,16,1,1] = splat 1\nconst v f32 [8,48,3,3] = splat 1\n"
                      "a = Conv(x, w)\nu = Unfold(a) starts=[-1] kernel_shape=[3] output_shape=[4]\n"
                      "z = Conv(u, v) pads=[1,1,1,1]\noutput z\n");
  assert_string_equal(ops_text(g), "Reorder Conv Unfold Conv Reorder");
  const Value *a = value_named(g, "a"), *u = value_named(g, "u");
  assert_halo(a, 1, 1, 1, 1);
  assert_int_equal(a->layout.front, 1);
  assert_int_equal(a->layout.back, 1);
  assert_int_equal(a->layout.size, 6 * 2 * 7 * 7 * 8);
  assert_ptr_equal(u->alias, a);
  assert_int_equal(u->layout.n, 2 * u->layout.c);
  assert_int_equal(u->alias_offset, -4 * a->layout.n);
}

/* The same of bytes, between zero points; a reader in whose border something else lies has a copy. */
static void stacked_bytes_are_views(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Graph *g = laid_out("input x u8 [4,32,5,5]\nconst w i8 [32,32,1,1] = splat 1\nconst v i8 [8,96,3,3] = splat 1\nconst z u8 [] = {9}\n"
                      "const m f32 [] = {0.01}\na = ConvInteger(x, w, z, _, m) | Requantize(@4) u8\n"
                      "u = Unfold(a) starts=[-1] kernel_shape=[3] output_shape=[4] fill=9\ny = ConvInteger(u, v, z) pads=[1,1,1,1]\n"
                      "t = Unfold(a) starts=[-1] kernel_shape=[3] output_shape=[4] fill=7\nq = ConvInteger(t, v)\noutput y\noutput q\n");
  assert_string_equal(ops_text(g), "Reorder ConvInteger|Requantize Unfold ConvInteger Reorder Unfold ConvInteger Reorder Reorder");
  const Value *a = value_named(g, "a"), *u = value_named(g, "u"), *t = value_named(g, "t");
  assert_halo(a, 1, 1, 1, 1);
  assert_int_equal(a->layout.fill, 9);
  assert_int_equal(a->layout.front, 1);
  assert_ptr_equal(u->alias, a);
  assert_int_equal(t->alias->layout.fill, 7);
}

/* Where channels do not fill blocks, or there are several volumes, frames are copied. */
static void other_frames_are_copied(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Graph *g = laid_out("input x f32 [4,16,5,5]\nconst w f32 [12,16,1,1] = splat 1\na = Conv(x, w)\n"
                      "u = Unfold(a) starts=[-1] kernel_shape=[3] output_shape=[4]\n"
                      "v = Unfold(x) kernel_shape=[2] output_shape=[1] volumes=2\noutput u\noutput v\n");
  assert_string_equal(ops_text(g), "Reorder Conv Reorder Unfold Unfold");
}

#define CONV_WEIGHTS \
  "const w f32 [16,16,3,3] = splat 1\nconst v f32 [16,16,1,1] = splat 1\nconst u f32 [24,16,1,1] = splat 1\n"

/* ==== Reorders ==== */

static void reorders_stand_where_layouts_meet(void **state) {
  (void)state;
  static const struct { const char *text, *ops; } cases[] = {
    {"y = Conv(x, w) pads=[1,1,1,1]\nz = Conv(y, v)\noutput z\n", "Reorder Conv Conv Reorder"},
    {"y = Conv(x, w)\nz = Conv(x, v)\noutput y\noutput z\n", "Reorder Conv Conv Reorder Reorder"},
    {"y = Conv(x, v)\np = MaxPool(y) kernel_shape=[2,2]\nq = Pointwise(p) | Relu\nz = Conv(q, v)\noutput z\n",
     "Reorder Conv MaxPool Pointwise|Relu Conv Reorder"},
    {"y = Conv(x, v)\np, i = MaxPool(y) kernel_shape=[2,2]\nz = Conv(p, v)\noutput z\noutput i\n",
     "Reorder Conv Reorder MaxPool Reorder Conv Reorder"},
    {"p = MaxPool(x) kernel_shape=[2,2]\noutput p\n", "MaxPool"},
    {"const a i64 [8] = {0,0,1,0,0,0,0,2}\ny = Conv(x, v)\np = Pad(y, a) mode=\"reflect\"\nz = MaxPool(p) kernel_shape=[2,2]\noutput z\n",
     "Reorder Conv Pad MaxPool Reorder"},
    {"const a i64 [8] = {0,1,0,0,0,0,0,0}\ny = Conv(x, v)\nz = Pad(y, a)\noutput z\n", "Reorder Conv Reorder Pad"},
    {"const s i64 [2] = {6,1}\nconst e i64 [2] = {-9,9}\nconst a i64 [2] = {2,3}\nconst p i64 [2] = {-2,1}\n"
     "y = Conv(x, v)\nq = Slice(y, s, e, a, p)\nz = MaxPool(q) kernel_shape=[2,2]\noutput z\n", "Reorder Conv Slice MaxPool Reorder"},
    {"const s i64 [1] = {2}\nconst e i64 [1] = {9}\nconst a i64 [1] = {1}\ny = Conv(x, v)\nz = Slice(y, s, e, a)\noutput z\n",
     "Reorder Conv Reorder Slice"},
    {"y = Conv(x, v)\ns = Softmax(y) axis=1\nt = Transpose(y) perm=[0,2,3,1]\noutput s\noutput t\n",
     "Reorder Conv Reorder Softmax Transpose"},
    {"s = Softmax(x)\ny = Conv(x, v, _, s) | Add(@3) | Relu\nz = Pointwise(y, x) | Add(@1)\noutput z\n",
     "Softmax Reorder Reorder Conv|Add|Relu Pointwise|Add Reorder"},
    {"y = Conv(x, v)\ng = GlobalAveragePool(y)\nf = Flatten(g)\noutput f\n",
     "Reorder Conv GlobalAveragePool Reorder Flatten"},
  };
  EXPECT_NO_FAIL(cx);
  for (size_t i = 0; i < COUNT(cases); i++) {
    Graph *g = laid_out(format_text(cx, "graph g\ninput x f32 [1,16,8,8]\n" CONV_WEIGHTS "%s",
                                    cases[i].text));
    assert_string_equal(ops_text(g), cases[i].ops);
  }
}

/* Of a planar input with edges that are less work than a copy, and of one without; channels last are read as they lie. */
static void stems_read_inside(void **state) {
  static const struct { const char *text, *ops; } cases[] = {
    {"input x f32 [1,3,16,160]\ny = Conv(x, w) pads=[1,1,1,1] strides=[2,2]\noutput y\n", "Conv Reorder"},
    {"input x f32 [1,3,16,40]\ny = Conv(x, w) pads=[1,1,1,1] strides=[2,2]\noutput y\n", "Reorder Conv Reorder"},
    {"input x f32 [1,3,16,160]\ny = Conv(x, w) pads=[1,1,1,1]\noutput y\n", "Reorder Conv Reorder"},
    {"input x f32 [1,3,16,40]\ny = Conv(x, w) pads=[2,0,2,0]\noutput y\n", "Conv Reorder"},
    {"input x f32 [1,16,40,3]\nt = Transpose(x) perm=[0,3,1,2]\ny = Conv(t, w)\noutput y\n", "Transpose Conv Reorder"},
  };
  (void)state;
  EXPECT_NO_FAIL(cx);
  for (size_t i = 0; i < COUNT(cases); i++) {
    Graph *g = laid_out(format_text(cx, "graph g\nconst w f32 [16,3,3,3] = splat 1\n%s", cases[i].text));
    assert_string_equal(ops_text(g), cases[i].ops);
    for (int k = 0; k < g->n_input; k++) assert_halo(g->input[k], 0, 0, 0, 0);
    if (g->node[0]->op == OP_Transpose) assert_ptr_equal(g->node[0]->out[0]->alias, g->input[0]);
  }
}

static void channels_last_costs_one_reorder(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Graph *g = laid_out("graph g\ninput x f32 [1,8,7,16]\n" CONV_WEIGHTS
                      "t = Transpose(x) perm=[0,3,1,2]\ny = Conv(t, v)\noutput y\n");
  assert_string_equal(ops_text(g), "Transpose Reorder Conv Reorder");
  const Value *t = value_named(g, "t");
  assert_ptr_equal(t->alias, g->input[0]); /* no copy of its own */
  assert_int_equal(t->layout.c, 1);
  assert_int_equal(t->layout.pix, 16);
  assert_int_equal(t->layout.row, 7 * 16);
  g = laid_out("graph g\ninput x f32 [1,8,7,16]\n" CONV_WEIGHTS
               "t = Transpose(x) perm=[0,3,1,2]\ny = Conv(t, v)\ns = Softmax(t)\noutput y\noutput s\n");
  assert_null(value_named(g, "t")->alias); /* softmax wants it dense */
}

static void outputs_are_dense_and_keep_their_names(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Graph *g = laid_out("graph g\ninput x f32 [1,16,8,8]\n" CONV_WEIGHTS
                      "y = Conv(x, w)\nz = Conv(y, v)\ng = GlobalMaxPool(z)\noutput y\noutput g\n");
  assert_string_equal(g->output[0]->name, "y");
  assert_string_equal(g->output[1]->name, "g");
  for (int i = 0; i < g->n_output; i++) {
    assert_int_equal(g->output[i]->layout.block, 0);
    assert_true(layout_is_plain(g->output[i]));
    assert_int_equal(g->output[i]->def->op, OP_Reorder);
    assert_true(g->output[i]->def->in[0]->layout.block == 8 && !g->output[i]->def->in[0]->is_output);
  }
}

static void few_channels_stay_planes(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Graph *g = laid_out("graph g\ninput x f32 [2,3,9,10]\nconst w f32 [16,3,5,3] = splat 1\n"
                      "y = Conv(x, w) pads=[2,1,2,1]\noutput y\n");
  assert_string_equal(ops_text(g), "Reorder Conv Reorder");
  const Value *x = g->node[1]->in[0];
  assert_int_equal(x->layout.block, 0);
  assert_halo(x, 2, 1, 2, 1);
  assert_int_equal(x->layout.row, 12);
  assert_int_equal(x->layout.c, 13 * 12);
  assert_int_equal(x->layout.n, 3 * 13 * 12);
  assert_int_equal(x->layout.origin, 2 * 12 + 1);
  assert_int_equal(x->layout.size, 2 * 3 * 13 * 12);
  assert_true(layout_is_plain(g->input[0]));
}

/* ==== epilogues ==== */

static void steps_that_need_dense_tensors_leave(void **state) {
  (void)state;
  static const struct { const char *text, *ops; } cases[] = {
    {"const r f32 [8] = splat 1\ny = Conv(x, v, _, r) | Relu | Add(@3) | Relu\noutput y\n",
     "Reorder Conv|Relu Reorder Pointwise|Add|Relu"},
    {"const r f32 [1,16,8,8] = splat 1\ny = Conv(x, v, _, r) | Mul(@3)\noutput y\n",
     "Reorder Conv Reorder Pointwise|Mul"},
    {"const r f32 [16,1,1] = splat 1\nconst s f32 [] = splat 2\ny = Conv(x, v, _, r, s) | Mul(@3) | Add(@4)\n"
     "output y\n",
     "Reorder Conv|Mul|Add Reorder"},
    {"input r f32 [1,16,1,1]\ny = Conv(x, v, _, r) | Mul(@3)\noutput y\n",
     "Reorder Reorder Conv|Mul Reorder"},
    {"input r f32 [1,16,8,1]\ny = Conv(x, v, _, r, x) | Add(@4) | Mul(@3)\noutput y\n",
     "Reorder Conv|Add Reorder Pointwise|Mul"},
  };
  EXPECT_NO_FAIL(cx);
  for (size_t i = 0; i < COUNT(cases); i++) {
    Graph *g = laid_out(format_text(cx, "graph g\ninput x f32 [1,16,8,8]\n" CONV_WEIGHTS "%s",
                                    cases[i].text));
    assert_string_equal(ops_text(g), cases[i].ops);
    assert_string_equal(g->output[0]->name, "y");
  }
}

static void classes_of_arguments(void **state) {
  (void)state;
  static const struct { const char *arg; ArgClass class; } cases[] = {
    {"const a f32 [] = splat 1", ARG_SCALAR},         {"const a f32 [1,1,1,1] = splat 1", ARG_SCALAR},
    {"const a f32 [16,1,1] = splat 1", ARG_CHANNEL},  {"const a f32 [1,16,1,1] = splat 1", ARG_CHANNEL},
    {"const a f32 [2,16,1,1] = splat 1", ARG_OTHER},  {"input a f32 [2,16,1,1]", ARG_CHANNEL},
    {"input a f32 [1,16,1,1]", ARG_CHANNEL},          {"input a f32 [16,1,1]", ARG_OTHER},
    {"input a f32 [2,16,8,9]", ARG_TENSOR},           {"const a f32 [2,16,8,9] = splat 1", ARG_OTHER},
    {"input a f32 [2,16,8,1]", ARG_OTHER},            {"input a f32 []", ARG_SCALAR},
    {"const a f32 [9] = splat 1", ARG_OTHER},         {"input a f32 [1,1,1,1]", ARG_OTHER},
  };
  EXPECT_NO_FAIL(cx);
  for (size_t i = 0; i < COUNT(cases); i++) {
    Graph *g = text_parse(cx, &options, format_text(cx, "graph g\ninput x f32 [2,16,8,9]\n%s\n"
                                                        "y = Pointwise(x, a) | Add(@1) | Relu\noutput y\n",
                                                    cases[i].arg));
    pass_shape(g);
    ArgClass class = step_arg_class(g->node[0], &g->node[0]->step[0]);
    if (class != cases[i].class) fail_msg("%s: class %d, not %d", cases[i].arg, class, cases[i].class);
    assert_int_equal(step_arg_class(g->node[0], &g->node[0]->step[1]), ARG_NONE);
  }
}

/* ==== formats ==== */

/* A block of channels is a vector: 64, 32 or 16 bytes. */
static void formats_of_types(void **state) {
  (void)state;
  static const struct { Type type; int block[3]; } cases[] = {
    {T_F32, {16, 8, 4}}, {T_I32, {16, 8, 4}}, {T_F16, {32, 16, 8}}, {T_BF16, {32, 16, 8}}, {T_U8, {64, 32, 16}},
    {T_I8, {64, 32, 16}}, {T_F64, {8, 4, 2}},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    for (int k = 0; k < 3; k++) {
      Target t = {.lanes = 16 >> k};
      assert_int_equal(channel_block(&t, cases[i].type), cases[i].block[k]);
    }
  }
}

/* A Pointwise on blocks casts to the blocks of the other type; behind a convolution or pool a cast is a Pointwise of its own. */
static void casts_stay_on_blocks(void **state) {
  (void)state;
  static const struct { const char *text, *ops; int block; } cases[] = {
    {"z = Pointwise(y) | Relu | Cast u8\n", "Reorder Conv Pointwise|Relu|Cast Reorder", 32},
    {"z = Conv(y, v) | Relu | Cast f16 | Cast f32\n", "Reorder Conv Conv|Relu Pointwise|Cast|Cast Reorder", 8},
    {"z = MaxPool(y) kernel_shape=[2,2] | Relu | Cast f16\n", "Reorder Conv MaxPool|Relu Pointwise|Cast Reorder", 16},
    {"z = Pointwise(y) | Cast i64\n", "Reorder Conv Reorder Pointwise|Cast", 0},
  };
  EXPECT_NO_FAIL(cx);
  for (size_t i = 0; i < COUNT(cases); i++) {
    Graph *g = laid_out(format_text(cx, "graph g\ninput x f32 [1,16,8,8]\n" CONV_WEIGHTS "y = Conv(x, v)\n%soutput z\n",
                                    cases[i].text));
    assert_string_equal(ops_text(g), cases[i].ops);
    const Node *last = g->output[0]->def;
    assert_int_equal((last->op == OP_Reorder ? last->in[0] : last->out[0])->layout.block, cases[i].block);
  }
}

/* ==== halos ==== */

static void halos_hold_what_windows_read(void **state) {
  (void)state;
  static const struct { const char *kernel, *attributes; int halo[4]; } cases[] = {
    {"1,1", "", {0, 0, 0, 0}},
    {"3,3", "", {0, 0, 0, 0}},
    {"3,3", "pads=[1,1,1,1]", {1, 1, 1, 1}},
    {"3,3", "pads=[1,1,1,1] strides=[2,2]", {1, 1, 0, 1}}, /* 10x9: row 10 is never read, column 9 is */
    {"3,3", "pads=[2,2,2,2] dilations=[2,2]", {2, 2, 2, 2}},
    {"5,2", "pads=[0,1,3,0]", {0, 1, 3, 0}},
    {"7,7", "pads=[3,3,3,3] strides=[2,3]", {3, 3, 2, 1}},
    {"1,1", "pads=[1,0,0,2]", {1, 0, 0, 2}},
    {"2,2", "pads=[0,0,1,1] strides=[2,2]", {0, 0, 0, 1}},
  };
  EXPECT_NO_FAIL(cx);
  for (size_t i = 0; i < COUNT(cases); i++) {
    Graph *g = laid_out(format_text(cx, "graph g\ninput x f32 [1,16,10,9]\nconst w f32 [16,16,%s] = splat 1\n"
                                        "y = Conv(x, w) %s\noutput y\n", cases[i].kernel,
                                        cases[i].attributes));
    const int *h = cases[i].halo;
    const Layout *l = &g->node[1]->in[0]->layout;
    assert_halo(g->node[1]->in[0], h[0], h[1], h[2], h[3]);
    assert_int_equal(l->block, 8);
    assert_int_equal(l->pix, 8);
    assert_int_equal(l->c, (9 + h[1] + h[3]) * 8);
    assert_int_equal(l->row, 2 * l->c);
    assert_int_equal(l->n, (10 + h[0] + h[2]) * l->row);
    assert_int_equal(l->origin, h[0] * l->row + h[1] * 8);
    assert_int_equal(l->size, l->n);
  }
}

/* Tiles of 4x4 results read 6x6, in the last row of several groups too, where they lie apart with a dilation; at other edges they
 * are cut. */
static void winograd_reads_whole_tiles(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  options.winograd = WINOGRAD_4;
  static const struct { const char *input; int dilation, bottom; } cases[] = {
    {"[1,16,9,15]", 1, 1}, {"[1,16,29,31]", 1, 4}, {"[1,16,9,15]", 2, 2}, {"[1,16,58,62]", 2, 8}, {"[1,16,57,62]", 2, 8},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    int d = cases[i].dilation;
    Graph *g = laid_out(format_text(cx, "graph g\ninput x f32 %s\n" CONV_WEIGHTS
                                    "y = Conv(x, w) pads=[%d,%d,%d,%d] dilations=[%d,%d]\noutput y\n", cases[i].input, d, d, d, d,
                                    d, d));
    assert_string_equal(g->node[1]->plan->how->name, "winograd");
    assert_halo(g->node[1]->in[0], d, d, cases[i].bottom, d);
  }
}

static void residuals_share_one_halo(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Graph *g = laid_out("graph g\ninput x f32 [1,16,10,9]\n" CONV_WEIGHTS "const k f32 [16,16,5,5] = splat 1\n"
                      "a = Conv(x, v)\nb = Conv(a, v, _, a) | Add(@3)\n"
                      "c = Conv(b, w, _, b) pads=[1,1,1,1] | Add(@3)\n"
                      "d = Pointwise(c, b) | Add(@1) | Relu\ne = Conv(d, k, _, d) pads=[2,2,2,2] | Add(@3)\n"
                      "output e\n");
  static const char *const chain[] = {"a", "b", "c", "d"};
  for (size_t i = 0; i < COUNT(chain); i++) {
    const Value *v = value_named(g, chain[i]);
    assert_halo(v, 2, 2, 2, 2);
    assert_true(layout_equal(&v->layout, &value_named(g, "a")->layout));
  }
  assert_halo(g->node[1]->in[0], 0, 0, 0, 0); /* x itself has no part in it */
}

/* What convolutions number i of the graph read beside the map, as quantised ones would. */
static Graph *laid_out_with_fills(const char *text, const uint64_t *fill) {
  Graph *g = text_parse(cx, &options, text);
  pass_shape(g);
  static const Target target = {.lanes = 8, .regs = 16, .fma = true, .l1 = 32 << 10, .l2 = 512 << 10};
  Build *b = build_new(g, &options, &target);
  pass_select(b);
  int conv = 0;
  for (int i = 0; i < g->n_node; i++) {
    if (g->node[i]->op == OP_Conv) g->node[i]->win.fill = fill[conv++];
  }
  pass_layout(b);
  return g;
}

static void borders_are_shared_where_they_hold_the_same(void **state) {
  (void)state;
  static const struct { uint64_t fill[4]; const char *ops; } cases[] = {
    {{0, 7, 7, 7}, "Reorder Conv Conv Conv Conv Reorder Reorder Reorder"},
    {{0, 7, 7, 0}, "Reorder Conv Conv Conv Reorder Conv Reorder Reorder Reorder"},
    {{0, 0, 7, 0}, "Reorder Conv Conv Reorder Conv Conv Reorder Reorder Reorder"},
  };
  EXPECT_NO_FAIL(cx);
  for (size_t i = 0; i < COUNT(cases); i++) {
    const uint64_t *fill = cases[i].fill;
    Graph *g = laid_out_with_fills("graph g\ninput x f32 [1,16,8,8]\n" CONV_WEIGHTS "a = Conv(x, v)\n"
                                   "b = Conv(a, w) pads=[1,1,1,1]\nc = Conv(a, w) pads=[1,0,0,1]\n"
                                   "d = Conv(a, w) pads=[2,0,0,1]\noutput b\noutput c\noutput d\n", fill);
    assert_string_equal(ops_text(g), cases[i].ops);
    for (int k = 0, conv = 0; k < g->n_node; k++) {
      if (g->node[k]->op == OP_Conv) assert_int_equal(g->node[k]->in[0]->layout.fill, fill[conv++]);
    }
  }
}

/* A residual, and the parts of a concatenation, whose borders hold something else have a border of their own. */
static void other_borders_are_apart(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Graph *g = laid_out_with_fills("graph g\ninput x f32 [1,16,8,8]\n" CONV_WEIGHTS "a = Conv(x, v)\n"
                                 "b = Conv(a, w) pads=[2,2,2,2]\nc = Conv(a, v, _, a) | Add(@3)\n"
                                 "d = Conv(c, w) pads=[1,1,1,1]\noutput b\noutput d\n", (const uint64_t[]){0, 7, 0, 0});
  assert_halo(value_named(g, "a"), 2, 2, 2, 2);
  assert_halo(value_named(g, "c"), 1, 1, 1, 1);
  g = laid_out_with_fills("graph g\ninput x f32 [1,16,8,8]\n" CONV_WEIGHTS "a = Conv(x, v)\nb = Conv(x, v)\n"
                          "d = Conv(a, w) pads=[1,1,1,1]\ne = Conv(b, w) pads=[1,1,1,1]\nc = Concat(a, b) axis=1\n"
                          "output c\noutput d\noutput e\n", (const uint64_t[]){0, 0, 7, 0});
  assert_null(value_named(g, "a")->alias);
  assert_null(value_named(g, "b")->alias);
}

/* ==== concatenations and splits in place ==== */

static void parts_lie_inside_the_whole(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Graph *g = laid_out("graph g\ninput x f32 [1,16,10,9]\n" CONV_WEIGHTS "const k f32 [16,40,3,3] = splat 1\n"
                      "a = Conv(x, v)\nb = Conv(x, u)\nc = Concat(a, b) axis=1\n"
                      "y = Conv(c, k) pads=[1,1,1,1]\n"
                      "z = Conv(a, v)\noutput y\noutput z\n");
  const Value *a = value_named(g, "a"), *b = value_named(g, "b"), *c = value_named(g, "c");
  assert_ptr_equal(a->alias, c);
  assert_ptr_equal(b->alias, c);
  assert_halo(c, 1, 1, 1, 1);
  assert_int_equal(c->layout.c, 11 * 8);
  assert_int_equal(c->layout.row, 5 * c->layout.c);
  assert_true(layout_equal(&a->layout, &c->layout) && layout_equal(&b->layout, &c->layout));
  assert_int_equal(a->alias_offset, 0);
  assert_int_equal(b->alias_offset, 2 * c->layout.c * 4);
}

/* The features of a dense block lie in the first whole that they are a part of; into the next ones they are copied. */
static void parts_of_another_whole_are_copied(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Graph *g = laid_out("graph g\ninput x f32 [1,16,4,4]\n" CONV_WEIGHTS "const k f32 [16,32,1,1] = splat 1\n"
                      "const m f32 [16,48,1,1] = splat 1\na = Conv(x, v)\nb = Conv(x, v)\nc = Concat(a, b) axis=1\n"
                      "e = Conv(c, k)\nd = Concat(a, b, e) axis=1\ny = Conv(d, m)\noutput y\n");
  assert_ptr_equal(value_named(g, "a")->alias, value_named(g, "c"));
  assert_ptr_equal(value_named(g, "a.part")->alias, value_named(g, "d"));
  assert_ptr_equal(value_named(g, "b.part")->alias, value_named(g, "d"));
  assert_ptr_equal(value_named(g, "e")->alias, value_named(g, "d"));
  assert_int_equal(value_named(g, "b.part")->layout.block, value_named(g, "d")->layout.block);
}

static void some_concatenations_are_copies(void **state) {
  (void)state;
  static const char *const rests[] = {
    "c = Concat(a, b) axis=2\ny = Conv(c, v)\noutput y\n",                 /* along rows */
    "c = Concat(a, b) axis=1\noutput a\noutput c\n",                       /* a part is read outside */
    "c = Concat(a, a) axis=1\noutput c\n",                                 /* a part can't be twice in it */
    ("const k f32 [20,16,1,1] = splat 1\nd = Conv(x, k)\nc = Concat(d, a) axis=1\n" /* blocks not full */
     "output c\n"),
    "c = Concat(a, x) axis=1\noutput c\n",                                 /* a part is given from outside */
  };
  EXPECT_NO_FAIL(cx);
  for (size_t i = 0; i < COUNT(rests); i++) {
    Graph *g = laid_out(format_text(cx, "graph g\ninput x f32 [1,16,4,4]\n" CONV_WEIGHTS
                                        "a = Conv(x, v)\nb = Conv(x, w) pads=[1,1,1,1]\n%s", rests[i]));
    for (int k = 0; k < g->n_value; k++) {
      if (g->value[k]->alias) fail_msg("case %d: %s is in place", (int)i, g->value[k]->name);
    }
  }
}

/* Wholes that are parts of others; splits of wholes; blocks of one pixel that others read as dense. What
 * comes out is what the evaluator says. */
static void nested_parts_compute_right(void **state) {
  (void)state;
  static const char *const rests[] = {
    "c = Concat(m, n) axis=1\nd = Concat(y, c) axis=1\nz = Conv(d, w48)\nu = Conv(n, v) pads=[1,1,1,1]\n"
    "output z\noutput u\n",
    "k = Conv(x, w32)\np, q = Split(k) axis=1\nr = Relu(p)\nt = Tanh(q)\nc = Concat(m, k) axis=1\n"
    "z = Conv(c, w48)\n"
    "u = Conv(q, v) pads=[1,1,1,1]\ni = Conv(r, v)\nj = Conv(t, v)\noutput z\noutput u\noutput i\noutput j\n",
    "k = Conv(x, w32)\np, q = Split(k) axis=1\nu = Conv(q, v) pads=[2,0,0,2]\nr = Mul(p, u)\noutput r\n",
    "k = Conv(x, w64)\np, q = Split(k) axis=1\nr, s = Split(q) axis=1\nu = Conv(s, v) pads=[1,1,1,1]\n"
    "i = Conv(r, v)\nj = Conv(p, b32)\noutput u\noutput i\noutput j\n",
    "p = GlobalAveragePool(y)\nz = Conv(p, v) pads=[1,1,1,1]\nf = Flatten(p)\nq = Softmax(f)\noutput q\n"
    "output z\n",
    "p = GlobalAveragePool(y)\nr = GlobalMaxPool(y)\nc = Concat(p, r) axis=1\nz = Conv(c, b32)\n"
    "f = Flatten(p)\n"
    "q = Softmax(f)\noutput q\noutput z\n",
    "p = GlobalAveragePool(y)\nr = GlobalMaxPool(y)\nk = GlobalMaxPool(m)\nc = Concat(p, r) axis=1\n"
    "d = Concat(k, c) axis=1\nz = Conv(d, w48)\nf = Flatten(r)\nq = Softmax(f)\noutput q\noutput z\n",
  };
  for (size_t i = 0; i < COUNT(rests); i++) {
    char text[2048];
    snprintf(text, sizeof text,
             "graph g\ninput x f32 [2,16,5,6]\nconst a f32 [16,16,1,1] = random 1 -0.5 0.5\n"
             "const v f32 [16,16,3,3] = random 2 -0.5 0.5\nconst w48 f32 [16,48,1,1] = random 3 -0.5 0.5\n"
             "const w32 f32 [32,16,1,1] = random 4 -0.5 0.5\nconst b32 f32 [16,32,1,1] = random 5 -0.5 0.5\n"
             "const w64 f32 [64,16,1,1] = random 6 -0.5 0.5\n"
             "y = Conv(x, a)\nm = LeakyRelu(y)\nn = Sigmoid(y)\n%s", rests[i]);
    check_kernel(text, 1e-5);
  }
}

/* ==== comparisons ==== */

static void dense_blocks(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Graph *g = laid_out("graph g\ninput x f32 [2,16,4,4]\n" CONV_WEIGHTS "const k f32 [20,16,1,1] = splat 1\n"
                      "y = Conv(x, v)\na = GlobalMaxPool(y)\nz = Conv(a, k)\nb = Conv(a, w) pads=[1,1,1,1]\n"
                      "c = GlobalAveragePool(b)\noutput y\noutput z\noutput b\noutput c\n");
  assert_false(layout_is_plain(g->node[1]->out[0]));    /* many pixels */
  assert_false(layout_is_plain(value_named(g, "a")));   /* a halo */
  assert_false(layout_is_plain(g->output[1]->def->in[0])); /* two images of 20 channels in 24 lanes */
  assert_true(layout_is_plain(g->output[3]->def->in[0]));
}

/* Two readers of one value, each with a border that is in proportion, do not add up to one that is not. */
static void borders_stay_in_proportion(void **state) {
  (void)state;
  EXPECT_NO_FAIL(cx);
  Graph *g = laid_out("graph g\ninput x f32 [1,16,1,1]\nconst w f32 [16,16,1,1] = splat 1\na = Conv(x, w)\n"
                      "b = Conv(a, w) pads=[100000,0,0,0] strides=[100000,1]\n"
                      "c = Conv(a, w) pads=[0,100000,0,0] strides=[1,100000]\n"
                      "d = Conv(a, w) pads=[60,0,0,0] strides=[60,1]\ne = Conv(a, w) pads=[0,60,0,0] strides=[1,60]\n"
                      "output b\noutput c\noutput d\noutput e\n");
  for (int i = 0; i < g->n_value; i++) assert_true(g->value[i]->layout.size <= 61 * 61 * 16);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, context_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
    TEST(stacked_frames_are_views),
    TEST(stacked_bytes_are_views),
    TEST(other_frames_are_copied),
    TEST(interleaved_parts_lie_in_the_whole),
    TEST(other_parts_are_copied),
    TEST(reorders_stand_where_layouts_meet),
    TEST(stems_read_inside),
    TEST(channels_last_costs_one_reorder),
    TEST(outputs_are_dense_and_keep_their_names),
    TEST(few_channels_stay_planes),
    TEST(steps_that_need_dense_tensors_leave),
    TEST(classes_of_arguments),
    TEST(formats_of_types),
    TEST(casts_stay_on_blocks),
    TEST(halos_hold_what_windows_read),
    TEST(winograd_reads_whole_tiles),
    TEST(residuals_share_one_halo),
    TEST(borders_are_shared_where_they_hold_the_same),
    TEST(other_borders_are_apart),
    TEST(parts_lie_inside_the_whole),
    TEST(parts_of_another_whole_are_copied),
    TEST(some_concatenations_are_copies),
    TEST(nested_parts_compute_right),
    TEST(dense_blocks),
    TEST(borders_stay_in_proportion),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
