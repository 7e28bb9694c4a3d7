/* agreement.c: what verify found, as tables and as JSON. */
#include "tools.h"

#include <inttypes.h>

/* ==== tables ==== */

enum { SET_WIDTH = 20, NAME_WIDTH = 18, NODE_WIDTH = 28, ALGORITHM_WIDTH = 16, OP_WIDTH = 17 };

static const char *share(Context *cx, int64_t n, int64_t of) {
  return of ? format_text(cx, "%" PRId64 "/%" PRId64, n, of) : "";
}

static void print_place(const Report *r, const ReportOutput *o, FILE *f) {
  const char *index = "";
  int64_t left = o->at, below = shape_count(&o->shape);
  for (int i = 0; i < o->shape.rank; i++) {
    below /= o->shape.d[i];
    index = format_text(r->cx, "%s%s%" PRId64, index, i ? "," : "", left / below);
    left %= below;
  }
  fprintf(f, "  the worst: [%s] is %.9g, expected %.9g\n", index, o->got, o->want);
}

static void print_output(const Report *r, const char *set, const ReportOutput *o, FILE *f) {
  bool five = o->rows && o->shape.d[o->shape.rank == 1 ? 0 : 1] > 5;
  fprintf(f, "%-*s %-*s %9.1e %9.4g %6s %6s%s\n", SET_WIDTH, shortened(r->cx, set, SET_WIDTH), NAME_WIDTH,
          shortened(r->cx, o->name, NAME_WIDTH), o->error, o->ulp, share(r->cx, o->top1, o->rows),
          five ? share(r->cx, o->top5, o->rows) : "", o->agrees ? "" : "  no");
  if (!o->agrees) print_place(r, o, f);
}

static void print_nodes(const Report *r, FILE *f) {
  int first = 0;
  while (first < r->n_node && r->node[first].output.agrees) first++;
  if (first < r->n_node) {
    const ReportNode *n = &r->node[first];
    fprintf(f, "\nthe first that strays is node \"%s\" (%s)\n", printable_text(r->cx, n->node), n->op);
    print_place(r, &n->output, f);
  } else {
    fprintf(f, "\nno node strays from what the evaluator says\n");
  }
  fprintf(f, "\n%4s %-*s %-*s %-*s %9s\n", "", NODE_WIDTH, "node", OP_WIDTH, "operator", ALGORITHM_WIDTH, "algorithm", "max error");
  for (int i = 0; i < r->n_node; i++) {
    const ReportNode *n = &r->node[i];
    fprintf(f, "%4d %-*s %-*s %-*s %9.1e%s\n", i, NODE_WIDTH, shortened(r->cx, n->node, NODE_WIDTH), OP_WIDTH,
            shortened(r->cx, n->op, OP_WIDTH), ALGORITHM_WIDTH, shortened(r->cx, n->algorithm, ALGORITHM_WIDTH), n->output.error,
            n->output.agrees ? "" : " no");
  }
  fprintf(f, "\n");
}

void print_agreement(const Report *r, FILE *f) {
  fprintf(f, "max error: the largest difference, of the largest output; up to %g it agrees\n", r->rtol);
  fprintf(f, "max ulp: the most numbers of the output's type that lie between\n\n");
  fprintf(f, "%-*s %-*s %9s %9s %6s %6s\n", SET_WIDTH, "data set", NAME_WIDTH, "output", "max error", "max ulp", "top-1", "top-5");
  for (int i = 0; i < r->n_set; i++) {
    for (int k = 0; k < r->set[i].n_output; k++) print_output(r, path_base(r->set[i].path), &r->set[i].output[k], f);
  }
  if (r->n_node) print_nodes(r, f);
  fprintf(f, "%d of %d data sets agree\n", r->n_agree, r->n_set);
}

/* ==== JSON ==== */

static void put_output(const ReportOutput *o, FILE *f) {
  json_member_text("{", "name", o->name, f);
  json_member_text(", ", "type", o->type, f);
  json_member_shape(", ", &o->shape, f);
  json_member_number(", ", "max_error", o->error, f);
  json_member_number(", ", "max_ulp", o->ulp, f);
  if (o->rows) json_member_int(", ", "rows", o->rows, f);
  if (o->rows) json_member_int(", ", "top1", o->top1, f);
  if (o->rows) json_member_int(", ", "top5", o->top5, f);
  json_member_number(", ", "rtol", o->rtol, f);
  json_member_bool(", ", "agrees", o->agrees, f);
  fputc('}', f);
}

static void put_set(const ReportSet *s, FILE *f) {
  json_member_text("{", "path", s->path, f);
  json_member_bool(", ", "agrees", s->agrees, f);
  fputs(", \"outputs\": [", f);
  for (int i = 0; i < s->n_output; i++) {
    fputs(i ? ", " : "", f);
    put_output(&s->output[i], f);
  }
  fputs("]}", f);
}

static void put_node(const ReportNode *n, FILE *f) {
  json_member_text("{", "node", n->node, f);
  json_member_text(", ", "operator", n->op, f);
  json_member_text(", ", "algorithm", *n->algorithm ? n->algorithm : NULL, f);
  fputs(", \"output\": ", f);
  put_output(&n->output, f);
  fputc('}', f);
}

void json_agreement(const Report *r, FILE *f) {
  json_member_number(",\n \"verify\": {", "rtol", r->rtol, f);
  json_member_int(", ", "agree", r->n_agree, f);
  fputs(",\n  \"data_sets\": [", f);
  for (int i = 0; i < r->n_set; i++) {
    fputs(json_between_items(i), f);
    put_set(&r->set[i], f);
  }
  fputs("],\n  \"nodes\": [", f);
  for (int i = 0; i < r->n_node; i++) {
    fputs(json_between_items(i), f);
    put_node(&r->node[i], f);
  }
  fputs("]}", f);
}
