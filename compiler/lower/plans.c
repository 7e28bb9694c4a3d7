/* plans.c: plans, whatever their algorithm. */
#include "lower.h"

Plan *plans_add(Plans *list) {
  assert(list->n < MAX_CANDIDATES);
  return &list->plan[list->n++];
}

bool is_packed(const Node *n) { return n->plan && n->plan->how->pack; }
