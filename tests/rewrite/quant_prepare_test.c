/* quant_prepare_test.c: the form in which the pass quant finds quantised graphs. Results stay, bit for bit. */
#include "fixture.h"

#define INPUT "graph q\ninput x u8 [2,3,4,4]\nconst s f32 [] = {0.05}\nconst z u8 [] = {120}\nconst s2 f32 [] = {0.07}\n" \
  "const z2 u8 [] = {3}\n"
#define SIGNED "graph q\ninput x i8 [2,3,4,4]\nconst s f32 [] = {0.05}\nconst z i8 [] = {-7}\nconst s2 f32 [] = {0.07}\n" \
  "const z2 i8 [] = {3}\n"

/* Any bytes; floats are small numbers. */
static const void **some_inputs(Graph *g) {
  uint64_t state = 7;
  const void **in = alloc_n(g->cx, (size_t)g->n_input, sizeof *in);
  for (int i = 0; i < g->n_input; i++) {
    const Value *v = g->input[i];
    void *x = alloc_n(g->cx, (size_t)shape_count(&v->shape), type_size(v->type));
    for (int64_t k = 0; k < shape_count(&v->shape); k++) {
      if (v->type == T_F32) ((float *)x)[k] = (float)(random_unit(&state) * 30 - 15);
      else put_number(v->type, x, k, (Number){.u = random_bits(&state)});
    }
    in[i] = x;
  }
  return in;
}

/* The operators that the pass leaves, before constants are folded. */
static Graph *expect(Context *cx, const char *text, const char *ops) {
  Graph *before = shaped(cx, text), *g = shaped(cx, text);
  pass_prepare(g);
  verify(g, "prepare");
  assert_string_equal(ops_text(g), ops);
  void *want[4], *got[4];
  eval_graph(before, some_inputs(before), want);
  eval_graph(g, some_inputs(g), got);
  for (int i = 0; i < g->n_output; i++) {
    assert_int_equal(g->output[i]->type, before->output[i]->type);
    assert_string_equal(g->output[i]->name, before->output[i]->name);
    assert_memory_equal(want[i], got[i], value_bytes(g->output[i]));
  }
  return g;
}

static void leaves(const char *text, const char *ops) {
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  expect(cx, text, ops);
  context_free(cx);
}

static void constants(void **state) {
  (void)state;
  leaves(INPUT "const w f32 [3,1,1] = {0.5, 1, -1.25}\nw1 = Identity(w)\nsw = Identity(s)\nwq = QuantizeLinear(w1, sw, z)\n"
         "wf = DequantizeLinear(wq, sw, z)\nf = DequantizeLinear(x, s, z)\ny = Add(f, wf)\noutput y\n",
         "DequantizeLinear DequantizeLinear Add");
  leaves("graph q\ninput x f32 [3]\ny = Relu(x)\noutput y\n", "Relu");
}

/* Scales for blocks become scales for elements; of constants, fp32. */
static void blocks(void **state) {
  (void)state;
  leaves("graph q\ninput x i8 [2,3]\nconst s f32 [2,2] = {0.5, 2, 1, 4}\nconst z i8 [2,2] = {0, 1, 2, 3}\n"
         "f = DequantizeLinear(x, s, z) axis=1 block_size=2\nt = Transpose(f) perm=[1,0]\n"
         "q = QuantizeLinear(f, s, z) axis=1 block_size=2\noutput t\noutput q\n",
         "Cast BitwiseXor DequantizeLinear DequantizeLinear Transpose QuantizeLinear BitwiseXor Cast");
  leaves("graph q\ninput x f32 [2,3]\nconst w i4 [3,2] = {-8, 7, 1, 2, 3, 4}\nconst s f32 [3,1] = {0.5, 2, 1}\n"
         "f = DequantizeLinear(w, s) axis=1 block_size=2\ny = MatMul(x, f)\noutput y\n", "MatMul");
  leaves("graph q\ninput x f32 [2,3]\nconst w u4 [3,2] = {8, 7, 15, 2, 3, 0}\nconst s f32 [2] = {0.5, 2}\nconst z u4 [2] = {8, 0}\n"
         "f = DequantizeLinear(w, s, z)\ny = MatMul(x, f)\noutput y\n", "MatMul");
  leaves("graph q\ninput x i32 [2,3]\nconst s f32 [] = {0.5}\ny = QuantizeLinear(x, s)\noutput y\n", "Cast QuantizeLinear");
}

