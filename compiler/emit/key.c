/* key.c: the key of a layer function: all that its code may depend on, as bytes. The function is built from a node that is
 * read back from them and has nothing else, so what an emitter looks at and the key lacks is 0 or NULL there for every layer: it
 * fails where it is needed, and is never taken from another layer of the same key.
 *
 * Of steps whose numbers are data it has the form (lower/numbers.c). Of places it has the kind, and which values lie in the same
 * memory, how far apart. One routine for each type writes and reads, so that the two cannot differ. */
#include "emit.h"

#include <string.h>

enum { SMALL_CONSTANT = 64 }; /* elements; larger ones are read at run time */

typedef struct Coder {
  Context *cx;
  Buffer *key;
  bool reads;
  bool no_numbers;     /* constants of one element are read at run time, too */
  size_t at;           /* of what is read next */
} Coder;

static void code(Coder *c, void *field, size_t size) {
  if (!c->reads) {
    buffer_add(c->key, field, size);
    return;
  }
  assert(c->at + size <= c->key->size);
  move_bytes(field, c->key->data + c->at, size);
  c->at += size;
}
#define CODE(c, field) code(c, &(field), sizeof(field))

/* n elements, which are read to memory of their own; NULL stays so. */
static void *code_array(Coder *c, const void *array, size_t n, size_t size) {
  bool given = array != NULL;
  CODE(c, given);
  if (!given || !c->reads) {
    if (given) buffer_add(c->key, array, n * size);
    return NULL;
  }
  void *copy = alloc_n(c->cx, n + 1, size);
  code(c, copy, n * size);
  return copy;
}

/* ==== values ==== */

static void code_shape(Coder *c, Shape *s) {
  CODE(c, s->rank);
  code(c, s->d, (size_t)s->rank * sizeof *s->d);
}

static void code_layout(Coder *c, Layout *l) {
  int64_t *const field[] = {&l->top, &l->left, &l->bottom, &l->right, &l->front, &l->back, &l->n, &l->c, &l->row, &l->pix, &l->origin, &l->size};
  CODE(c, l->block);
  for (size_t i = 0; i < COUNT(field); i++) CODE(c, *field[i]);
  CODE(c, l->fill);
}

/* A large constant is known to be one, but whoever reads its elements meets an address that no process has. */
static void code_data(Coder *c, Value *v) {
  static const intptr_t nowhere = -4096;
  int64_t count = shape_count(&v->shape);
  bool is_constant = v->data && !(c->no_numbers && count == 1);
  CODE(c, is_constant);
  if (!is_constant) return;
  if (count <= SMALL_CONSTANT) v->data = code_array(c, v->data, (size_t)count, type_size(v->type));
  else v->data = (const void *)nowhere;
}

static void code_value(Coder *c, Value *v) {
  CODE(c, v->type);
  CODE(c, v->place);
  CODE(c, v->offset);
  CODE(c, v->alias_offset);
  code_shape(c, &v->shape);
  code_layout(c, &v->layout);
  code_data(c, v);
}

/* ==== memory ==== */

const Value *layer_value(const Node *n, int i) {
  if (i < n->n_in) return n->in[i];
  return i < n->n_in + n->n_out ? n->out[i - n->n_in] : n->plan ? n->plan->at.work : NULL;
}

int layer_values(const Node *n) { return n->n_in + n->n_out + 1; }

static bool same_memory(const Value *a, const Value *b) { return a && a->place == b->place && a->offset == b->offset; }

/* Replaces v's place by one that only says how it lies to the node's values before it, number i and on: the number of the first
 * in the same memory stands for that. Bytes from the start of an input or output are in the code, others in the layer's table. */
static void relate(const Node *n, int i, Value *v) {
  enum { APART = 48 }; /* bits: more than any offset has, see MOST_MEMORY */
  int first = 0;
  while (first < i && !same_memory(layer_value(n, first), v)) first++;
  bool outside = v->place == P_INPUT || v->place == P_OUTPUT;
  if (!outside) v->alias_offset -= layer_value(n, first)->alias_offset;
  v->offset = (int64_t)first << APART;
}

