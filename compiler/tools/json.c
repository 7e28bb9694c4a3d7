/* json.c: a report, or an error, as one object of JSON. */
#include "tools.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ==== the model ==== */

static void put_dims(const ModelTensor *t, FILE *f) {
  if (t->rank < 0) {
    fputs("null", f);
    return;
  }
  fputc('[', f);
  for (int i = 0; i < t->rank; i++) {
    const char *d = t->dim[i];
    if (i) fputs(", ", f);
    if (strcmp(d, "?") == 0) fputs("null", f);
    else if (*d && d[strspn(d, "0123456789")] == '\0') fputs(d, f);
    else json_string(d, f);
  }
  fputc(']', f);
}

static void put_tensors(const char *name, const ModelTensor *t, int n, FILE *f) {
  fprintf(f, ",\n   \"%s\": [", name);
  for (int i = 0; i < n; i++) {
    json_member_text(i ? ",\n    {" : "\n    {", "name", t[i].name, f);
    json_member_text(", ", "type", t[i].type, f);
    fputs(", \"shape\": ", f);
    put_dims(&t[i], f);
    fputc('}', f);
  }
  fputc(']', f);
}

static void put_model(const ModelSummary *m, FILE *f) {
  fputs("{", f);
  json_member_text("", "file", m->file, f);
  json_member_int(", ", "opset", m->opset, f);
  put_tensors("inputs", m->input, m->n_input, f);
  put_tensors("outputs", m->output, m->n_output, f);
  fputc('}', f);
}

static void put_operators(const ModelSummary *m, FILE *f) {
  fputs(",\n \"operators\": [", f);
  for (int i = 0; i < m->n_op; i++) {
    fputs(json_between_items(i), f);
    json_member_text("{", "name", m->op[i].name, f);
    json_member_int(", ", "count", m->op[i].count, f);
    json_member_text(", ", "node", m->op[i].node, f);
    json_member_text(", ", "refused", m->op[i].refused, f);
    fputc('}', f);
  }
  fputc(']', f);
}

static void put_refusals(const Report *r, FILE *f) {
  fputs(",\n \"refused\": [", f);
  for (int i = 0; i < r->n_refusal; i++) {
    fputs(json_between_items(i), f);
    json_member_text("{", "node", r->refusal[i].node, f);
    json_member_text(", ", "op", r->refusal[i].op, f);
    json_member_text(", ", "reason", r->refusal[i].reason, f);
    fputc('}', f);
  }
  fputc(']', f);
}

static void put_inspection(const Report *r, FILE *f) {
  const ModelSummary *m = &r->model;
  json_member_int(",\n ", "ir", m->ir, f);
  json_member_text(", ", "producer", m->producer, f);
  json_member_bool(", ", "symbolic_batch", r->symbolic, f);
  json_member_int(",\n ", "nodes", m->n_node, f);
  json_member_int(", ", "parameters", m->parameters, f);
  json_member_int(", ", "bytes", m->bytes, f);
  put_operators(m, f);
  put_refusals(r, f);
}

/* ==== the code ==== */

static void put_candidates(const ReportLayer *l, FILE *f) {
  fputs(", \"candidates\": [", f);
  for (int i = 0; i < l->n_candidate; i++) {
    const ReportCandidate *c = &l->candidate[i];
    json_member_text(i ? ", {" : "{", "name", c->name, f);
    json_member_number(", ", "ms", c->ms, f);
    json_member_bool(", ", "measured", c->measured, f);
    json_member_bool(", ", "chosen", c->chosen, f);
    fputc('}', f);
  }
  fputc(']', f);
}

static void put_layer(const Report *r, const ReportLayer *l, FILE *f) {
  json_member_text("{", "node", l->node, f);
  json_member_text(", ", "operator", l->op, f);
  json_member_text(", ", "algorithm", *l->algorithm ? l->algorithm : NULL, f);
  json_member_text(", ", "what", l->what, f);
  json_member_text(", ", "type", l->type, f);
  json_member_shape(", ", &l->shape, f);
  json_member_int(", ", "phases", l->phases, f);
  json_member_number(", ", "gflop", l->gflop, f);
  json_member_int(", ", "bytes", (int64_t)l->bytes, f);
  if (r->runs) json_member_number(", ", "ms", l->seconds * 1e3, f);
  if (l->checked) json_member_number(", ", "error", l->error, f);
  if (l->checked) json_member_number(", ", "fp32_error", l->fp32_error, f);
  if (l->symbol) json_member_text(", ", "symbol", l->symbol, f);
  json_member_texts(", ", "inputs", l->input, l->n_input, f);
  json_member_texts(", ", "outputs", l->output, l->n_output, f);
  if (l->n_step) json_member_texts(", ", "steps", l->step, l->n_step, f);
  if (l->original > 0) json_member_int(", ", "weights", (int64_t)l->original, f);
  if (l->original > 0) json_member_int(", ", "packed", (int64_t)l->packed, f);
  if (l->candidate) put_candidates(l, f);
  fputc('}', f);
}

static void put_buffer(const ReportBuffer *b, FILE *f) {
  json_member_text("{", "value", b->value, f);
  json_member_text(", ", "place", b->place, f);
  json_member_int(", ", "offset", b->offset, f);
  json_member_int(", ", "bytes", b->bytes, f);
  json_member_text(", ", "type", b->type, f);
  json_member_shape(", ", &b->shape, f);
  json_member_int(", ", "block", b->block, f);
  fprintf(f, ", \"halo\": [%" PRId64 ", %" PRId64 ", %" PRId64 ", %" PRId64 "]", b->top, b->left, b->bottom, b->right);
  json_member_text(", ", "alias", b->alias, f);
  json_member_int(", ", "first", b->first, f);
  json_member_int(", ", "last", b->last, f);
  fputc('}', f);
}