static void readers(void **state) {
  (void)state;
  leaves(INPUT "f = DequantizeLinear(x, s, z)\na = Relu(f)\nb = Add(f, f)\noutput a\noutput b\n",
         "DequantizeLinear DequantizeLinear Relu DequantizeLinear Add");
  leaves(INPUT "f = DequantizeLinear(x, s, z)\na = Relu(f)\noutput a\noutput f\n", "DequantizeLinear DequantizeLinear Relu");
  /* two readers of a mean, which is of fp32 therefore, though they do the same */
  leaves(INPUT "a = DequantizeLinear(x, s, z)\nb = GlobalAveragePool(a)\nq = QuantizeLinear(b, s2, z2)\nr = QuantizeLinear(b, s2, z2)\n"
         "y = Identity(q)\nv = Identity(r)\noutput y\noutput v\n",
         "DequantizeLinear GlobalAveragePool QuantizeLinear QuantizeLinear");
}

static void dequantized_sinks(void **state) {
  (void)state;
  leaves(INPUT "f = DequantizeLinear(x, s, z)\na = MaxPool(f) kernel_shape=[3,3] pads=[1,1,1,1]\nb = Transpose(a) perm=[0,2,3,1]\n"
         "y = Tanh(b)\noutput y\n", "MaxPool Transpose DequantizeLinear Tanh");
  leaves(INPUT "f = DequantizeLinear(x, s, z)\na, b = Split(f) axis=3 num_outputs=2\nc = Relu(a)\noutput c\noutput b\n",
         "Split DequantizeLinear DequantizeLinear Relu");
  leaves(INPUT "const p i64 [8] = {0, 0, 1, 2, 0, 0, 0, 1}\nf = DequantizeLinear(x, s, z)\na = Pad(f, p)\ny = Relu(a)\noutput y\n",
         "Pad DequantizeLinear Relu");
  leaves(INPUT "const p i64 [8] = {0, 0, 1, 2, 0, 0, 0, 1}\nconst v f32 [] = {0.31}\nf = DequantizeLinear(x, s, z)\na = Pad(f, p, v)\n"
         "y = Relu(a)\noutput y\n", "DequantizeLinear Pad Relu");
  leaves(INPUT "f = DequantizeLinear(x, s, z)\ne = DequantizeLinear(x, s, z)\na = Concat(f, e) axis=1\ny = Relu(a)\noutput y\n",
         "Concat DequantizeLinear Relu");
  leaves(INPUT "f = DequantizeLinear(x, s, z)\ne = DequantizeLinear(x, s2, z2)\na = Concat(f, e) axis=1\ny = Relu(a)\noutput y\n",
         "DequantizeLinear DequantizeLinear Concat Relu");
  leaves(INPUT "const k f32 [4] = {1, 1, 2, 2}\nf = DequantizeLinear(x, s, z)\na = Resize(f, _, k) mode=\"nearest\"\ny = Relu(a)\noutput y\n",
         "Resize DequantizeLinear Relu");
  leaves(INPUT "const k f32 [4] = {1, 1, 2, 2}\nf = DequantizeLinear(x, s, z)\ny = Resize(f, _, k) mode=\"linear\"\noutput y\n",
         "DequantizeLinear Resize");
}

/* A list of scales goes with its axis. */
static void axes_turn(void **state) {
  (void)state;
  leaves(INPUT "const sc f32 [3] = {0.1, 0.2, 0.4}\nconst zc u8 [3] = {1, 2, 250}\nf = DequantizeLinear(x, sc, zc) axis=-3\n"
         "t = Transpose(f) perm=[0,2,3,1]\ny = Relu(t)\noutput y\n", "Transpose DequantizeLinear Relu");
  leaves(INPUT "const w i8 [2,3] = {1, 2, 3, 4, 5, 6}\nconst sw f32 [2] = {0.1, 0.2}\nw1 = DequantizeLinear(w, sw) axis=0\n"
         "w2 = Transpose(w1) perm=[1,0]\nconst r i64 [2] = {-1, 3}\nf = DequantizeLinear(x, s, z)\na = Reshape(f, r)\ny = MatMul(a, w2)\n"
         "output y\n", "DequantizeLinear Reshape DequantizeLinear MatMul");
}

