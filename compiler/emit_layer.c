/* emit_layer.c: from nodes to layer functions. Layers that differ in nothing but the places of their values share one
 * function, which finds the places in a table: a network's size in code, and the time to compile it, follow its kinds of
 * layers. */
#include "emit_entry.h"

#include <string.h>

/* ==== which emitter ==== */

static void emit_node(Emit *e, Node *n) {
  static void (*const conv[])(Emit *, Node *) = {
    [CONV_DIRECT] = emit_conv, [CONV_DEPTHWISE] = emit_depthwise, [CONV_GROUPED] = emit_grouped,
    [CONV_RAGGED] = emit_ragged,
    [CONV_WINOGRAD] = emit_winograd, [CONV_STRASSEN] = emit_strassen,
    [CONV_PLAIN] = emit_conv_plain};
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

static bool makes_nothing(const Node *n) {
  for (int i = 0; i < n->n_out; i++) {
    if (n->out[i] && shape_count(&n->out[i]->shape) != 0) return false;
  }
  return true;
}

static int phase_count(const Node *n) {
  if (makes_nothing(n) || needs_no_code(n)) return 0;
  return n->plan && n->plan->shared ? 2 : 1;
}

/* ==== what a layer function depends on ==== */

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
  buffer_printf(key, " plan %d %d %d %d %d %d %d %d %d %d %d %d %d %d %d %d %d %d %d", p->algorithm, p->order, p->uw, p->nb,
                p->block_rows, p->stream, p->chunk, p->planar, p->groups, p->icg, p->ocg, p->m, p->tile_rows, p->group_images,
                p->fused, p->stored, p->sums, p->ahead, p->group_pairs);
}

static void key_value(const Emit *e, const Value *v, Buffer *key) {
  const Layout *l = &v->layout;
  bool halo_is_zero = v->alias && shape_equal(&v->shape, &v->alias->shape); /* see emit_halo */
  buffer_printf(key, " (%d:%d:%d:%d", v->type, v->place, v->place == P_NONE ? 0 : value_align(e, v), halo_is_zero);
  if (v->place == P_INPUT || v->place == P_OUTPUT) buffer_printf(key, "+%lld", (long long)v->alias_offset);
  for (int k = 0; k < v->shape.rank; k++) buffer_printf(key, ",%lld", (long long)v->shape.d[k]);
  buffer_printf(key, " %d/%lld.%lld.%lld.%lld %lld.%lld.%lld.%lld)", l->block, (long long)l->top, (long long)l->left,
                (long long)l->bottom, (long long)l->right, (long long)l->n, (long long)l->c, (long long)l->row,
                (long long)l->pix);
  int64_t count = shape_count(&v->shape);
  if (v->data && count <= SMALL_CONSTANT) buffer_add(key, v->data, (size_t)count * type_size(v->type));
}

/* False: this node's function is its own, as it rests on more than a key should hold. */
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

/* ==== shared functions ==== */

struct Shared {
  uint64_t hash;
  char *key;
  size_t key_size;
  Ref fn;          /* NULL: not built yet */
  bool serial;
};

static struct Shared *find_shared(Emit *e, const Buffer *key) {
  uint64_t hash = hash_bytes(0, key->data, key->size);
  for (int i = 0; i < e->n_shared; i++) {
    struct Shared *b = &e->shared[i];
    if (b->hash == hash && b->key_size == key->size && memcmp(b->key, key->data, key->size) == 0) return b;
  }
  struct Shared *b = &e->shared[e->n_shared++];
  *b = (struct Shared){.hash = hash, .key = copy_bytes_as_text(e->g->cx, key->data, key->size), .key_size = key->size};
  return b;
}

/* A layer's places: the offsets of packed weights and bias, then those of inputs, results and shared work, in the memory
 * that a value's Place says; of inputs and outputs of the network the offset of their pointer in the frame. */
enum { PLACE_WEIGHTS, PLACE_BIAS, PLACE_VALUES };

static const Value *value_number(const Node *n, int i) {
  if (i < n->n_in) return n->in[i];
  return i < n->n_in + n->n_out ? n->out[i - n->n_in] : n->plan ? n->plan->work : NULL;
}

static int64_t inner_offset(const Value *v) { return v->alias_offset + v->layout.origin * (int64_t)type_size(v->type); }

