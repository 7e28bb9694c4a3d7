/* print.c: the graph as text; see parse.c. The comments in it give types, shapes and layouts, and a checksum where a
 * constant's elements are left out. */
#include "graph.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_ELEMENTS = 16 };

typedef struct Printer {
  Graph *g;
  Buffer *out;
  const char **name; /* by value id, each different */
} Printer;

static int by_name(const void *a, const void *b) {
  const Value *x = *(Value *const *)a, *y = *(Value *const *)b;
  int order = strcmp(x->name ? x->name : "", y->name ? y->name : "");
  return order ? order : (x->id > y->id) - (x->id < y->id);
}

/* Passes reuse names for what they make; the copies get .2, .3 and so on behind. */
static void choose_names(Printer *p) {
  Graph *g = p->g;
  Value **sorted = alloc_n(g->cx, (size_t)g->n_value, sizeof *sorted);
  p->name = alloc_n(g->cx, (size_t)g->n_value, sizeof *p->name);
  for (int i = 0; i < g->n_value; i++) {
    sorted[i] = g->value[i];
    assert(sorted[i]->id == i);
  }
  qsort(sorted, (size_t)g->n_value, sizeof *sorted, by_name);
  int copies = 1;
  for (int i = 0; i < g->n_value; i++) {
    const Value *v = sorted[i];
    const char *name = v->name && *v->name ? v->name : "v";
    copies = i && strcmp(name, sorted[i - 1]->name ? sorted[i - 1]->name : "v") == 0 ? copies + 1 : 1;
    p->name[v->id] = copies == 1 ? name : format_text(g->cx, "%s.%d", name, copies);
  }
}

static void print_quoted(Buffer *out, const char *s) {
  buffer_add(out, "\"", 1);
  for (; *s; s++) {
    if (*s == '"' || *s == '\\') buffer_printf(out, "\\%c", *s);
    else if ((unsigned char)*s < 0x20 || *s == 0x7f) buffer_printf(out, "\\x%02x", (unsigned char)*s);
    else buffer_add(out, s, 1);
  }
  buffer_add(out, "\"", 1);
}

static void print_name(Buffer *out, const char *s) {
  size_t n = 0;
  while (is_word_char(s[n])) n++;
  if (s[n] || n == 0 || strcmp(s, "_") == 0) print_quoted(out, s);
  else buffer_add(out, s, n);
}

static void print_value(Printer *p, const Value *v) {
  if (v) print_name(p->out, p->name[v->id]);
  else buffer_printf(p->out, "_");
}

static void print_values(Printer *p, Value *const *v, int n) {
  for (int i = 0; i < n; i++) {
    if (i) buffer_printf(p->out, ", ");
    print_value(p, v[i]);
  }
}

/* The shorter of two forms that give the float back; nine digits always do. */
static void print_short(Buffer *out, float f) {
  char text[40];
  snprintf(text, sizeof text, "%.6g", (double)f);
  if (strtof(text, NULL) != f) snprintf(text, sizeof text, "%.9g", (double)f);
  buffer_printf(out, "%s", text);
}

/* With a point or an exponent, so that it reads as a float. */
static void print_float(Buffer *out, float f) {
  size_t start = out->size;
  print_short(out, f);
  if (!strpbrk(out->data + start, ".en")) buffer_printf(out, ".0");
}

static void print_int(Buffer *out, int64_t v, bool symbolic) {
  if (symbolic && v == 1) buffer_printf(out, "N");
  else buffer_printf(out, symbolic ? "%lldN" : "%lld", (long long)v);
}

static void print_element(Buffer *out, const Value *v, int64_t i) {
  Number x = get_number(v->type, v->data, i);
  if (v->type == T_F64) buffer_printf(out, "%.17g", x.f);
  else if (type_is_float(v->type)) print_short(out, (float)x.f);
  else print_int(out, x.i, v->sym && v->sym[i]);
}

static uint32_t checksum(const void *data, size_t n) {
  uint64_t h = hash_bytes(0, data, n);
  return (uint32_t)(h ^ h >> 32);
}

static void print_elements(Printer *p, const Value *v) {
  int64_t n = shape_count(&v->shape);
  if (n > SHOWN_ELEMENTS) {
    buffer_printf(p->out, "... # %08x", checksum(v->data, (size_t)n * type_size(v->type)));
    return;
  }
  buffer_printf(p->out, "{");
  for (int64_t i = 0; i < n; i++) {
    if (i) buffer_printf(p->out, ", ");
    print_element(p->out, v, i);
  }
  buffer_printf(p->out, "}");
}