static void quantize_rises(void **state) {
  (void)state;
  leaves(INPUT "f = DequantizeLinear(x, s, z)\na = Sigmoid(f)\nb = MaxPool(a) kernel_shape=[2,2]\nc = Transpose(b) perm=[0,2,3,1]\n"
         "y = QuantizeLinear(c, s2, z2)\noutput y\n", "DequantizeLinear Sigmoid QuantizeLinear MaxPool Transpose");
  leaves(INPUT "const p i64 [8] = {0, 0, 1, 2, 0, 0, 0, 1}\nconst v f32 [] = {1.3}\nf = DequantizeLinear(x, s, z)\na = Sigmoid(f)\n"
         "b = Pad(a, p, v)\ny = QuantizeLinear(b, s2, z2)\noutput y\n", "DequantizeLinear Sigmoid QuantizeLinear Pad");
  leaves(INPUT "f = DequantizeLinear(x, s, z)\na = Sigmoid(f)\nb = MaxPool(a) kernel_shape=[2,2]\ny = QuantizeLinear(b, s2, z2)\n"
         "output y\noutput a\n", "DequantizeLinear Sigmoid MaxPool QuantizeLinear");
}

/* Before a Slice that skips pixels a value of several readers is quantised as a whole. */
static void quantize_rises_over_skipped_pixels(void **state) {
  (void)state;
  static const char head[] = INPUT "const o i64 [1] = {0}\nconst e i64 [1] = {9}\nconst a i64 [1] = {%d}\nconst t i64 [1] = {2}\n"
    "f = DequantizeLinear(x, s2, z)\nr = Sigmoid(f)\nm = Slice(r, o, e, a, t)\ny = QuantizeLinear(m, s, z2)\noutput r\noutput y\n";
  char text[1024];
  snprintf(text, sizeof text, head, 2);
  leaves(text, "DequantizeLinear Sigmoid QuantizeLinear Slice");
  snprintf(text, sizeof text, head, 1);
  leaves(text, "DequantizeLinear Sigmoid Slice QuantizeLinear");
}

/* What is joined is quantised before; a part that has the right scale stays as it is. */
static void joined(void **state) {
  (void)state;
  leaves(INPUT "f = DequantizeLinear(x, s, z)\ne = DequantizeLinear(x, s2, z2)\na = Concat(f, e) axis=1\nm = MaxPool(a) kernel_shape=[2,2]\n"
         "y = QuantizeLinear(m, s, z)\noutput y\n", "DequantizeLinear QuantizeLinear Concat MaxPool");
  leaves(INPUT "f = DequantizeLinear(x, s, z)\na = Sigmoid(f)\nb = Concat(a, f) axis=1\nc = Tanh(f)\nd = Concat(b, c) axis=1\n"
         "y = QuantizeLinear(d, s2, z2)\noutput y\n",
         "DequantizeLinear DequantizeLinear Sigmoid QuantizeLinear DequantizeLinear QuantizeLinear Concat Tanh QuantizeLinear Concat");
}

static void bounds(void **state) {
  (void)state;
  leaves(SIGNED "const lo i8 [] = {-127}\nconst hi i8 [] = {100}\nf = DequantizeLinear(x, s, z)\na = Tanh(f)\nq = QuantizeLinear(a, s2, z2)\n"
         "c = Clip(q, lo, hi)\ny = DequantizeLinear(c, s2, z2)\noutput y\n",
         "Cast BitwiseXor DequantizeLinear Tanh Clip QuantizeLinear DequantizeLinear");
  leaves(SIGNED "const lo i8 [] = {-100}\nf = DequantizeLinear(x, s, z)\nq = QuantizeLinear(f, s2, z2)\nc = Clip(q, lo)\n"
         "y = DequantizeLinear(c, s2, z2)\ne = DequantizeLinear(q, s2, z2)\noutput y\noutput e\n",
         "Cast BitwiseXor DequantizeLinear QuantizeLinear Clip DequantizeLinear DequantizeLinear");
}

