/* graph_fuzz.c: bytes drive a builder of small graphs, which are compiled to an object in memory. A node whose inputs do not fit
 * it is left out, so that most graphs are valid; sizes are odd, and now and then huge. */
#include "fuzz.h"

#include "tools.h"
#include <stdlib.h>
#include <string.h>

enum { MOST_NODES = 12, MOST_VALUES = 64 };

typedef struct Builder {
  Context *cx;
  Graph *g;
  const uint8_t *at, *end;
  Value *value[MOST_VALUES]; /* that a node may read */
  int n;
  int consts;
} Builder;

/* 0 where the bytes have come to an end. */
static int byte(Builder *b) { return b->at < b->end ? *b->at++ : 0; }
static int below(Builder *b, int n) { return byte(b) % n; }
static bool rarely(Builder *b) { return byte(b) > 224; }

static int64_t extent(Builder *b) {
  static const int64_t sizes[] = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 64};
  static const int64_t odd[] = {0, 100, 1000, 65537, 1 << 24, INT32_MAX, INT64_C(1) << 32, INT64_MAX};
  return rarely(b) ? odd[below(b, COUNT(odd))] : sizes[below(b, COUNT(sizes))];
}

static int64_t step(Builder *b) {
  static const int64_t odd[] = {-1, 0, 17, 1000, INT32_MAX, INT64_MIN, INT64_MAX};
  return rarely(b) ? odd[below(b, COUNT(odd))] : below(b, 5);
}

static const char *name(Builder *b, const char *kind) { return format_text(b->cx, "%s%d", kind, b->g->n_value); }

/* ==== what nodes read ==== */

static Value *any(Builder *b) {
  /* The newest mostly, so that graphs get deep. */
  int back = byte(b);
  return back < 160 ? b->value[b->n - 1] : b->value[back % b->n];
}

static Value *constant(Builder *b, Shape shape) {
  if (shape_count(&shape) > 1 << 16) return any(b);
  Value *v = value_const_f32(b->g, name(b, "w"), shape);
  uint32_t state = (uint32_t)byte(b) * 2654435761u + 1;
  for (int64_t i = 0, n = shape_count(&shape); i < n; i++) {
    state = state * 1664525u + 1013904223u;
    f32_of(v)[i] = state % 7 == 0 ? 0 : (float)(int32_t)state * 0x1p-31f;
  }
  if (rarely(b) && shape_count(&shape)) f32_of(v)[0] = (float)strtod("nan", NULL);
  return v;
}

static Value *ints(Builder *b, int n) {
  int64_t v[MAX_RANK * 2];
  for (int i = 0; i < n; i++) v[i] = step(b);
  return value_const_i64(b->g, name(b, "k"), n, v);
}

static int64_t channels(const Value *v) {
  if (v->shape.rank < 2) return 1;
  return v->shape.d[1] > 0 && v->shape.d[1] < 1 << 12 ? v->shape.d[1] : 1;
}

/* ==== attributes ==== */

static void random_ints(Builder *b, Node *n, const char *attr, int count) {
  int64_t v[MAX_RANK * 2];
  if (below(b, 3) == 0) return;
  for (int i = 0; i < count; i++) v[i] = step(b);
  attr_set_ints(b->g, n, attr, count, v);
}

static void random_int(Builder *b, Node *n, const char *attr, int most) {
  if (below(b, 2)) attr_set_int(b->g, n, attr, rarely(b) ? step(b) : below(b, most + 1));
}

static void window(Builder *b, Node *n, int dims) {
  random_ints(b, n, "strides", dims);
  random_ints(b, n, "dilations", dims);
  random_ints(b, n, "pads", 2 * dims);
}

/* ==== one node of each kind ==== */

static Node *node(Builder *b, Op op, int n, Value *const *in) {
  return node_new(b->g, op, format_text(b->cx, "n%d", b->g->n_node), n, in, 1);
}

static Node *conv(Builder *b) {
  Value *x = any(b);
  int dims = x->shape.rank > 2 ? x->shape.rank - 2 : 2;
  int64_t c = channels(x), groups[] = {1, 1, 1, c, 2, c / 2 > 0 ? c / 2 : 1}, group = groups[below(b, COUNT(groups))];
  Shape w = {.rank = dims + 2, .d = {extent(b), c / group > 0 ? c / group : 1}};
  if (group > 1 && below(b, 2)) w.d[0] = c * (1 + below(b, 2));
  int k = 1 + below(b, 5);
  for (int i = 0; i < dims; i++) w.d[2 + i] = rarely(b) ? extent(b) : k;
  Value *weights = constant(b, w), *in[] = {x, weights, constant(b, shape_of(1, weights->shape.d[0]))};
  Node *n = node(b, OP_Conv, 2 + below(b, 2), in);
  window(b, n, dims);
  if (below(b, 4)) attr_set_ints(b->g, n, "pads", 2 * dims, (int64_t[MAX_RANK * 2]){k / 2, k / 2, k / 2, k / 2, k / 2, k / 2});
  attr_set_int(b->g, n, "group", group);
  return n;
}

