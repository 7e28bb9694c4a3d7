/* graph.c: building, reading and changing the graph. */
#include "resnetcc.h"

#include <stdlib.h>
#include <string.h>

const OpInfo op_info[OP_COUNT] = {
  [OP_NONE] = {.name = "none", .domain = ""},
#define OP(name, domain, since, until, min_in, max_in, min_out, max_out, kind) \
  [OP_##name] = {#name, domain, since, until, min_in, max_in, min_out, max_out, kind},
#include "ops.def"
#undef OP
};

/* ---- types ---- */

typedef struct TypeInfo {
  const char *name;
  uint8_t size;
  bool is_float, is_int;
} TypeInfo;

static const TypeInfo type_info[T_BF16 + 1] = {
  [T_NONE] = {"none", 0, false, false},
  [T_F32] = {"f32", 4, true, false},
  [T_U8] = {"u8", 1, false, true},
  [T_I8] = {"i8", 1, false, true},
  [T_U16] = {"u16", 2, false, true},
  [T_I16] = {"i16", 2, false, true},
  [T_I32] = {"i32", 4, false, true},
  [T_I64] = {"i64", 8, false, true},
  [T_STRING] = {"string", 0, false, false},
  [T_BOOL] = {"bool", 1, false, false},
  [T_F16] = {"f16", 2, true, false},
  [T_F64] = {"f64", 8, true, false},
  [T_U32] = {"u32", 4, false, true},
  [T_U64] = {"u64", 8, false, true},
  [T_BF16] = {"bf16", 2, true, false},
};

/* A type is a number of the model, so it may be any. */
static const TypeInfo *info_of(Type t) {
  static const TypeInfo unknown = {"unknown", 0, false, false};
  return (unsigned)t < COUNT(type_info) && type_info[t].name ? &type_info[t] : &unknown;
}

size_t type_size(Type t) {
  return info_of(t)->size;
}

const char *type_name(Type t) {
  return info_of(t)->name;
}

bool type_is_float(Type t) {
  return info_of(t)->is_float;
}

bool type_is_int(Type t) {
  return info_of(t)->is_int;
}

/* ---- shapes ---- */

bool shape_equal(const Shape *a, const Shape *b) {
  if (a->rank != b->rank) return false;
  for (int i = 0; i < a->rank; i++)
    if (a->d[i] != b->d[i]) return false;
  return true;
}

int64_t shape_count(const Shape *s) {
  int64_t n = 1;
  bool fits = true;
  for (int i = 0; i < s->rank; i++) {
    if (s->d[i] == 0) return 0;
    fits = fits && mul_size(n, s->d[i] < 0 ? -s->d[i] : s->d[i], &n);
  }
  return fits ? n : INT64_MAX;
}

bool shape_is_symbolic(const Shape *s) {
  for (int i = 0; i < s->rank; i++)
    if (s->d[i] < 0) return true;
  return false;
}

Shape shape_of(int rank, ...) {
  assert(rank <= MAX_RANK);
  Shape s = {.rank = rank};
  va_list args;
  va_start(args, rank);
  for (int i = 0; i < rank; i++) s.d[i] = va_arg(args, int64_t);
  va_end(args);
  return s;
}

char *shape_text(Context *cx, const Shape *s) {
  char text[MAX_RANK * 24 + 3] = "[", *p = text + 1;
  for (int i = 0; i < s->rank; i++) {
    if (i) *p++ = ',';
    if (s->d[i] >= 0) p += sprintf(p, "%lld", (long long)s->d[i]);
    else if (s->d[i] == -1) *p++ = 'N';
    else p += sprintf(p, "%lldN", -(long long)s->d[i]);
  }
  strcpy(p, "]");
  return copy_text(cx, s->rank < 0 ? "?" : text);
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
  if (n) memcpy(p, array, (size_t)n * size);
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
  if (n) memcpy(copy, v, (size_t)n * sizeof *copy);
  return value_const(g, name, T_I64, shape_of(1, (int64_t)n), copy);
}

Value *value_const_f32(Graph *g, const char *name, Shape shape) {
  float *data = alloc_n(g->cx, (size_t)shape_count(&shape), sizeof *data);
  return value_const(g, name, T_F32, shape, data);
}

float *f32_of(Value *v) {
  assert(v->type == T_F32 && v->data);
  return (float *)(uintptr_t)v->data;
}

Node *node_insert(Graph *g, int at, Op op, const char *name, int n_in, Value *const *in, int n_out) {
  assert(name && at >= 0 && at <= g->n_node);
  Node *n = alloc(g->cx, sizeof *n);
  n->op = op;
  n->name = name;
  n->n_in = n_in;
  n->n_out = n_out;
  n->in = alloc_n(g->cx, (size_t)n_in, sizeof *n->in);
  n->out = alloc_n(g->cx, (size_t)n_out, sizeof *n->out);
  if (n_in) memcpy(n->in, in, (size_t)n_in * sizeof *n->in);
  g->node = grow(g->cx, g->node, g->n_node, &g->cap_node, sizeof *g->node);
  memmove(g->node + at + 1, g->node + at, (size_t)(g->n_node - at) * sizeof *g->node);
  g->node[at] = n;
  g->n_node++;
  return n;
}

Node *node_new(Graph *g, Op op, const char *name, int n_in, Value *const *in, int n_out) {
  return node_insert(g, g->n_node, op, name, n_in, in, n_out);
}

/* The array of n elements in fresh memory with one zeroed element more. */
static void *extend(Context *cx, const void *array, int n, size_t size) {
  void *p = alloc_n(cx, (size_t)n + 1, size);
  if (n) memcpy(p, array, (size_t)n * size);
  return p;
}

void node_add_input(Graph *g, Node *n, Value *v) {
  n->in = extend(g->cx, n->in, n->n_in, sizeof *n->in);
  n->in[n->n_in++] = v;
}

void node_add_step(Graph *g, Node *n, Step s) {
  n->step = extend(g->cx, n->step, n->n_step, sizeof *n->step);
  n->step[n->n_step++] = s;
}

/* ---- readers ---- */

/* `with` becomes the output that `old` was, under the name by which the interface knows it. */
static void output_replace(Graph *g, Value *old, Value *with) {
  if (with->is_input || with->is_output || with->data) { /* needs memory of its own */
    Node *copy = node_new(g, OP_Identity, old->name, 1, &with, 1);
    copy->out[0] = value_new(g, with->name, with->type, with->shape);
    copy->out[0]->def = copy;
    with = copy->out[0];
  }
  const char *name = old->name;
  old->name = with->name;
  with->name = name;
  with->is_output = true;
  old->is_output = false;
  for (int i = 0; i < g->n_output; i++)
    if (g->output[i] == old) g->output[i] = with;
}

void graph_replace(Graph *g, Value *old, Value *with) {
  assert(old != with);
  for (int i = 0; i < g->n_node; i++) {
    Node *n = g->node[i];
    for (int j = 0; j < n->n_in; j++)
      if (n->in[j] == old) n->in[j] = with;
  }
  if (old->is_output) output_replace(g, old, with);
}

void graph_count_uses(Graph *g) {
  for (int i = 0; i < g->n_value; i++) g->value[i]->n_uses = 0;
  for (int i = 0; i < g->n_node; i++) {
    Node *n = g->node[i];
    for (int j = 0; j < n->n_in && !n->dead; j++)
      if (n->in[j]) n->in[j]->n_uses++;
  }
  for (int i = 0; i < g->n_output; i++) g->output[i]->n_uses++;
}

Node *only_reader(Graph *g, const Value *v) {
  if (v->is_output) return NULL;
  Node *reader = NULL;
  for (int i = 0; i < g->n_node; i++) {
    Node *n = g->node[i];
    for (int j = 0; j < n->n_in && !n->dead; j++) {
      if (n->in[j] != v) continue;
      if (reader) return NULL;
      reader = n;
    }
  }
  return reader;
}

int node_index(const Graph *g, const Node *n) {
  for (int i = 0; i < g->n_node; i++)
    if (g->node[i] == n) return i;
  assert(!"a node of the graph");
  return -1;
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
    if (!g->node[i]->dead) g->node[kept++] = g->node[i];
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

Op op_find(const char *domain, const char *name) {
  if (strcmp(domain, "ai.onnx") == 0) domain = "";
  for (int op = OP_NONE + 1; op < OP_COUNT; op++)
    if (strcmp(op_info[op].name, name) == 0 && strcmp(op_info[op].domain, domain) == 0) return op;
  return OP_NONE;
}

/* ---- attributes ---- */

const Attr *attr_find(const Node *n, const char *name) {
  for (int i = 0; i < n->n_attr; i++)
    if (strcmp(n->attr[i].name, name) == 0) return &n->attr[i];
  return NULL;
}

int64_t attr_int(const Node *n, const char *name, int64_t otherwise) {
  const Attr *a = attr_find(n, name);
  return a && a->kind == A_INT ? a->i : otherwise;
}

float attr_float(const Node *n, const char *name, float otherwise) {
  const Attr *a = attr_find(n, name);
  return a && a->kind == A_FLOAT ? a->f : otherwise;
}

const char *attr_string(const Node *n, const char *name, const char *otherwise) {
  const Attr *a = attr_find(n, name);
  return a && a->kind == A_STRING ? a->s : otherwise;
}

static void attr_set(Graph *g, Node *n, Attr a) {
  attr_remove(n, a.name);
  n->attr = extend(g->cx, n->attr, n->n_attr, sizeof *n->attr);
  n->attr[n->n_attr++] = a;
}

void attr_set_int(Graph *g, Node *n, const char *name, int64_t v) {
  attr_set(g, n, (Attr){.name = name, .kind = A_INT, .i = v});
}

void attr_set_ints(Graph *g, Node *n, const char *name, int count, const int64_t *v) {
  int64_t *copy = alloc_n(g->cx, (size_t)count, sizeof *copy);
  if (count) memcpy(copy, v, (size_t)count * sizeof *copy);
  attr_set(g, n, (Attr){.name = name, .kind = A_INTS, .n = count, .ints = copy});
}

void attr_remove(Node *n, const char *name) {
  const Attr *a = attr_find(n, name);
  if (!a) return;
  int at = (int)(a - n->attr);
  memmove(n->attr + at, n->attr + at + 1, (size_t)(n->n_attr - at - 1) * sizeof *n->attr);
  n->n_attr--;
}

/* ---- constants ---- */

bool const_ints(const Value *v, int max, int64_t *out, int *count) {
  if (!v || !v->data || v->shape.rank > 1 || (v->type != T_I64 && v->type != T_I32)) return false;
  int64_t n = shape_count(&v->shape);
  if (n > max) return false;
  for (int64_t i = 0; i < n; i++)
    out[i] = v->type == T_I64 ? ((const int64_t *)v->data)[i] : ((const int32_t *)v->data)[i];
  *count = (int)n;
  return true;
}

bool const_scalar(const Value *v, float *out) {
  if (!v || !v->data || v->type != T_F32 || shape_count(&v->shape) != 1) return false;
  *out = *(const float *)v->data;
  return true;
}