static void pairs(void **state) {
  (void)state;
  leaves(INPUT "f = DequantizeLinear(x, s, z)\nq = QuantizeLinear(f, s, z)\ne = DequantizeLinear(q, s, z)\ny = Relu(e)\noutput y\n",
         "DequantizeLinear Relu");
  leaves(INPUT "f = DequantizeLinear(x, s, z)\ny = QuantizeLinear(f, s, z)\noutput y\n", "Identity");
  leaves(INPUT "f = DequantizeLinear(x, s, z)\ny = QuantizeLinear(f, s2, z)\noutput y\n", "DequantizeLinear QuantizeLinear");
  leaves(INPUT "const zi i8 [] = {-8}\nf = DequantizeLinear(x, s, z)\nq = QuantizeLinear(f, s, zi)\ne = DequantizeLinear(q, s, zi)\ny = Relu(e)\noutput y\n",
         "DequantizeLinear Relu");
}

/* ==== signs ==== */

static void activations_are_unsigned(void **state) {
  (void)state;
  leaves(SIGNED "f = DequantizeLinear(x, s, z)\na = Relu(f)\nq = QuantizeLinear(a, s2, z2)\nm = MaxPool(q) kernel_shape=[3,3] pads=[1,1,1,1]\n"
         "e = DequantizeLinear(m, s2, z2)\ny = Tanh(e)\noutput y\noutput m\n",
         "Cast BitwiseXor DequantizeLinear Relu QuantizeLinear MaxPool DequantizeLinear Tanh BitwiseXor Cast");
  leaves(SIGNED "const p i64 [8] = {0, 0, 1, 2, 0, 0, 0, 1}\nconst i i64 [2] = {1, 0}\nf = DequantizeLinear(x, s)\nq = QuantizeLinear(f, s2) output_dtype=3\n"
         "a = Pad(q, p)\nb = Gather(a, i) axis=1\nc = Concat(b, b) axis=0\ny = DequantizeLinear(c, s2)\nh = Abs(q)\noutput y\noutput h\n",
         "Cast BitwiseXor DequantizeLinear QuantizeLinear Pad Gather Concat DequantizeLinear BitwiseXor Cast Abs");
  leaves(SIGNED "y = MaxPool(x) kernel_shape=[2,2]\nf = DequantizeLinear(x, s, z)\noutput y\noutput f\n",
         "MaxPool Cast BitwiseXor DequantizeLinear");
  /* What is rounded with its zero point keeps it. */
  leaves(SIGNED "f = DequantizeLinear(x, s, z)\na = AveragePool(f) kernel_shape=[2,2]\nq = QuantizeLinear(a, s2, z2)\n"
         "d = DequantizeLinear(q, s2, z2)\noutput d\n", "Cast BitwiseXor DequantizeLinear AveragePool QuantizeLinear Cast BitwiseXor DequantizeLinear");
}

/* A list of zero points, and one that is left out. */
static void zero_points(void **state) {
  (void)state;
  leaves(SIGNED "const sc f32 [3] = {0.1, 0.2, 0.4}\nconst zc i8 [3] = {1, 0, -128}\nf = DequantizeLinear(x, sc, zc) axis=1\na = Tanh(f)\n"
         "q = QuantizeLinear(a, sc, zc)\ne = DequantizeLinear(q, sc)\ny = Tanh(e)\noutput y\n",
         "Cast BitwiseXor DequantizeLinear Tanh QuantizeLinear DequantizeLinear Tanh");
  leaves(SIGNED "input zr i8 []\nf = DequantizeLinear(x, s, zr)\noutput f\n", "Cast BitwiseXor Cast BitwiseXor DequantizeLinear");
}

/* What makes the last input of the first node of that operator. */
static const Node *last_read(const Graph *g, Op op) {
  int i = 0;
  while (g->node[i]->op != op) i++;
  return g->node[i]->in[g->node[i]->n_in - 1]->def;
}

static void weights_are_signed(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = expect(cx, INPUT "const w u8 [3,3,1,1] = {0, 255, 1, 128, 127, 3, 4, 5, 6}\nconst sw f32 [3] = {0.1, 0.2, 0.3}\nconst zw u8 [3] = {128, 5, 0}\n"
                    "f = DequantizeLinear(x, s, z)\nwf = DequantizeLinear(w, sw, zw) axis=0\nc = Conv(f, wf)\nd = Abs(wf)\noutput c\noutput d\n",
                    "DequantizeLinear DequantizeLinear DequantizeLinear Conv Abs");
  const Node *dq = last_read(g, OP_Conv);
  assert_int_equal(dq->in[0]->type, T_I8);
  assert_memory_equal(dq->in[0]->data, ((int8_t[]){-128, 127, -127, 0, -1, -125, -124, -123, -122}), 9);
  assert_memory_equal(dq->in[2]->data, ((int8_t[]){0, -123, -128}), 3);
  dq = last_read(g, OP_Abs);
  assert_int_equal(dq->in[0]->type, T_U8);
  context_free(cx);
}