static Node *pool(Builder *b) {
  static const Op ops[] = {OP_MaxPool, OP_AveragePool};
  Value *x = any(b);
  int dims = x->shape.rank > 2 ? x->shape.rank - 2 : 2;
  int64_t kernel[MAX_RANK];
  for (int i = 0; i < dims; i++) kernel[i] = rarely(b) ? step(b) : 1 + below(b, 4);
  Node *n = node(b, ops[below(b, 2)], 1, &x);
  attr_set_ints(b->g, n, "kernel_shape", dims, kernel);
  window(b, n, dims);
  random_int(b, n, "ceil_mode", 1);
  random_int(b, n, "count_include_pad", 1);
  return n;
}

static Node *product(Builder *b) {
  Value *x = any(b);
  int64_t inner = x->shape.rank > 0 ? x->shape.d[x->shape.rank - 1] : 1;
  if (inner <= 0 || inner > 1 << 12) inner = 1;
  Value *in[] = {x, below(b, 4) ? constant(b, shape_of(2, inner, extent(b))) : any(b)};
  if (below(b, 2)) return node(b, OP_MatMul, 2, in);
  Node *n = node(b, OP_Gemm, 2, in);
  random_int(b, n, "transA", 1);
  random_int(b, n, "transB", 1);
  return n;
}

static Node *norm(Builder *b) {
  Value *x = any(b);
  Shape c = shape_of(1, channels(x));
  Value *in[] = {x, constant(b, c), constant(b, c), constant(b, c), constant(b, c)};
  return node(b, OP_BatchNormalization, 5, in);
}

static Node *simple(Builder *b) {
  static const Op ops[] = {OP_Relu, OP_Sigmoid, OP_Tanh, OP_HardSwish, OP_LeakyRelu, OP_HardSigmoid, OP_Identity, OP_Flatten,
                           OP_GlobalAveragePool, OP_GlobalMaxPool, OP_Softmax, OP_LogSoftmax, OP_ArgMax, OP_Transpose, OP_Shape};
  Value *x = any(b);
  Node *n = node(b, ops[below(b, COUNT(ops))], 1, &x);
  if (n->op == OP_Flatten || n->op == OP_Softmax || n->op == OP_LogSoftmax || n->op == OP_ArgMax) random_int(b, n, "axis", 4);
  if (n->op == OP_ArgMax) random_int(b, n, "keepdims", 1);
  if (n->op == OP_Transpose && x->shape.rank > 0) {
    int64_t perm[MAX_RANK];
    int first = below(b, x->shape.rank);
    for (int i = 0; i < x->shape.rank; i++) perm[i] = (i * (below(b, 2) ? 1 : x->shape.rank - 1) + first) % x->shape.rank;
    attr_set_ints(b->g, n, "perm", x->shape.rank, perm);
  }
  return n;
}

static Node *binary(Builder *b) {
  static const Op ops[] = {OP_Add, OP_Sub, OP_Mul, OP_Div, OP_PRelu};
  Value *x = any(b), *in[] = {x, any(b)};
  switch (below(b, 4)) {
  case 0: in[1] = constant(b, shape_of(0)); break;
  case 1: in[1] = constant(b, shape_of(3, channels(x), (int64_t)1, (int64_t)1)); break;
  case 2: in[1] = constant(b, shape_of(1, extent(b))); break;
  default: break;
  }
  if (below(b, 4) == 0) in[0] = in[1], in[1] = x;
  return node(b, ops[below(b, COUNT(ops))], 2, in);
}

