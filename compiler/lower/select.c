/* select.c: the algorithm, tile and loop order of every layer that kernels.def has rows for: all plans that
 * the layer can have, and of these the one that costs least, by estimate or by measurement. Weights that
 * grow, and code that is long, have limits for the whole model. */
#include "conv.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ==== candidates ==== */

/* Which layers are alike: all that their plans depend on. */
static const char *shape_key(Context *cx, const Node *n) {
  const Window *k = &n->win;
  const int64_t *x = n->in[0]->shape.d, *y = n->out[0]->shape.d;
  return format_text(cx, "%" PRId64 "x%" PRId64 "x%" PRId64 "x%" PRId64 "-%" PRId64 "x%" PRId64 "x%" PRId64
                     "-k%" PRId64 "x%" PRId64 "-s%" PRId64 "x%" PRId64 "-d%" PRId64 "x%" PRId64 "-g%d%s",
                     x[0], x[1], x[2], x[3], y[1], y[2], y[3], k->kh, k->kw, k->sh, k->sw, k->dh, k->dw, n->group,
                     n->op == OP_ConvInteger ? "-u8" : "");
}

/* What was measured comes before what was not, then what costs less. */
static int by_cost(const void *a, const void *b) {
  const Candidate *x = a, *y = b;
  if (x->measured != y->measured) return y->measured - x->measured;
  return (x->ms > y->ms) - (x->ms < y->ms);
}

/* Can an algorithm's code run on the target, with operands of these types? */
static bool is_possible(const Algorithm *a, const Build *b, const Node *n) {
  if (a->op != n->op || !a->plans || (b->target->cpu_bits & a->features) != a->features) return false;
  return (!a->input || n->in[0]->type == a->input) && (!a->weights || n->in[1]->type == a->weights);
}

static void list_plans(const Build *b, const Node *n, Plans *list) {
  memset(list, 0, sizeof *list); /* to the last byte of padding, for the key */
  for (const Algorithm *a = algorithms; a < algorithms + algorithm_count && !list->only; a++) {
    int first = list->n;
    if (is_possible(a, b, n)) a->plans(b, n, list);
    for (int i = first; i < list->n; i++) {
      list->plan[i].how = a;
      list->plan[i].weights = a->weights;
      list->plan[i].at.bias = -1;
    }
  }
  prefer_halves(b, n, list);
}

/* Times that lost are used up all the same. */
static void add_candidate(const Build *b, const Node *n, Candidates *list, const Plan *p, bool lost) {
  const char *name = p->how->text ? p->how->text(b->graph->cx, p) : p->how->name;
  for (int i = 0; i < list->n; i++) {
    if (strcmp(list->item[i].name, name) == 0) return; /* narrow layers make one of two kernels */
  }
  double measured = b->times ? tuning_ms(b->times, list->shape, name) : 0, estimate = plan_cost(b->target, n, p);
  bool counts = measured > 0 && !lost;
  list->item[list->n++] = (Candidate){.plan = *p, .name = name, .ms = counts ? measured : estimate, .estimate = estimate, .measured = counts};
}

static Candidates *list_candidates(const Build *b, const Node *n, const Plans *plans) {
  Candidates *list = alloc(b->graph->cx, sizeof *list);
  list->shape = shape_key(b->graph->cx, n);
  bool lost = b->times && tuning_lost(b->times);
  for (int i = 0; i < plans->n; i++) add_candidate(b, n, list, &plans->plan[i], lost);
  return list;
}

/* An estimate of this many times the least one is never the best plan: where the constants of cost.c were
 * measured, estimates are wrong by some 10 per cent. */
enum { MOST_MISJUDGED = 2 };

/* Measured times differ by so much, in per cent of themselves, for no reason in the layer. */
enum { TIMES_DIFFER = 2 };

/* Of those whose measured times are as good as the least, the one that estimates prefer comes first. */
static void prefer_estimated(Candidates *list) {
  int best = 0;
  double limit = list->item[0].ms * (100 + TIMES_DIFFER) / 100;
  for (int i = 1; i < list->n && list->item[i].measured && list->item[i].ms <= limit; i++) {
    if (list->item[i].estimate < list->item[best].estimate) best = i;
  }
  Candidate first = list->item[best];
  move_bytes(&list->item[1], &list->item[0], (size_t)best * sizeof first);
  list->item[0] = first;
}

static void sort_candidates(Candidates *list) {
  qsort(list->item, (size_t)list->n, sizeof *list->item, by_cost);
  prefer_estimated(list);
  double limit = MOST_MISJUDGED * list->item[0].ms;
  while (list->promising < list->n && list->item[list->promising].ms < limit) list->promising++;
}

/* ==== choice ==== */

static void choose(Node *n, int i) {
  n->candidates->chosen = i;
  n->plan = &n->candidates->item[i].plan;
}

static bool grows(const Build *b, const Plan *p) { return p->how->grows && p->how->grows(b->target, p); }

static int64_t packed_size(const Build *b, const Node *n, int i) {
  const Plan *p = &n->candidates->item[i].plan;
  return p->how->packed(b->target, n, p);
}

/* The least costly that does not grow, or if all do, the smallest, which stores no transformed weights; room
 * is given out later. */
static void choose_least(const Build *b, Node *n) {
  const Candidates *list = n->candidates;
  int i = 0, smallest = 0;
  while (i < list->n && grows(b, &list->item[i].plan)) i++;
  for (int k = 1; k < list->n; k++) {
    if (packed_size(b, n, k) < packed_size(b, n, smallest)) smallest = k;
  }
  choose(n, i < list->n ? i : smallest);
}

