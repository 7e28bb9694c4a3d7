/* build.c: one compilation of one graph: the front, and for each target a build of its own. */
#include "compile.h"

static void run_group(Build *group, const Pass *p, const Options *opt) {
  p->back(group);
  if (opt->verify) verify(group->graph, p->name);
}

/* `b` is NULL: the passes of the front. */
static void run(Graph *g, Build *b, const Options *opt, AfterPass *after, void *data) {
  for (const Pass *p = pass_list; p < pass_list + pass_count; p++) {
    if (!p->back == (b != NULL)) continue;
    if (b) p->back(b);
    else p->front(g);
    if (b && b->group) run_group(b->group, p, opt);
    if (opt->verify) verify(g, p->name);
    if (after) after(data, g, p);
  }
}

void front_run(Graph *g, AfterPass *after, void *data) { run(g, NULL, g->opt, after, data); }

Build *build_new(Graph *g, const Options *opt, const Target *t) {
  Build *b = alloc(g->cx, sizeof *b);
  b->graph = g;
  b->options = opt;
  b->target = t;
  return b;
}

void build_run(Build *b, AfterPass *after, void *data) {
  b->group = group_new(b);
  run(b->graph, b, b->options, after, data);
}

Context *build_use(Build *b, Context *cx) {
  Context *before = b->graph->cx;
  b->graph->cx = cx;
  if (b->group) b->group->graph->cx = cx;
  return before;
}