static int number_of(const Node *n, const Value *v) {
  int i = 0;
  while (layer_value(n, i) != v) i++;
  return i;
}

/* Value number i of n; `so_far` has those before it, where it is read. */
static Value *code_place(Coder *c, const Node *n, int i, Value **so_far) {
  const Value *real = c->reads ? NULL : layer_value(n, i);
  int number = real ? number_of(n, real) : -1;
  CODE(c, number);
  if (number < 0) return NULL;
  if (number < i) return c->reads ? so_far[number] : NULL; /* the same value again */
  if (c->reads) {
    Value *v = alloc(c->cx, sizeof *v);
    code_value(c, v);
    v->id = i;
    return v;
  }
  Value v = *real;
  relate(n, i, &v);
  code_value(c, &v);
  return NULL;
}

/* ==== nodes ==== */

static void code_step(Coder *c, Step *s) {
  CODE(c, s->op);
  CODE(c, s->type);
  CODE(c, s->arg);
  CODE(c, s->swap);
  CODE(c, s->a);
  CODE(c, s->b);
  CODE(c, s->c);
  CODE(c, s->d);
  CODE(c, s->e);
}

/* All of a plan but where its memory lies; read, the bias is a number that weights_ptr knows, or none. */
static Plan *code_plan(Coder *c, const Plan *plan) {
  bool has_bias = plan && plan->at.bias >= 0;
  Plan *copy = NULL;
  void *fixed = code_array(c, plan, offsetof(Plan, at), 1);
  CODE(c, has_bias);
  if (!fixed) return NULL;
  copy = alloc(c->cx, sizeof *copy);
  move_bytes(copy, fixed, offsetof(Plan, at));
  copy->at.weights = BOUND_WEIGHTS;
  copy->at.bias = has_bias ? BOUND_BIAS : -1;
  return copy;
}

/* `n` is a copy of the node that is written, or zeroed; what is read is in it then, but for its values. */
static void code_node(Coder *c, Node *n) {
  CODE(c, n->op);
  CODE(c, n->group);
  CODE(c, n->win);
  CODE(c, n->p);
  CODE(c, n->n_in);
  CODE(c, n->n_out);
  CODE(c, n->n_step);
  if (c->reads) n->step = alloc_n(c->cx, (size_t)n->n_step + 1, sizeof *n->step);
  for (int i = 0; i < n->n_step; i++) {
    Step s = c->reads ? n->step[i] : step_form(n, i);
    code_step(c, &s);
    if (c->reads) n->step[i] = s;
  }
  Plan *plan = code_plan(c, n->plan);
  if (c->reads) n->plan = plan;
}

/* ==== the key ==== */

/* Only there is an argument of one element as good as another that is known at run time only. */
static bool needs_no_numbers(const Node *n) { return n->op == OP_Pointwise && !n->out[0]->layout.block; }

bool layer_key(const Node *n, int phase, bool few, Buffer *key) {
  if (n->n_in + n->n_out > MAX_BOUND) return false;
  for (int i = 0; i < n->n_in; i++) { /* parameters that emitters read whole, however many there are */
    const Value *v = n->in[i];
    bool parameter = v && v->data && is_argument(n, i);
    if (parameter && shape_count(&v->shape) > SMALL_CONSTANT) return false;
  }
  Coder c = {.key = key, .no_numbers = few && needs_no_numbers(n)};
  Node copy = *n;
  CODE(&c, phase);
  code_node(&c, &copy);
  for (int i = 0; i < layer_values(n); i++) code_place(&c, n, i, NULL);
  return true;
}

Node *layer_node(Context *cx, Buffer *key) {
  Coder c = {.cx = cx, .key = key, .reads = true};
  Node *n = alloc(cx, sizeof *n);
  int phase;
  CODE(&c, phase);
  code_node(&c, n);
  Value **value = alloc_n(cx, (size_t)layer_values(n), sizeof *value);
  n->in = value;
  n->out = value + n->n_in;
  for (int i = 0; i < layer_values(n); i++) value[i] = code_place(&c, n, i, value);
  if (n->plan) n->plan->at.work = value[n->n_in + n->n_out];
  assert(c.at == key->size);
  return n;
}
