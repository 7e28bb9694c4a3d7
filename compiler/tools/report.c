/* report.c: --report and --why: what a compilation decided. */
#include "tools.h"

#include <inttypes.h>

static const char *place_name(const Value *v) {
  static const char *const names[] = {"-", "input", "output", "workspace", "weights", "shared"};
  return names[v->place];
}

void plan_report(const Build *b, FILE *f) {
  const Graph *g = b->graph;
  fprintf(f, "weights %lld bytes, workspace %lld bytes, scratch %lld bytes a thread\n", (long long)b->weights_size,
          (long long)b->work_size, (long long)b->scratch_size);
  if (b->once_size) fprintf(f, "shared by all images %lld bytes, made by %d nodes\n", (long long)b->once_size, b->n_once);
  fprintf(f, "%-10s %12s %12s %-6s %-14s %-24s %s\n", "place", "offset", "bytes", "layout", "halo", "shape", "value");
  for (int i = 0; i < g->n_value; i++) {
    const Value *v = g->value[i];
    if (v->place == P_NONE || v->place == P_CONST) continue;
    const Layout *l = &v->layout;
    const char *halo = format_text(g->cx, "%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64, l->top, l->left, l->bottom, l->right);
    char block[16] = "plain";
    if (v->layout.block) snprintf(block, sizeof block, "C/%d", v->layout.block);
    fprintf(f, "%-10s %12lld %12lld %-6s %-14s %-24s %s%s%s\n", place_name(v), (long long)(v->offset + v->alias_offset),
            (long long)(v->layout.size * (int64_t)type_size(v->type)), block, halo, shape_text(g->cx, &v->shape), v->name,
            v->alias ? " = " : "", v->alias ? v->alias->name : "");
  }
}

void select_report(const Build *b, FILE *f) {
  Graph *g = b->graph;
  fprintf(f, "  %-28s %9s %-9s  %-30s %s\n", "algorithm", "ms", "", "shape", "node");
  for (int i = 0; i < g->n_node; i++) {
    const Node *n = g->node[i];
    const Candidates *list = n->candidates;
    for (int k = 0; list && k < list->n; k++) {
      const Candidate *c = &list->item[k];
      fprintf(f, "%c %-28s %9.4f %-9s  %-30s %s\n", k == list->chosen ? '*' : ' ', c->name, c->ms,
              c->measured ? "measured" : "estimated", layer_text(g, n), n->name);
    }
  }
}