static Node *move(Builder *b) {
  Value *x = any(b);
  int rank = x->shape.rank;
  switch (below(b, 8)) {
  case 0: {
    Value *in[] = {x, any(b), any(b)};
    Node *n = node(b, OP_Concat, 1 + below(b, 3), in);
    attr_set_int(b->g, n, "axis", rarely(b) ? step(b) : below(b, 4));
    return n;
  }
  case 1: return node(b, OP_Slice, 4, (Value *[]){x, ints(b, 1), ints(b, 1), ints(b, 1)});
  case 2: return node(b, OP_Slice, 5, (Value *[]){x, ints(b, 2), ints(b, 2), ints(b, 2), ints(b, 2)});
  case 3: return node(b, OP_Pad, 2, (Value *[]){x, ints(b, 2 * rank)});
  case 4: return node(b, OP_Gather, 2, (Value *[]){x, ints(b, 1 + below(b, 3))});
  case 5: return node(b, OP_Reshape, 2, (Value *[]){x, ints(b, 1 + below(b, 4))});
  case 6: return node(b, below(b, 2) ? OP_Squeeze : OP_Unsqueeze, 2, (Value *[]){x, ints(b, 1 + below(b, 2))});
  default: return node(b, OP_ReduceMean, 2, (Value *[]){x, ints(b, 1 + below(b, 2))});
  }
}

/* ==== the graph ==== */

static void add_node(Builder *b) {
  static Node *(*const kinds[])(Builder *) = {conv, conv, conv, pool, product, norm, simple, simple, binary, binary, move};
  Node *n = kinds[below(b, COUNT(kinds))](b);
  Value *y = n->out[0] = value_new(b->g, name(b, "v"), T_NONE, (Shape){.rank = -1});
  y->def = n;
  infer_node(b->g, n);
  b->value[b->n++] = y;
}

static void add_input(Builder *b) {
  Shape s = {.rank = rarely(b) ? below(b, 6) : 4};
  for (int i = 0; i < s.rank; i++) s.d[i] = extent(b);
  if (s.rank && below(b, 2)) s.d[0] = -1;
  if (shape_is_symbolic(&s)) b->g->symbolic = true;
  Value *v = value_new(b->g, name(b, "x"), T_F32, s);
  v->is_input = true;
  b->g->input[b->g->n_input++] = b->value[b->n++] = v;
}

/* A node that does not fit is taken back. */
static void add_nodes(Builder *b) {
  jmp_buf outer;
  memcpy(&outer, &b->cx->unwind, sizeof outer);
  for (volatile int i = 1 + below(b, MOST_NODES); i > 0; i--) {
    volatile int nodes = b->g->n_node, values = b->g->n_value;
    if (setjmp(b->cx->unwind) == 0) {
      add_node(b);
    } else {
      while (b->g->n_node > nodes) b->g->node[--b->g->n_node]->dead = true; /* it reads nothing any more */
      b->g->n_value = values;
    }
  }
  memcpy(&b->cx->unwind, &outer, sizeof outer);
}

static void add_outputs(Builder *b) {
  b->g->output = alloc_n(b->cx, 4, sizeof *b->g->output);
  for (int i = 0; i < 3; i++) {
    Value *v = i == 0 ? b->value[b->n - 1] : any(b);
    if (v->is_output || v->is_input) continue;
    output_set(b->g, b->g->n_output++, v);
  }
}

static Options random_options(Builder *b) {
  static const char *const cpus[] = {"x86-64", "x86-64-v3", "x86-64-v4"};
  Options o = {.input = "fuzz", .max_memory = b->cx->max_memory, .triple = "x86_64-linux-gnu", .verify = true};
  o.cpu = cpus[below(b, COUNT(cpus))];
  o.winograd = below(b, 4);
  o.strassen = below(b, 3);
  o.small = rarely(b);
  o.strict = rarely(b);
  return o;
}

static void build_and_compile(Context *cx, const uint8_t *data, size_t size) {
  Builder b = {.cx = cx, .at = data, .end = data + size};
  Options opt = random_options(&b);
  Graph *g = b.g = graph_new(cx, &opt);
  Buffer text = {0};
  g->name = "fuzz";
  g->input = alloc_n(cx, 2, sizeof *g->input);
  add_input(&b);
  if (below(&b, 2)) add_input(&b);
  add_nodes(&b);
  add_outputs(&b);
  if (g->n_output == 0) return;
  if (fuzz_print) {
    text_print(g, &text);
    printf("-mcpu=%s winograd %d strassen %d\n%s", opt.cpu, opt.winograd, opt.strassen, text.data);
    fflush(stdout);
    buffer_free(&text);
  }
  front_run(g, NULL, NULL);
  Build *build = build_new(g, &opt, target_new(cx, &opt));
  build_run(build, NULL, NULL);
  Object object;
  object_emit(build, &object);
  header_print(build, &text);
  buffer_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_run(build_and_compile, data, size);
  return 0;
}
