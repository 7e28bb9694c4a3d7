/* uses.c: who reads a value. Every value has the list of its readers, so that none of the questions below looks at all nodes.
 * What sets an input adds to the list; what gives one up, or dies, leaves its entry, which is then no longer true and goes
 * when it is met. */
#include "graph.h"

struct Use {
  Use *next;
  Node *node;
  int slot;              /* node->in[slot] was the value */
};

static bool is_true(const Use *u, const Value *v) {
  return !u->node->dead && u->slot < u->node->n_in && u->node->in[u->slot] == v;
}

enum { USES_AT_ONCE = 64 };

static Use *use_new(Graph *g) {
  if (g->n_free_use == 0) {
    g->free_use = alloc_n(g->cx, USES_AT_ONCE, sizeof *g->free_use);
    g->n_free_use = USES_AT_ONCE;
  }
  return &g->free_use[--g->n_free_use];
}

static void note(Value *v, Use *u) {
  u->next = v->use;
  v->use = u;
}

void node_set_input(Graph *g, Node *n, int i, Value *v) {
  n->in[i] = v;
  if (!v) return;
  Use *u = use_new(g);
  u->node = n;
  u->slot = i;
  note(v, u);
}

void node_set_inputs(Graph *g, Node *n, int n_in, Value *const *in) {
  n->in = alloc_n(g->cx, (size_t)n_in, sizeof *n->in);
  n->n_in = n_in;
  for (int i = 0; i < n_in; i++) node_set_input(g, n, i, in[i]);
}

/* The first entry from *at on that is true, those before it being taken out; NULL: none. */
static Use *next_use(const Value *v, Use **at) {
  while (*at && !is_true(*at, v)) *at = (*at)->next;
  return *at;
}

Node *next_reader(Value *v, Use **at) {
  Use *u = next_use(v, *at ? &(*at)->next : &v->use);
  *at = u;
  return u ? u->node : NULL;
}

Node *only_reader(Value *v) {
  if (v->is_output) return NULL;
  Use *first = next_use(v, &v->use);
  for (Use *u = first; u; u = next_use(v, &u->next)) {
    if (u->node != first->node || u->slot != first->slot) return NULL; /* an input set twice has two entries */
  }
  return first ? first->node : NULL;
}

void readers_move(Value *old, Value *with) {
  for (Use *u = next_use(old, &old->use), *next; u; u = next) {
    u->node->in[u->slot] = with;
    next = u->next;
    note(with, u);
    old->use = next;
    next = next_use(old, &old->use);
  }
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

const Node *find_unlisted(const Graph *g) {
  int64_t *first = alloc_n(g->cx, (size_t)g->n_node + 1, sizeof *first), count = 0;
  for (int i = 0; i < g->n_node; count += g->node[i++]->n_in) first[i] = count;
  bool *listed = alloc_n(g->cx, (size_t)count, sizeof *listed);
  for (int i = 0; i < g->n_value; i++) {
    Value *v = g->value[i];
    for (Use *u = next_use(v, &v->use); u; u = next_use(v, &u->next)) listed[first[u->node->at] + u->slot] = true;
  }
  for (int i = 0; i < g->n_node; i++) {
    const Node *n = g->node[i];
    for (int j = 0; j < n->n_in && !n->dead; j++)
      if (n->in[j] && !listed[first[i] + j]) return n;
  }
  return NULL;
}