static void put_kernels(const Report *r, FILE *f) {
  fputs(",\n \"kernels\": [", f);
  for (int i = 0; i < r->n_kernel; i++) {
    fputs(json_between_items(i), f);
    json_member_text("{", "symbol", r->kernel[i].symbol, f);
    json_member_text(", ", "key", r->kernel[i].key, f);
    fputc('}', f);
  }
  fputc(']', f);
}

static void put_imported(const Report *r, FILE *f) {
  fputs(",\n \"imported\": [", f);
  for (int i = 0; i < r->n_imported; i++) {
    const ReportImported *n = &r->imported[i];
    fputs(json_between_items(i), f);
    json_member_text("{", "node", n->node, f);
    json_member_text(", ", "operator", n->op, f);
    json_member_text(", ", "what", n->what, f);
    json_member_texts(", ", "inputs", n->input, n->n_input, f);
    json_member_texts(", ", "outputs", n->output, n->n_output, f);
    json_member_text(", ", "pass", n->pass, f);
    if (n->layer >= 0) json_member_int(", ", "layer", n->layer, f);
    json_member_text(", ", "fate", n->fate, f);
    fputc('}', f);
  }
  fputc(']', f);
}

static void put_sizes(const Report *r, FILE *f) {
  json_member_int("{", "weights", r->weights, f);
  json_member_int(", ", "workspace", r->workspace, f);
  json_member_int(", ", "scratch", r->scratch, f);
  json_member_int(", ", "once", r->once, f);
  fputc('}', f);
}

static void put_floats(const Report *r, FILE *f) {
  fputs(",\n \"in_fp32\": [", f);
  for (int i = 0; i < r->n_in_fp32; i++) {
    json_member_text(i ? ",\n  {" : "\n  {", "node", r->in_fp32[i].node, f);
    json_member_text(", ", "operator", op_info[r->in_fp32[i].op].name, f);
    json_member_text(", ", "reason", r->in_fp32[i].reason, f);
    fputc('}', f);
  }
  fputc(']', f);
}

static void put_code(const Report *r, FILE *f) {
  fputs(",\n \"target\": {", f);
  json_member_text("", "triple", r->triple, f);
  json_member_text(", ", "cpu", r->cpu, f);
  json_member_int(", ", "lanes", r->lanes, f);
  fputs("},\n \"sizes\": ", f);
  put_sizes(r, f);
  fputs(",\n \"layers\": [", f);
  for (int i = 0; i < r->n_layer; i++) {
    fputs(json_between_items(i), f);
    put_layer(r, &r->layer[i], f);
  }
  fputs("],\n \"buffers\": [", f);
  for (int i = 0; i < r->n_buffer; i++) {
    fputs(json_between_items(i), f);
    put_buffer(&r->buffer[i], f);
  }
  fputs("]", f);
  put_kernels(r, f);
  if (r->n_in_fp32) put_floats(r, f);
}

static void put_accuracy(const Report *r, FILE *f) {
  json_member_int(",\n \"accuracy\": {", "samples", r->samples, f);
  json_member_text(", ", "not_measured", r->unchecked, f);
  fputc('}', f);
}

static void put_profile(const Report *r, FILE *f) {
  json_member_int(",\n \"profile\": {", "runs", r->runs, f);
  json_member_int(", ", "threads", r->threads, f);
  json_member_number(", ", "peak_gflops", r->peak, f);
  json_member_number(", ", "bandwidth_gbs", r->bandwidth, f);
  if (r->in_strips > 0) json_member_number(", ", "in_strips_ms", 1e3 * r->in_strips, f);
  if (r->n_strip) fputs(", \"strips\": [", f);
  for (int i = 0; i < r->n_strip; i++) fprintf(f, "%s[%d, %d]", i ? ", " : "", r->strip[i].first, r->strip[i].last);
  if (r->n_strip) fputc(']', f);
  fputc('}', f);
}

void json_report(const Report *r, FILE *f) {
  json_member_text("{", "format", REPORT_FORMAT, f);
  fputs(",\n \"model\": ", f);
  put_model(&r->model, f);
  if (r->runs) json_member_number(",\n ", "total_ms", 1e3 * report_seconds(r), f);
  if (r->triple) put_code(r, f);
  else if (!r->n_set && !r->n_bench) put_inspection(r, f);
  if (r->n_set) json_agreement(r, f);
  if (r->n_bench) json_bench(r, f);
  if (r->n_imported) put_imported(r, f);
  if (r->samples) put_accuracy(r, f);
  if (r->runs) put_profile(r, f);
  fputs("}\n", f);
}

void json_add_report(const Report *r, Buffer *out) {
  char *text = NULL;
  size_t size = 0;
  FILE *f = open_memstream(&text, &size);
  if (!f) out_of_memory();
  json_report(r, f);
  if (fclose(f) != 0) out_of_memory();
  buffer_add(out, text, size);
  free(text);
}

/* ==== errors ==== */

static void member_part(const char *between, const char *name, const ReportError *e, ErrorPart part, FILE *f) {
  fprintf(f, "%s\"%s\": ", between, name);
  if (part.n) json_text(e->line + part.at, (size_t)part.n, f);
  else fputs("null", f);
}

static void put_error(const ReportError *e, FILE *f) {
  member_part("{", "file", e, e->file, f);
  member_part(", ", "node", e, e->node, f);
  member_part(", ", "op", e, e->op, f);
  member_part(", ", "reason", e, e->reason, f);
  fputc('}', f);
}

void json_error(const ReportError *e, FILE *f) {
  fputs("{\"error\": ", f);
  put_error(e, f);
  fputs("}\n", f);
}
