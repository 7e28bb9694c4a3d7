/* graph.c: building, reading and changing the graph. */
#include "graph.h"

#include <string.h>

/* ---- operators ---- */

#define BIT(t) (1u << (t))
enum {
  F32 = BIT(T_F32),
  UP_TO_F32 = F32 | BIT(T_F16) | BIT(T_BF16),
  FLOATS = UP_TO_F32 | BIT(T_F64),
  INTS_32_64 = BIT(T_I32) | BIT(T_I64) | BIT(T_U32) | BIT(T_U64),
  UNSIGNED = BIT(T_U8) | BIT(T_U16) | BIT(T_U32) | BIT(T_U64),
  SIGNED = BIT(T_I8) | BIT(T_I16) | BIT(T_I32) | BIT(T_I64),
  NUMBERS = FLOATS | SIGNED | UNSIGNED,
  BYTES = BIT(T_U8) | BIT(T_I8),
  ANY = NUMBERS | BIT(T_BOOL),
};

#define ONNX(v) .domain = "", .since = v
#define MICROSOFT .domain = "com.microsoft", .since = 1
#define NCHWC .domain = "com.microsoft.nchwc", .since = 1
#define OWN .domain = "rcc", .since = 1
#define IN(min, max) .min_in = min, .max_in = max
#define OUT(min, max) .min_out = min, .max_out = max
#define INPUT(i) (1u << (i))
/* What most elementwise operators have in common, the reductions, and what import makes others of. */
#define FUNCTION IN(1, 1), OUT(1, 1), .family = FAMILY_UNARY, .batch = BATCH_EACH, .permute = PERMUTE_FIRST
#define OPERATION IN(2, 2), OUT(1, 1), .family = FAMILY_BINARY, .batch = BATCH_EACH, .permute = PERMUTE_ALL
#define REDUCES IN(1, 2), OUT(1, 1), .family = FAMILY_REDUCE, .batch = BATCH_EACH, \
  .arguments = INPUT(1), .permute = PERMUTE_ARGUMENTS
#define BECOMES_OTHERS .family = FAMILY_IMPORT, .batch = BATCH_EACH

const OpInfo op_info[OP_COUNT] = {
  [OP_NONE] = {.name = "none", .domain = ""},
#define OP(op, infer, eval, emit, ...) [OP_##op] = {.name = #op, __VA_ARGS__},
#include "ops.def"
#undef OP
};

bool op_is_elementwise(Op op) {
  return op_info[op].family == FAMILY_UNARY || op_takes_argument(op);
}

bool op_is_step(Op op) { return op_is_elementwise(op) || op_info[op].family == FAMILY_SCALE; }

bool op_takes_argument(Op op) {
  return op_info[op].family == FAMILY_BINARY || op_info[op].family == FAMILY_STEP;
}

bool is_argument(const Node *n, int i) {
  return i < 32 && op_info[n->op].arguments >> i & 1;
}

const char *input_name(const Options *opt) { return opt->input && strcmp(opt->input, "-") == 0 ? "standard input" : opt->input; }

_Noreturn void fail_at(Graph *g, const Node *n, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  fail_node(g->cx, n->name, op_called(&op_info[n->op]), fmt, args);
}

/* ---- construction ---- */

Graph *graph_new(Context *cx, const Options *opt) {
  Graph *g = alloc(cx, sizeof *g);
  g->cx = cx;
  g->opt = opt;
  g->name = "model";
  return g;
}

/* The array with room for one element more; its capacity doubles, so that filling it is linear. */
static void *grow(Context *cx, void *array, int n, int *cap, size_t size) {
  if (n < *cap) return array;
  if (*cap > INT32_MAX / 2) fail(cx, "the graph is too large");
  *cap = *cap ? *cap * 2 : 64;
  void *p = alloc_n(cx, (size_t)*cap, size);
  move_bytes(p, array, (size_t)n * size);
  return p;
}

Value *value_new(Graph *g, const char *name, Type type, Shape shape) {
  Value *v = alloc(g->cx, sizeof *v);
  v->name = name;
  v->type = type;
  v->shape = shape;
  g->value = grow(g->cx, g->value, g->n_value, &g->cap_value, sizeof *g->value);
  v->id = g->n_value;
  g->value[g->n_value++] = v;
  return v;
}

