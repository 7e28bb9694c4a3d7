/* algorithm.c: the rows of kernels.def as a table. */
#include "lower.h"

#include "resnetcc_rt.h"

const Algorithm algorithms[] = {
#define KERNEL(name_, op_, x, w, y, needs, cycles, ...) \
  {.name = #name_, .op = OP_##op_, .input = T_##x, .weights = T_##w, .sum = T_##y, .features = (needs), \
   .plans = plans_##name_, .packed = packed_##name_, .pack = pack_##name_, .alike = alike_##name_, \
   .cost = (cycles), __VA_ARGS__},
#define PLANNED(name_, op_, x, w, y) \
  {.name = #name_, .op = OP_##op_, .input = T_##x, .weights = T_##w, .sum = T_##y, .plans = plans_##name_},
#define DENSE(name_, op_) {.name = #name_, .op = OP_##op_},
#include "kernels.def"
#undef KERNEL
#undef PLANNED
#undef DENSE
};
const int algorithm_count = COUNT(algorithms);

const Algorithm *dense_algorithm(Op op) {
  const Algorithm *a = algorithms;
  while (a->op != op || a->plans) {
    a++;
    assert(a < algorithms + algorithm_count);
  }
  return a;
}

uint64_t needed_features(const Build *b) {
  const uint64_t amx = RCC_CPU_AMX_TILE | RCC_CPU_AMX_INT8 | RCC_CPU_AMX_BF16;
  uint64_t used = b->group ? needed_features(b->group) & amx : 0;
  for (int i = 0; i < b->graph->n_node; i++) {
    const Plan *p = b->graph->node[i]->plan;
    if (p && p->how->features & amx) used |= p->how->features | RCC_CPU_AMX_TILE;
  }
  return (b->target->cpu_bits & ~amx) | used;
}