static int64_t place_of(const Graph *g, const Value *v) {
  if (!v || v->place == P_NONE) return 0;
  if (v->place == P_INPUT) return FRAME_IO + 8 * v->offset;
  if (v->place == P_OUTPUT) return FRAME_IO + 8 * (g->n_input + v->offset);
  return v->offset + inner_offset(v);
}

static Ref place_field(Emit *e, int i) {
  Ref places = load_invariant(e, e->ptr, e->frame, FRAME_PLACES, 8);
  return load_invariant(e, e->i64, places, 8 * i, 8);
}

Ref bound_value(Emit *e, const Value *v) {
  const Node *n = e->bound;
  int i = 0;
  while (value_number(n, i) != v) i++;
  assert(i <= n->n_in + n->n_out);
  Ref offset = place_field(e, PLACE_VALUES + i);
  switch (v->place) {
  case P_WORK: return gep(e, load_invariant(e, e->ptr, e->frame, FRAME_WORK, 8), offset, 1);
  case P_ONCE: return gep(e, load_invariant(e, e->ptr, e->frame, frame_once(e->g), 8), offset, 1);
  case P_CONST: return gep(e, e->weights, offset, 1);
  default: return gep_const(e, load_invariant(e, e->ptr, gep(e, e->frame, offset, 1), 0, 8), inner_offset(v));
  }
}

Ref bound_weights(Emit *e, int64_t offset) {
  const ConvPlan *p = e->bound->plan;
  assert(p && (offset == p->weights || offset == p->bias));
  return gep(e, e->weights, place_field(e, offset == p->weights ? PLACE_WEIGHTS : PLACE_BIAS), 1);
}

/* ==== layers ==== */

static Ref build_function(Emit *e, Node *n, int phase, const char *name, bool shared) {
  LLVMTypeRef type = LLVMFunctionType(e->void_, (LLVMTypeRef[]){e->ptr, e->i32, e->i32}, 3, 0);
  Ref fn;
  Resume saved;
  kernel_begin(e, name, type, &fn, &saved);
  e->frame = LLVMGetParam(fn, 0);
  e->task = LLVMGetParam(fn, 1);
  e->worker = LLVMGetParam(fn, 2);
  e->bound = shared ? n : NULL;
  e->serial = false;
  e->phase = phase;
  emit_node(e, n);
  e->bound = NULL;
  kernel_end(e, &saved);
  return fn;
}

static int64_t *places_of(const Graph *g, const Node *n, int *count) {
  *count = PLACE_VALUES + n->n_in + n->n_out + 1;
  int64_t *place = alloc_n(g->cx, (size_t)*count, sizeof *place);
  place[PLACE_WEIGHTS] = n->plan ? n->plan->weights : 0;
  place[PLACE_BIAS] = n->plan ? n->plan->bias : 0;
  for (int i = PLACE_VALUES; i < *count; i++) place[i] = place_of(g, value_number(n, i - PLACE_VALUES));
  return place;
}

static Layer emit_layer(Emit *e, Node *n, int index, int phase) {
  char name[64];
  Layer layer = {0};
  Buffer key = {0};
  snprintf(name, sizeof name, "layer%d%s_%s", index, phase ? "b" : "", op_info[n->op].name);
  if (layer_key(e, n, phase, &key)) {
    struct Shared *s = find_shared(e, &key);
    if (!s->fn) {
      s->fn = build_function(e, n, phase, name, true);
      s->serial = e->serial;
    }
    layer = (Layer){.fn = s->fn, .serial = s->serial};
    layer.place = places_of(e->g, n, &layer.n_place);
  } else {
    layer.fn = build_function(e, n, phase, name, false);
    layer.serial = e->serial;
  }
  buffer_free(&key);
  return layer;
}

void emit_layers(Emit *e, Layer *layer) {
  Graph *g = e->g;
  g->layer = alloc_n(g->cx, 2 * (size_t)g->n_node + 1, sizeof *g->layer);
  g->n_layer = 0;
  e->shared = alloc_n(g->cx, 2 * (size_t)g->n_node + 1, sizeof *e->shared);
  for (int i = 0; i < g->n_node; i++) {
    Node *n = g->node[i];
    for (int phase = 0; phase < phase_count(n); phase++) {
      g->layer[g->n_layer] = (struct LayerInfo){n, phase};
      layer[g->n_layer++] = emit_layer(e, n, i, phase);
    }
  }
}
