/* inspect.c: the command inspect: what a model holds, and whether resnetcc would take it; or what a compiled
 * one says of itself. */
#include "tools.h"

/* The operators that resnetcc does not have. */
static void list_missing(Report *r) {
  const ModelSummary *m = &r->model;
  for (int i = 0; i < m->n_op; i++) {
    const ModelOperator *op = &m->op[i];
    if (op->refused) r->refusal[r->n_refusal++] = (ReportRefusal){op->node, op->name, op->refused};
  }
}

static const char *part_of(Context *cx, const Context *failed, ErrorPart part) {
  return part.n ? copy_bytes_as_text(cx, failed->error + part.at, (size_t)part.n) : NULL;
}

/* Goes as far as needs no target, in memory of its own; what ends it is one more refusal. */
static void try_front(Context *cx, const Options *opt, Report *r) {
  Context *own = alloc(cx, sizeof *own);
  *own = (Context){.file = cx->file, .max_memory = cx->max_memory, .arena = arena_new(cx->max_memory)};
  if (setjmp(own->unwind) == 0) {
    Graph *g = import_model(own, opt);
    front_run(g, NULL, NULL);
    r->symbolic = g->symbolic;
  } else {
    r->refusal[r->n_refusal++] = (ReportRefusal){
      part_of(cx, own, own->error_node), part_of(cx, own, own->error_op), part_of(cx, own, own->error_reason),
    };
  }
  arena_free(own->arena);
}

static void inspect_model_file(Context *cx, const ToolOptions *opt) {
  Report *r = alloc(cx, sizeof *r);
  *r = (Report){.cx = cx, .model = inspect_model(cx, opt->compile.input)};
  r->model.file = cx->file;
  r->refusal = alloc_n(cx, (size_t)r->model.n_op + 1, sizeof *r->refusal);
  list_missing(r);
  if (r->n_refusal == 0) try_front(cx, &opt->compile, r);
  if (opt->json) json_report(r, stdout);
  else print_model(r, stdout);
}

static int inspect_file(Context *cx, const ToolOptions *opt) {
  cx->file = input_name(&opt->compile);
  size_t size;
  void *data = file_map(cx, opt->compile.input, &size);
  if (is_elf(data, size)) inspect_compiled(cx, opt->json, data, size);
  else inspect_model_file(cx, opt);
  file_unmap(data, size);
  return 0;
}

int inspect(Context *cx, const ToolOptions *opt) { return work(cx, opt, inspect_file); }
