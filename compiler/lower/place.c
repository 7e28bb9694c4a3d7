/* place.c: offsets in the workspace. Storage that is in use at the same time must not meet. Largest first, each into the
 * lowest gap that the others alive leave it, is within a few per cent of the lower bound for networks; where so much is alive at
 * once that this would take long, the spans are gone through in the order of time instead. */
#include "lower.h"

#include <stdlib.h>

/* ==== largest first ==== */

typedef struct Tree {    /* over the spans in the order of their beginnings: who of those placed is alive in an interval? */
  Span **by_first;
  int n, leaves;         /* leaves: a power of two */
  int *last;             /* of the spans below a tree node, the latest end of one placed; -1: none is */
  Span **alive;          /* the answer */
  int count;
} Tree;

static int by_first(const void *a, const void *b) {
  const Span *x = *(Span *const *)a, *y = *(Span *const *)b;
  if (x->first != y->first) return x->first < y->first ? -1 : 1;
  return (x > y) - (x < y);
}

static int by_size(const void *a, const void *b) {
  const Span *x = *(Span *const *)a, *y = *(Span *const *)b;
  if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
  return (x > y) - (x < y);
}

static int by_offset(const void *a, const void *b) {
  const Span *x = *(Span *const *)a, *y = *(Span *const *)b;
  return (x->offset > y->offset) - (x->offset < y->offset);
}

static Span **sorted(Context *cx, Span *s, int n, int (*order)(const void *, const void *)) {
  Span **list = alloc_n(cx, (size_t)n + 1, sizeof *list);
  for (int i = 0; i < n; i++) list[i] = &s[i];
  qsort(list, (size_t)n, sizeof *list, order);
  return list;
}

static Tree tree_new(Context *cx, Span *s, int n) {
  Tree t = {.by_first = sorted(cx, s, n, by_first), .n = n, .leaves = 1};
  while (t.leaves < n) t.leaves *= 2;
  t.last = alloc_n(cx, 2 * (size_t)t.leaves, sizeof *t.last);
  for (int i = 0; i < 2 * t.leaves; i++) t.last[i] = -1;
  t.alive = alloc_n(cx, (size_t)n + 1, sizeof *t.alive);
  for (int i = 0; i < n; i++) t.by_first[i]->rank = i;
  return t;
}

static void tree_add(Tree *t, const Span *s) {
  for (int i = t->leaves + s->rank; i > 0 && t->last[i] < s->last; i /= 2) t->last[i] = s->last;
}

/* Adds to t->alive what is alive with s among the leaves [first, first + width) below `node`. */
static void tree_find(Tree *t, int node, int first, int width, const Span *s) {
  if (t->last[node] < s->first || first >= t->n || t->by_first[first]->first > s->last) return;
  if (width == 1) {
    t->alive[t->count++] = t->by_first[first];
    return;
  }
  tree_find(t, 2 * node, first, width / 2, s);
  tree_find(t, 2 * node + 1, first + width / 2, width / 2, s);
}

static int64_t lowest_gap(Tree *t, const Span *s) {
  t->count = 0;
  tree_find(t, 1, 0, t->leaves, s);
  qsort(t->alive, (size_t)t->count, sizeof *t->alive, by_offset);
  int64_t at = 0;
  for (int i = 0; i < t->count; i++) {
    int64_t begin = t->alive[i]->offset, end = size_round_up(size_add(begin, t->alive[i]->bytes), s->align);
    if (size_add(at, s->bytes) <= begin) break;
    if (end > at) at = end;
  }
  return at;
}

/* False: more than PLACE_MOST pairs are alive together. */
static bool place_by_size(Context *cx, Span *s, int n) {
  Tree t = tree_new(cx, s, n);
  Span **order = sorted(cx, s, n, by_size);
  int64_t pairs = 0;
  for (int i = 0; i < n; i++) {
    order[i]->offset = lowest_gap(&t, order[i]);
    tree_add(&t, order[i]);
    pairs += t.count;
    if (pairs > PLACE_MOST) return false;
  }
  return true;
}

/* ==== in the order of time ==== */

/* A treap (Seidel, Aragon: Randomized search trees, 1996) of the gaps by their place; index 0 is no gap. */
typedef struct Gap {
  int64_t begin, size, most; /* most: the largest size in the subtree */
  uint32_t priority;
  int left, right;
} Gap;

typedef struct Gaps {
  Gap *gap;
  int n, root;
  uint32_t random;
} Gaps;

static int gap_new(Gaps *g, int64_t begin, int64_t size) {
  g->random = g->random * 1664525u + 1013904223u; /* Knuth, TAOCP 3.3.4, table 1, line 16 */
  g->gap[++g->n] = (Gap){.begin = begin, .size = size, .most = size, .priority = g->random};
  return g->n;
}

