/* emit_layer.c: from nodes to layer functions. Layers that differ in nothing but the places of their values share one body,
 * which gets the places as arguments: a network's size in code, and the time to compile it, follow its kinds of layers. */
#include "emit_entry.h"

#include <string.h>

/* ==== which emitter ==== */

static void emit_node(Emit *e, Node *n) {
  static void (*const conv[])(Emit *, Node *) = {
    [CONV_DIRECT] = emit_conv, [CONV_DEPTHWISE] = emit_depthwise, [CONV_GROUPED] = emit_grouped,
    [CONV_WINOGRAD] = emit_winograd, [CONV_PLAIN] = emit_conv_plain};
  switch (n->op) {
  case OP_Conv: conv[n->plan->algorithm](e, n); return;
  case OP_Gemm: case OP_MatMul: emit_gemm(e, n); return;
  case OP_Pointwise: case OP_BatchNormalization: emit_pointwise(e, n); return;
  case OP_Reorder: emit_reorder(e, n); return;
  default: break;
  }
  switch (op_info[n->op].kind) {
  case K_ANCHOR: emit_pool(e, n); return;
  case K_UNARY: case K_BINARY: emit_pointwise(e, n); return;
  case K_REDUCE: emit_reduce(e, n); return;
  default: emit_move(e, n);
  }
}

/* A node whose results already lie where they belong: views and concatenations in place. */
static bool needs_no_code(const Node *n) {
  const Value *out = n->out[0];
  if (op_info[n->op].kind == K_VIEW) return out->alias != NULL;
  if (n->op == OP_Concat) {
    for (int i = 0; i < n->n_in; i++) {
      if (n->in[i]->alias != out) return false;
    }
    return true;
  }
  if (n->op != OP_Split && n->op != OP_Transpose && n->op != OP_Reorder) return false;
  for (int i = 0; i < n->n_out; i++) {
    if (n->out[i] && n->out[i]->alias != n->in[0]) return false;
  }
  return true;
}

static int phase_count(const Node *n) { return needs_no_code(n) ? 0 : n->plan && n->plan->shared ? 2 : 1; }

/* ==== what a body depends on ==== */

enum { SMALL_CONSTANT = 64 }; /* elements; larger ones are read at run time */

static void key_attributes(const Node *n, Buffer *key) {
  for (int i = 0; i < n->n_attr; i++) {
    const Attr *a = &n->attr[i];
    buffer_printf(key, " %s=%lld,%a,%s", a->name, (long long)a->i, (double)a->f, a->s ? a->s : "");
    for (int k = 0; a->kind == A_INTS && k < a->n; k++) buffer_printf(key, ",%lld", (long long)a->ints[k]);
    for (int k = 0; a->kind == A_FLOATS && k < a->n; k++) buffer_printf(key, ",%a", (double)a->floats[k]);
  }
}

static void key_plan(const ConvPlan *p, Buffer *key) {
  buffer_printf(key, " plan %d %d %d %d %d %d %d %d %d %d %d %d %d %d %d", p->algorithm, p->order, p->uw, p->nb, p->block_rows,
                p->stream, p->chunk, p->planar, p->groups, p->icg, p->ocg, p->tile_rows, p->fused, p->stored, p->sums);
}

static void key_value(const Emit *e, const Value *v, Buffer *key) {
  const Layout *l = &v->layout;
  bool halo_is_zero = v->alias && shape_equal(&v->shape, &v->alias->shape); /* see emit_halo */
  buffer_printf(key, " (%d:%d:%d:%d", v->type, v->place, v->place == P_NONE ? 0 : value_align(e, v), halo_is_zero);
  for (int k = 0; k < v->shape.rank; k++) buffer_printf(key, ",%lld", (long long)v->shape.d[k]);
  buffer_printf(key, " %d/%d.%d.%d.%d %lld.%lld.%lld.%lld)", l->block, l->top, l->left, l->bottom, l->right,
                (long long)l->n, (long long)l->c, (long long)l->row, (long long)l->pix);
  int64_t count = shape_count(&v->shape);
  if (v->data && count <= SMALL_CONSTANT) buffer_add(key, v->data, (size_t)count * type_size(v->type));
}