/* Weights of s8 stay; a constant of s8 that is added does not. */
static void constants_of_both_kinds(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = expect(cx, INPUT "const w i8 [3,3,1,1] = {0, 1, 2, 3, 4, 5, 6, -7, -128}\nf = DequantizeLinear(x, s, z)\nwf = DequantizeLinear(w, s2)\n"
                    "const b i8 [3,1,1] = {1, 2, -3}\nbf = DequantizeLinear(b, s2)\nc = Conv(f, wf)\nd = Add(c, bf)\noutput d\n",
                    "DequantizeLinear DequantizeLinear DequantizeLinear Conv Add");
  assert_int_equal(last_read(g, OP_Conv)->in[0]->type, T_I8);
  assert_int_equal(last_read(g, OP_Add)->in[0]->type, T_U8);
  context_free(cx);
}

static void integer_convolutions(void **state) {
  (void)state;
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = expect(cx, SIGNED "const w u8 [2,3,1,1] = {0, 255, 1, 128, 127, 3}\ny = ConvInteger(x, w) pads=[1,1,1,1]\noutput y\n",
                    "Cast BitwiseXor ConvInteger");
  const Node *n = g->node[2];
  assert_int_equal(n->in[1]->type, T_I8);
  assert_int_equal(((const uint8_t *)n->in[2]->data)[0], 128);
  assert_int_equal(((const int8_t *)n->in[3]->data)[0], -128);
  g = expect(cx, "graph q\ninput a i8 [3,2]\nconst za i8 [3] = {1, -2, 127}\nconst b i8 [2,2] = {1, 2, 3, 4}\n"
             "y = MatMulInteger(a, b, za)\noutput y\n", "Cast BitwiseXor MatMulInteger");
  assert_memory_equal(g->node[2]->in[2]->data, ((uint8_t[]){129, 126, 255}), 3);
  context_free(cx);
}

static void check_sum(const char *text, int64_t want) {
  Context *cx = context_new();
  EXPECT_NO_FAIL(cx);
  Graph *g = shaped(cx, format_text(cx, "graph q\ninput a i8 [1]\ninput b i8 [1]\nconst sa f32 [] = {1.123}\nconst sb f32 [] = {0.236}\n"
    "const sy f32 [] = {0.032}\nconst za i8 [] = {36}\nconst zb i8 [] = {-40}\nconst zy i8 [] = {87}\n%s\noutput y\n", text));
  void *out[1];
  pass_prepare(g);
  pass_quant(g);
  verify(g, "quant");
  assert_int_equal(count_op(g, OP_QuantizeLinear), 0);
  eval_graph(g, (const void *const[]){(int8_t[]){12}, (int8_t[]){58}}, out);
  assert_int_equal(get_number(T_I8, out[0], 0).i, want);
  context_free(cx);
}

/* In a node QLinearAdd s8 counts as it is, in a graph as the u8 that is stored for it: one sum, two results. */
static void sums_of_either_kind(void **state) {
  (void)state;
  check_sum("y = QuantizedAdd(a, sa, za, b, sb, zb, sy, zy)", -33);
  check_sum("f = DequantizeLinear(a, sa, za)\ng = DequantizeLinear(b, sb, zb)\nh = Add(f, g)\ny = QuantizeLinear(h, sy, zy)", -32);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(constants), cmocka_unit_test(blocks), cmocka_unit_test(readers), cmocka_unit_test(dequantized_sinks), cmocka_unit_test(axes_turn),
    cmocka_unit_test(quantize_rises), cmocka_unit_test(quantize_rises_over_skipped_pixels), cmocka_unit_test(joined), cmocka_unit_test(bounds),
    cmocka_unit_test(pairs),
    cmocka_unit_test(activations_are_unsigned), cmocka_unit_test(zero_points), cmocka_unit_test(weights_are_signed),
    cmocka_unit_test(constants_of_both_kinds), cmocka_unit_test(sums_of_either_kind), cmocka_unit_test(integer_convolutions),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