Value *value_const(Graph *g, const char *name, Type type, Shape shape, const void *data) {
  assert(data);
  Value *v = value_new(g, name, type, shape);
  v->data = data;
  return v;
}

Value *value_const_i64(Graph *g, const char *name, int n, const int64_t *v) {
  int64_t *copy = alloc_n(g->cx, (size_t)n, sizeof *copy);
  move_bytes(copy, v, (size_t)n * sizeof *copy);
  return value_const(g, name, T_I64, shape_of(1, (int64_t)n), copy);
}

Value *value_const_f32(Graph *g, const char *name, Shape shape) {
  float *data = alloc_n(g->cx, (size_t)shape_count(&shape), sizeof *data);
  return value_const(g, name, T_F32, shape, data);
}

Value *value_const_number(Graph *g, const char *name, Type type, Number x) {
  void *data = alloc(g->cx, type_size(type));
  put_number(type, data, 0, x);
  return value_const(g, name, type, shape_of(0), data);
}

float *f32_of(Value *v) {
  assert(v->type == T_F32 && v->data);
  return (float *)(uintptr_t)v->data;
}

/* ---- the order of the nodes ---- */

static Node *node_put(Graph *g, int at, Node *n) {
  n->at = at;
  return g->node[at] = n;
}

int node_index(const Graph *g, const Node *n) {
  assert(n->at < g->n_node && g->node[n->at] == n);
  return n->at;
}

void node_swap(Graph *g, int i, int k) {
  Node *n = g->node[i];
  node_put(g, i, g->node[k]);
  node_put(g, k, n);
}

/* During a walk the nodes that it has met are node[0..n_node), those to come node[walk_next..walk_end): what is put beside the
 * current node goes into the gap between. Makes room for one more there, and behind the last. */
static void walk_room(Graph *g) {
  if (g->n_node < g->walk_next && g->walk_end < g->cap_node) return;
  int to_come = g->walk_end - g->walk_next, count = g->n_node + to_come;
  if (count > INT32_MAX / 4) fail(g->cx, "the graph is too large");
  Node **node = alloc_n(g->cx, 2 * (size_t)count + 64, sizeof *node);
  int next = g->n_node + count / 2 + 32;
  move_bytes(node, g->node, (size_t)g->n_node * sizeof *node);
  move_bytes(node + next, g->node + g->walk_next, (size_t)to_come * sizeof *node);
  g->node = node;
  g->cap_node = 2 * count + 64;
  g->walk_next = next;
  g->walk_end = next + to_come;
}

void walk_begin(Graph *g) {
  assert(!g->walking);
  g->walking = true;
  g->walk_next = 0;
  g->walk_end = g->n_node;
  g->n_node = 0;
}

Node *walk_next(Graph *g) {
  assert(g->walking);
  if (g->walk_next < g->walk_end) return node_put(g, g->n_node++, g->node[g->walk_next++]);
  g->walking = false;
  return NULL;
}

static Node *make_node(Graph *g, Op op, const char *name, int n_in, Value *const *in, int n_out) {
  assert(name);
  Node *n = alloc(g->cx, sizeof *n);
  n->op = op;
  n->name = name;
  n->n_out = n_out;
  n->out = alloc_n(g->cx, (size_t)n_out, sizeof *n->out);
  node_set_inputs(g, n, n_in, in);
  return n;
}

Node *node_insert(Graph *g, int at, Op op, const char *name, int n_in, Value *const *in, int n_out) {
  assert(at >= 0 && at <= g->n_node && !g->walking);
  g->node = grow(g->cx, g->node, g->n_node, &g->cap_node, sizeof *g->node);
  for (int i = g->n_node++; i > at; i--) node_put(g, i, g->node[i - 1]);
  return node_put(g, at, make_node(g, op, name, n_in, in, n_out));
}