/* False: this node's body is its own, as it rests on more than a key should hold. */
static bool layer_key(const Emit *e, const Node *n, int phase, Buffer *key) {
  if (n->n_in + n->n_out > MAX_BOUND) return false;
  buffer_printf(key, "%s %d", op_info[n->op].name, phase);
  key_attributes(n, key);
  if (n->plan) key_plan(n->plan, key);
  for (int i = 0; i < n->n_step; i++) {
    const Step *s = &n->step[i];
    buffer_printf(key, " |%d %d %d %a %a", s->op, s->arg, s->swap, (double)s->a, (double)s->b);
  }
  for (int i = 0; i < n->n_in + n->n_out; i++) {
    const Value *v = i < n->n_in ? n->in[i] : n->out[i - n->n_in];
    if (!v) buffer_printf(key, " _");
    else key_value(e, v, key);
    bool parameter = v && v->data && type_is_int(v->type) && n->op != OP_Gather && n->op != OP_Concat;
    if (parameter && shape_count(&v->shape) > SMALL_CONSTANT) return false;
  }
  for (int i = 0; i < n->n_in + n->n_out; i++) { /* the same value twice is one argument */
    const Value *v = i < n->n_in ? n->in[i] : n->out[i - n->n_in];
    for (int k = 0; v && k < i && k < n->n_in; k++) {
      if (n->in[k] == v) buffer_printf(key, " %d=%d", i, k);
    }
  }
  return true;
}

/* ==== bodies ==== */

struct Body {
  uint64_t hash;
  char *key;
  size_t key_size;
  Ref fn;
  bool serial;
};

/* FNV-1a, 64 bits (Fowler, Noll, Vo). */
static uint64_t hash_bytes(const char *s, size_t n) {
  uint64_t h = UINT64_C(0xcbf29ce484222325);
  for (size_t i = 0; i < n; i++) h = (h ^ (uint8_t)s[i]) * UINT64_C(0x100000001b3);
  return h;
}

static struct Body *find_body(Emit *e, const Buffer *key) {
  uint64_t hash = hash_bytes(key->data, key->size);
  for (int i = 0; i < e->n_body; i++) {
    struct Body *b = &e->body[i];
    if (b->hash == hash && b->key_size == key->size && memcmp(b->key, key->data, key->size) == 0) return b;
  }
  struct Body *b = &e->body[e->n_body++];
  *b = (struct Body){.hash = hash, .key = copy_bytes_as_text(e->g->cx, key->data, key->size), .key_size = key->size};
  return b;
}

/* A body's arguments: frame, task and worker, the packed weights and the bias, then the places of inputs, results and
 * shared work. */
enum { ARG_FRAME, ARG_TASK, ARG_WORKER, ARG_WEIGHTS, ARG_BIAS, ARG_VALUES };

static const Value *value_number(const Node *n, int i) {
  if (i < n->n_in) return n->in[i];
  return i < n->n_in + n->n_out ? n->out[i - n->n_in] : n->plan ? n->plan->work : NULL;
}

static LLVMTypeRef body_type(Emit *e, int values) {
  LLVMTypeRef types[ARG_VALUES + MAX_BOUND + 1];
  for (int i = 0; i < ARG_VALUES + values; i++) types[i] = i == ARG_TASK || i == ARG_WORKER ? e->i32 : e->ptr;
  return LLVMFunctionType(e->void_, types, (unsigned)(ARG_VALUES + values), 0);
}