static int64_t weight_bytes(const Node *n) {
  bool has_weights = n->op == OP_Conv || n->op == OP_Gemm || n->op == OP_MatMul;
  return has_weights && n->in[1]->data ? shape_count(&n->in[1]->shape) * 4 : 0;
}

/* Weights that grow save time. Those that save most for their size may, as long as all weights together grow
 * by no more than this. A 3x3 layer's transformed weights are 36 numbers for 9: in ResNet-50 there is room
 * for the layers of 56x56 and 28x28 pixels, where many tiles share them, but hardly for those of 14x14 and
 * 7x7, whose weights are most of the model. */
enum { MOST_GROWTH_PERCENT = 18 };

/* Bytes that the candidate's weights take more. */
static int64_t growth(const Build *b, const Node *n, int i) {
  return packed_size(b, n, i) - weight_bytes(n);
}

/* Which candidate with weights that grow by no more than `room` beats the chosen one? -1: none. */
static int better_larger(const Build *b, const Node *n, int64_t room) {
  const Candidates *list = n->candidates;
  for (int i = 0; list && i < list->chosen; i++) {
    bool comparable = list->item[i].measured == list->item[list->chosen].measured;
    if (comparable && grows(b, &list->item[i].plan) && growth(b, n, i) <= room) return i;
  }
  return -1;
}

/* Milliseconds saved a byte. */
static double saving(const Build *b, const Node *n, int i) {
  const Candidates *list = n->candidates;
  int64_t more = growth(b, n, i) - growth(b, n, list->chosen);
  return (list->item[list->chosen].ms - list->item[i].ms) / (double)(more > 1 ? more : 1);
}

static void choose_larger(const Build *b) {
  const Graph *g = b->graph;
  if (b->many_shapes) return; /* these are Winograd's, which have much code then */
  int64_t room = 0;
  if (b->options->small) return;
  for (int i = 0; i < g->n_node; i++) room += weight_bytes(g->node[i]);
  room = room / 100 * MOST_GROWTH_PERCENT;
  for (;;) {
    Node *best = NULL;
    double most = 0;
    for (int i = 0; i < g->n_node; i++) {
      Node *n = g->node[i];
      int larger = better_larger(b, n, room);
      if (larger < 0 || (best && saving(b, n, larger) <= most)) continue;
      best = n;
      most = saving(b, n, larger);
    }
    if (!best) return;
    int larger = better_larger(b, best, room);
    room -= growth(b, best, larger) - growth(b, best, best->candidates->chosen);
    choose(best, larger);
  }
}

/* Some algorithms take ten thousand instructions and more for each shape of a layer. Networks in which every
 * layer has another (a DenseNet of 100 layers compiles in half the time so) have them for the first 24
 * shapes; ResNets have a dozen. Beyond 96 shapes the layout is one in which kernels serve all of them:
 * DenseNet-121, whose 66 would be 3 per cent slower so, is below. */
enum { MOST_LARGE_SHAPES = 24, MANY_SHAPES = 96 };

static bool has_many_shapes(Graph *g) {
  Map shapes = {0};
  for (int i = 0; i < g->n_node; i++) {
    Candidates *list = g->node[i]->candidates;
    if (list) map_put(g->cx, &shapes, list->shape, list);
  }
  return shapes.n > MANY_SHAPES;
}

static bool is_much_code(const Build *b, const Plan *p) {
  return p->how->much_code && p->how->much_code(p, b->many_shapes);
}

static void choose_less_code(const Build *b, Node *n) {
  const Candidates *list = n->candidates;
  for (int i = 0; i < list->n; i++) {
    const Plan *p = &list->item[i].plan;
    if (is_much_code(b, p) || grows(b, p)) continue;
    choose(n, i);
    return;
  }
}

static void limit_code(const Build *b) {
  const Graph *g = b->graph;
  const char *shape[MOST_LARGE_SHAPES];
  int count = 0;
  for (int i = 0; i < g->n_node; i++) {
    Node *n = g->node[i];
    if (!n->candidates || !is_much_code(b, n->plan)) continue;
    int k = 0;
    while (k < count && strcmp(shape[k], n->candidates->shape) != 0) k++;
    if (k < count) continue;
    if (count < MOST_LARGE_SHAPES) shape[count++] = n->candidates->shape;
    else choose_less_code(b, n);
  }
}

/* ==== all layers ==== */

static void choose_dense(const Build *b, Node *n) {
  n->plan = alloc(b->graph->cx, sizeof *n->plan);
  n->plan->how = dense_algorithm(n->op);
}

static void select_node(const Build *b, Node *n) {
  Plans plans = {.n = 0};
  bool window = op_info[n->op].family == FAMILY_CONV;
  if (!window || (n->in[0]->shape.rank == 4 && (n->op != OP_Conv || conv_fits_blocks(n)))) list_plans(b, n, &plans);
  if (plans.n == 0) {
    choose_dense(b, n);
  } else if (!plans.plan[0].how->cost) {
    n->plan = alloc(b->graph->cx, sizeof *n->plan);
    *n->plan = plans.plan[0];
  } else {
    n->candidates = list_candidates(b, n, &plans);
    sort_candidates(n->candidates);
    choose_least(b, n);
  }
}

static bool has_rows(Op op) {
  for (int i = 0; i < algorithm_count; i++) {
    if (algorithms[i].op == op) return true;
  }
  return false;
}

void pass_select(Build *b) {
  Graph *g = b->graph;
  for (int i = 0; i < g->n_node; i++) {
    if (has_rows(g->node[i]->op)) select_node(b, g->node[i]);
  }
  b->many_shapes = b->options->many_shapes || has_many_shapes(b->one ? b->one->graph : g);
  if (b->one) {
    plans_as_one(b);
    return;
  }
  limit_code(b);
  choose_larger(b);
}