static void print_attr(Printer *p, const Attr *a) {
  buffer_printf(p->out, " ");
  print_name(p->out, a->name);
  buffer_printf(p->out, "=");
  switch (a->kind) {
  case A_INT: buffer_printf(p->out, "%lld", (long long)a->i); return;
  case A_FLOAT: print_float(p->out, a->f); return;
  case A_STRING: print_quoted(p->out, a->s); return;
  case A_TENSOR: buffer_printf(p->out, "&"); print_value(p, a->tensor); return;
  case A_INTS: case A_FLOATS: break;
  }
  buffer_printf(p->out, "[");
  for (int i = 0; i < a->n; i++) {
    if (i) buffer_printf(p->out, ",");
    if (a->kind == A_INTS) buffer_printf(p->out, "%lld", (long long)a->ints[i]);
    else print_float(p->out, a->floats[i]);
  }
  buffer_printf(p->out, "]");
}

/* The argument and the numbers, of which as many are shown as are needed, but two where there is one. */
static void print_operands(Buffer *out, const Step *s) {
  const float number[] = {s->a, s->b, s->c, s->d, s->e};
  int n = s->e != 0 ? 5 : s->d != 0 ? 4 : s->c != 0 ? 3 : s->a != 0 || s->b != 0 ? 2 : 0;
  if (s->arg < 0 && n == 0) return;
  buffer_printf(out, "(");
  if (s->arg >= 0) buffer_printf(out, n ? "@%d, " : "@%d", s->arg);
  for (int i = 0; i < n; i++) {
    if (i) buffer_printf(out, ", ");
    print_short(out, number[i]);
  }
  buffer_printf(out, ")");
}

static void print_step(Buffer *out, const Step *s) {
  buffer_printf(out, " | %s%s", s->swap ? "~" : "", op_info[s->op].name);
  print_operands(out, s);
  if (s->type) buffer_printf(out, " %s", type_name(s->type));
}

static void print_type(Printer *p, const Value *v) {
  buffer_printf(p->out, " %s %s", type_name(v->type), shape_text(p->g->cx, &v->shape));
}

static void print_result(Printer *p, const Value *v) {
  if (!v || v->type == T_NONE) return;
  buffer_printf(p->out, " #");
  print_type(p, v);
  const Layout *l = &v->layout;
  if (l->block) buffer_printf(p->out, " block %d", l->block);
  if (l->top || l->left || l->bottom || l->right)
    buffer_printf(p->out, " halo %lld,%lld,%lld,%lld", (long long)l->top, (long long)l->left, (long long)l->bottom,
                  (long long)l->right);
  if (l->fill) buffer_printf(p->out, " of 0x%llx", (unsigned long long)l->fill);
}

static void print_node(Printer *p, const Node *n) {
  print_values(p, n->out, n->n_out);
  buffer_printf(p->out, " = %s(", op_info[n->op].name);
  print_values(p, n->in, n->n_in);
  buffer_printf(p->out, ")");
  for (int i = 0; i < n->n_attr; i++) print_attr(p, &n->attr[i]);
  for (int i = 0; i < n->n_step; i++) print_step(p->out, &n->step[i]);
  if (n->n_out) print_result(p, n->out[0]);
  buffer_printf(p->out, "\n");
}

void text_print(Graph *g, Buffer *out) {
  Printer p = {.g = g, .out = out};
  choose_names(&p);
  buffer_printf(out, "graph ");
  print_name(out, g->name);
  buffer_printf(out, "\n");
  for (int i = 0; i < g->n_input; i++) {
    buffer_printf(out, "input ");
    print_value(&p, g->input[i]);
    print_type(&p, g->input[i]);
    buffer_printf(out, "\n");
  }
  for (int i = 0; i < g->n_value; i++) {
    const Value *v = g->value[i];
    if (!v->data || v->def) continue;
    buffer_printf(out, "const ");
    print_value(&p, v);
    print_type(&p, v);
    buffer_printf(out, " = ");
    print_elements(&p, v);
    buffer_printf(out, "\n");
  }
  for (int i = 0; i < g->n_node; i++)
    if (!g->node[i]->dead) print_node(&p, g->node[i]);
  for (int i = 0; i < g->n_output; i++) {
    buffer_printf(out, "output ");
    print_value(&p, g->output[i]);
    buffer_printf(out, "\n");
  }
}