static void build_body(Emit *e, Node *n, int phase, struct Body *b, LLVMTypeRef type) {
  char name[64];
  snprintf(name, sizeof name, "body%d_%s", (int)(b - e->body), op_info[n->op].name);
  Resume saved;
  kernel_begin(e, name, type, &b->fn, &saved);
  Bound bound = {.node = n, .weights = LLVMGetParam(b->fn, ARG_WEIGHTS), .bias = LLVMGetParam(b->fn, ARG_BIAS)};
  int values = n->n_in + n->n_out + 1;
  for (int i = 0; i < values; i++) bound.value[i] = LLVMGetParam(b->fn, (unsigned)(ARG_VALUES + i));
  e->frame = LLVMGetParam(b->fn, ARG_FRAME);
  e->task = LLVMGetParam(b->fn, ARG_TASK);
  e->worker = LLVMGetParam(b->fn, ARG_WORKER);
  e->bound = &bound;
  e->serial = false;
  e->phase = phase;
  emit_node(e, n);
  e->bound = NULL;
  b->serial = e->serial;
  kernel_end(e, &saved);
}

static void call_body(Emit *e, Node *n, int phase, struct Body *b) {
  int values = n->n_in + n->n_out + 1;
  LLVMTypeRef type = body_type(e, values);
  if (!b->fn) build_body(e, n, phase, b, type);
  Ref none = LLVMGetPoison(e->ptr), args[ARG_VALUES + MAX_BOUND + 1] = {e->frame, e->task, e->worker, none, none};
  if (n->plan && n->plan->weights >= 0) args[ARG_WEIGHTS] = weights_ptr(e, n->plan->weights);
  if (n->plan && n->plan->bias >= 0) args[ARG_BIAS] = weights_ptr(e, n->plan->bias);
  for (int i = 0; i < values; i++) {
    const Value *v = value_number(n, i);
    args[ARG_VALUES + i] = v && v->place != P_NONE ? value_ptr(e, v) : none;
  }
  call(e, b->fn, type, ARG_VALUES + values, args);
  e->serial = b->serial;
}

/* The argument that stands for v; NULL: v is no value of the node. */
Ref bound_value(const Bound *b, const Value *v) {
  for (int i = 0; i <= b->node->n_in + b->node->n_out; i++) {
    if (value_number(b->node, i) == v) return b->value[i];
  }
  return NULL;
}

/* ==== layers ==== */

static Layer emit_layer(Emit *e, Node *n, int index, int phase) {
  char name[64];
  snprintf(name, sizeof name, "layer%d%s_%s", index, phase ? "b" : "", op_info[n->op].name);
  LLVMTypeRef type = LLVMFunctionType(e->void_, (LLVMTypeRef[]){e->ptr, e->i32, e->i32}, 3, 0);
  Ref fn;
  Resume saved;
  kernel_begin(e, name, type, &fn, &saved);
  e->frame = LLVMGetParam(fn, 0);
  e->task = LLVMGetParam(fn, 1);
  e->worker = LLVMGetParam(fn, 2);
  e->serial = false;
  e->phase = phase;
  Buffer key = {0};
  if (layer_key(e, n, phase, &key)) call_body(e, n, phase, find_body(e, &key));
  else emit_node(e, n);
  buffer_free(&key);
  kernel_end(e, &saved);
  return (Layer){fn, e->serial};
}

void emit_layers(Emit *e, Layer *layer) {
  Graph *g = e->g;
  g->layer = alloc_n(g->cx, 2 * (size_t)g->n_node + 1, sizeof *g->layer);
  g->n_layer = 0;
  e->body = alloc_n(g->cx, 2 * (size_t)g->n_node + 1, sizeof *e->body);
  for (int i = 0; i < g->n_node; i++) {
    Node *n = g->node[i];
    for (int phase = 0; phase < phase_count(n); phase++) {
      g->layer[g->n_layer] = (struct LayerInfo){n, phase};
      layer[g->n_layer++] = emit_layer(e, n, i, phase);
    }
  }
}
