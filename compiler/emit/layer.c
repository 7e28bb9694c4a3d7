/* layer.c: from nodes to layer functions. Layers that differ in nothing but the places of their values share one
 * function, which finds the places in a table: a network's size in code, and the time to compile it, follow its kinds of
 * layers. */
#include "emit.h"

#include <llvm-c/Core.h>
#include <string.h>

/* ==== which emitter ==== */

static void (*const planned_emitter[])(Emit *, Node *) = {
#define KERNEL(name, ...) emit_##name,
#define PLANNED(name, ...) emit_##name,
#define DENSE(name, op) emit_##name,
#include "kernels.def"
#undef KERNEL
#undef PLANNED
#undef DENSE
};

void emit_planned(Emit *e, Node *n) { planned_emitter[n->plan->how - algorithms](e, n); }

/* Such a node is folded, or made into others, before there is code. */
void emit_none(Emit *e, Node *n) { fail_at(e->build->graph, n, "there is no code for this operator"); }

static void (*const emitter[OP_COUNT])(Emit *, Node *) = {
#define OP(name, infer, eval, emit, ...) [OP_##name] = emit_##emit,
#include "ops.def"
#undef OP
};

bool has_code(Op op) { return emitter[op] && emitter[op] != emit_none; }

/* A node whose results already lie where they belong: views and concatenations in place. */
static bool needs_no_code(const Node *n) {
  const Value *out = n->out[0];
  if (n->op == OP_Images) return true;
  if (op_info[n->op].family == FAMILY_VIEW) return out->alias != NULL;
  if (n->op == OP_Concat || (n->op == OP_Interleave && !layout_has_halo(&out->layout))) {
    for (int i = 0; i < n->n_in; i++) {
      if (n->in[i]->alias != out) return false;
    }
    return true;
  }
  if (op_info[n->op].family != FAMILY_MOVE) return false;
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
  return n->plan && n->plan->at.shared ? 2 : 1;
}

/* ==== shared functions ==== */

typedef struct Shared {
  Buffer key;
  Ref fn;
  bool serial;
} Shared;

static bool keys_equal(const void *a, const void *b) {
  const Shared *x = a, *y = b;
  return x->key.size == y->key.size && same_bytes(x->key.data, y->key.data, x->key.size);
}

/* ==== layers ==== */

static int64_t place_of(const Graph *g, const Value *v) {
  if (!v || v->place == P_NONE) return 0;
  if (v->place == P_INPUT) return FRAME_IO + 8 * v->offset;
  if (v->place == P_OUTPUT) return FRAME_IO + 8 * (g->n_input + v->offset);
  return v->offset + inner_offset(v);
}

static Ref build_function(Emit *e, Node *n, int phase, const char *name, bool bound) {
  Resume saved;
  Ref fn = function_begin(e, name, task_type(e), &saved);
  debug_enter(e, fn, n);
  e->frame = LLVMGetParam(fn, 0);
  e->task = LLVMGetParam(fn, 1);
  e->worker = LLVMGetParam(fn, 2);
  e->node = n;
  e->bound = bound;
  e->serial = false;
  e->phase = phase;
  emitter[n->op](e, n);
  e->node = NULL;
  e->bound = false;
  function_end(e, &saved);
  return fn;
}

static int64_t *places_of(const Graph *g, const Node *n, int *count) {
  *count = PLACE_VALUES + layer_values(n);
  int64_t *place = alloc_n(g->cx, (size_t)*count, sizeof *place);
  place[PLACE_WEIGHTS] = n->plan ? n->plan->at.weights : 0;
  place[PLACE_BIAS] = n->plan ? n->plan->at.bias : 0;
  for (int i = PLACE_VALUES; i < *count; i++) place[i] = place_of(g, layer_value(n, i - PLACE_VALUES));
  return place;
}

/* The function of all layers with this key. */
static const Shared *shared_function(Emit *e, Buffer key, int phase, const char *name) {
  Shared *s = alloc(e->g->cx, sizeof *s);
  s->key.data = copy_bytes_as_text(e->g->cx, key.data, key.size);
  s->key.size = key.size;
  void **found = map_at(e->g->cx, &e->shared, hash_bytes(0, key.data, key.size), s, keys_equal);
  if (!*found) {
    s->fn = build_function(e, layer_node(e->g->cx, &s->key), phase, name, true);
    s->serial = e->serial;
    *found = s;
  }
  return *found;
}

/* With so many, those that differ in a number only (20,000 sums of a tensor and a constant) become one that reads it. */
enum { MANY_FUNCTIONS = 256 };

/* 03.conv3x3_64_128: the number of the first layer that has the function, the operator in small letters, the window and the
 * channels of a convolution. The second phase has .b behind it. */
static const char *function_name(Context *cx, const Node *n, int index, int phase) {
  Buffer name = {0};
  buffer_printf(&name, "%02d.", index);
  for (const char *p = op_info[n->op].name; *p; p++) buffer_printf(&name, "%c", *p >= 'A' && *p <= 'Z' ? *p - 'A' + 'a' : *p);
  if (n->op == OP_Conv || n->op == OP_ConvInteger) {
    buffer_printf(&name, "%lldx%lld_%lld_%lld", (long long)n->win.kh, (long long)n->win.kw, (long long)n->in[0]->shape.d[1],
                  (long long)n->out[0]->shape.d[1]);
  }
  if (phase) buffer_printf(&name, ".b");
  const char *copy = copy_text(cx, name.data);
  buffer_free(&name);
  return copy;
}

/* With -g a function has the name of its node, so each layer has its own. */
static LayerCode emit_layer(Emit *e, Node *n, int index, int phase) {
  LayerCode layer = {0};
  e->key.size = 0;
  const char *name = function_name(e->g->cx, n, index, phase);
  bool few = e->build->options->many_shapes || e->shared.n >= MANY_FUNCTIONS;
  const Options *o = e->build->options;
  if (!o->unshared && !o->debug && layer_key(n, phase, few, &e->key)) {
    const Shared *s = shared_function(e, e->key, phase, name);
    layer = (LayerCode){.fn = s->fn, .serial = s->serial};
    layer.place = places_of(e->g, n, &layer.n_place);
  } else {
    layer.fn = build_function(e, n, phase, name, false);
    layer.serial = e->serial;
  }
  return layer;
}

/* `before` instructions were there before the layer. */
static bool is_too_large(const Emit *e, int64_t before) {
  int64_t all = e->instructions;
  return all - before > MAX_LAYER_CODE || all > MAX_CODE || all * CODE_BYTES > arena_left(e->g->cx->arena);
}

static const char *symbol_of(Context *cx, Ref fn) {
  size_t length;
  const char *name = LLVMGetValueName2(fn, &length);
  return copy_bytes_as_text(cx, name, length);
}

void emit_layers(Emit *e, LayerCode *layer) {
  Build *b = e->build;
  const Graph *g = b->graph;
  b->layer = alloc_n(g->cx, 2 * (size_t)g->n_node + 1, sizeof *b->layer);
  b->n_layer = b->n_kernel = 0;
  for (int i = 0; i < g->n_node; i++) {
    Node *n = g->node[i];
    for (int phase = 0; phase < phase_count(n); phase++) {
      int64_t before = e->instructions;
      LayerCode made = emit_layer(e, n, i, phase);
      layer[b->n_layer] = made;
      b->layer[b->n_layer++] = (LayerInfo){n, phase, symbol_of(g->cx, made.fn)};
      if (!is_too_large(e, before)) continue;
      e->too_large = n;
      return;
    }
  }
}