static void gap_update(Gaps *g, int i) {
  Gap *x = &g->gap[i];
  int64_t left = g->gap[x->left].most, right = g->gap[x->right].most, most = left > right ? left : right;
  x->most = x->size > most ? x->size : most;
}

/* Those that begin before `at`, and the others. */
static void gap_split(Gaps *g, int i, int64_t at, int *before, int *others) {
  if (i == 0) {
    *before = *others = 0;
    return;
  }
  Gap *x = &g->gap[i];
  bool is_before = x->begin < at;
  if (is_before) gap_split(g, x->right, at, &x->right, others);
  else gap_split(g, x->left, at, before, &x->left);
  *(is_before ? before : others) = i;
  gap_update(g, i);
}

static int gap_join(Gaps *g, int a, int b) {
  if (a == 0 || b == 0) return a + b;
  bool a_above = g->gap[a].priority > g->gap[b].priority;
  int top = a_above ? a : b;
  if (a_above) g->gap[a].right = gap_join(g, g->gap[a].right, b);
  else g->gap[b].left = gap_join(g, a, g->gap[b].left);
  gap_update(g, top);
  return top;
}

static int last_gap(const Gaps *g, int i) {
  while (g->gap[i].right) i = g->gap[i].right;
  return i;
}

/* [begin, begin + size) becomes part of a gap. */
static void gap_free(Gaps *g, int64_t begin, int64_t size) {
  int before, others, next;
  gap_split(g, g->root, begin, &before, &others);
  gap_split(g, others, begin + size + 1, &next, &others); /* at most the one that begins where this ends */
  size += g->gap[next].size;
  int last = last_gap(g, before);
  if (last && g->gap[last].begin + g->gap[last].size == begin) {
    gap_split(g, before, g->gap[last].begin, &before, &last);
    begin = g->gap[last].begin;
    size += g->gap[last].size;
  }
  g->root = gap_join(g, gap_join(g, before, gap_new(g, begin, size)), others);
}

/* The lowest gap of at least that size. */
static int gap_find(const Gaps *g, int64_t size) {
  int i = g->root;
  for (;;) {
    const Gap *x = &g->gap[i];
    if (g->gap[x->left].most >= size) i = x->left;
    else if (x->size >= size) return i;
    else i = x->right;
  }
}

static int64_t gap_take(Gaps *g, const Span *s) {
  const Gap found = g->gap[gap_find(g, s->bytes + s->align - 1)];
  int64_t at = size_round_up(found.begin, s->align), end = at + s->bytes;
  int before, others, gone;
  gap_split(g, g->root, found.begin, &before, &others);
  gap_split(g, others, found.begin + 1, &gone, &others);
  if (at > found.begin) before = gap_join(g, before, gap_new(g, found.begin, at - found.begin));
  int64_t left = found.begin + found.size - end;
  if (left > 0) before = gap_join(g, before, gap_new(g, end, left));
  g->root = gap_join(g, before, others);
  return at;
}

static int by_last(const void *a, const void *b) {
  const Span *x = *(Span *const *)a, *y = *(Span *const *)b;
  if (x->last != y->last) return x->last < y->last ? -1 : 1;
  return (x > y) - (x < y);
}

static void place_by_time(Context *cx, Span *s, int n) {
  Span **begins = sorted(cx, s, n, by_first), **ends = sorted(cx, s, n, by_last);
  Gaps g = {.gap = alloc_n(cx, 3 * (size_t)n + 2, sizeof *g.gap)}; /* two for each that is taken, one for each freed */
  g.root = gap_new(&g, 0, INT64_MAX / 2);
  for (int i = 0, k = 0; i < n; i++) {
    for (; ends[k]->last < begins[i]->first; k++) {
      if (ends[k]->bytes > 0) gap_free(&g, ends[k]->offset, ends[k]->bytes);
    }
    begins[i]->offset = begins[i]->bytes > 0 ? gap_take(&g, begins[i]) : 0;
  }
}

int64_t place_spans(Context *cx, Span *s, int n) {
  int64_t size = 0, all = 0;
  for (int i = 0; i < n; i++) all = size_add(all, size_add(s[i].bytes, s[i].align));
  if (!place_by_size(cx, s, n)) {
    if (all > INT64_MAX / 4) fail(cx, "needs more workspace than there are addresses");
    place_by_time(cx, s, n);
  }
  for (int i = 0; i < n; i++) {
    int64_t end = size_add(s[i].offset, s[i].bytes);
    if (end > size) size = end;
  }
  return size;
}