Node *node_new(Graph *g, Op op, const char *name, int n_in, Value *const *in, int n_out) {
  Node *n = make_node(g, op, name, n_in, in, n_out);
  if (g->walking) {
    walk_room(g);
    return g->node[g->walk_end++] = n;
  }
  g->node = grow(g->cx, g->node, g->n_node, &g->cap_node, sizeof *g->node);
  return node_put(g, g->n_node++, n);
}

Node *walk_before(Graph *g, Op op, const char *name, int n_in, Value *const *in, int n_out) {
  assert(g->walking && g->n_node > 0);
  walk_room(g);
  Node *current = g->node[g->n_node - 1], *n = node_put(g, g->n_node - 1, make_node(g, op, name, n_in, in, n_out));
  node_put(g, g->n_node++, current);
  return n;
}

Node *walk_after(Graph *g, Op op, const char *name, int n_in, Value *const *in, int n_out) {
  assert(g->walking);
  walk_room(g);
  return g->node[--g->walk_next] = make_node(g, op, name, n_in, in, n_out);
}

void node_add_input(Graph *g, Node *n, Value *v) {
  n->in = alloc_extended(g->cx, n->in, n->n_in, sizeof *n->in);
  node_set_input(g, n, n->n_in++, v);
}

void node_add_step(Graph *g, Node *n, Step s) {
  n->step = alloc_extended(g->cx, n->step, n->n_step, sizeof *n->step);
  n->step[n->n_step++] = s;
}

void node_add_step_with(Graph *g, Node *n, Step s, Value *arg) {
  while (arg && n->n_in < op_info[n->op].max_in) node_add_input(g, n, NULL);
  s.arg = arg ? n->n_in : -1;
  if (arg) node_add_input(g, n, arg);
  node_add_step(g, n, s);
}

/* ---- the batch ---- */

bool node_is_batched(const Node *n) {
  for (int i = 0; i < n->n_out; i++)
    if (n->out[i]) return n->out[i]->batched;
  return false;
}

void node_mark_batched(Node *n) {
  bool batched = node_is_batched(n);
  for (int i = 0; i < n->n_in && n->op != OP_Images; i++) batched = batched || (n->in[i] && n->in[i]->batched);
  for (int i = 0; i < n->n_out; i++)
    if (n->out[i]) n->out[i]->batched = batched;
}

/* ---- compaction: an id of -1 marks what goes ---- */

static void keep_values(Value *const *v, int n) {
  for (int i = 0; i < n; i++)
    if (v[i]) v[i]->id = 0;
}

static void keep_values_of_node(const Node *n) {
  keep_values(n->in, n->n_in);
  keep_values(n->out, n->n_out);
  for (int i = 0; i < n->n_attr; i++) keep_values(&n->attr[i].tensor, 1);
}

static void compact_nodes(Graph *g) {
  int kept = 0;
  for (int i = 0; i < g->n_node; i++)
    if (!g->node[i]->dead) node_put(g, kept++, g->node[i]);
  g->n_node = kept;
}

void graph_compact(Graph *g) {
  compact_nodes(g);
  for (int i = 0; i < g->n_value; i++) g->value[i]->id = -1;
  for (int i = 0; i < g->n_node; i++) keep_values_of_node(g->node[i]);
  keep_values(g->input, g->n_input);
  keep_values(g->output, g->n_output);
  int kept = 0;
  for (int i = 0; i < g->n_value; i++) {
    Value *v = g->value[i];
    if (v->id < 0) continue;
    v->id = kept;
    g->value[kept++] = v;
  }
  g->n_value = kept;
}

static bool is_of_domain(const OpInfo *op, const char *domain) {
  return !domain || strcmp(op->domain, domain) == 0 || (op->also && strcmp(op->also, domain) == 0);
}

const char *op_called(const OpInfo *op) { return op->called ? op->called : op->name; }

Op op_find(const char *domain, const char *name) {
  if (domain && strcmp(domain, "ai.onnx") == 0) domain = "";
  for (int op = OP_NONE + 1; op < OP_COUNT; op++) {
    const OpInfo *info = &op_info[op];
    if (strcmp(domain ? op_called(info) : info->name, name) == 0 && is_of_domain(info, domain)) return op;
  }
  return OP_NONE;
}
