/* parse.c: the graph from text; the grammar is in graph.h. A name of other characters than letters, digits and
 * _./:+- stands in quotes, a # begins a comment. */
#include "graph.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_RESULTS = 64 };

bool is_word_char(char c) {
  return isalnum((unsigned char)c) || (c && strchr("_./:+-", c));
}

/* ---- tokens: words, quoted strings, single other characters; a line's end is one too ---- */

typedef enum Token { TOK_END, TOK_NEWLINE, TOK_WORD, TOK_QUOTED, TOK_CHAR } Token;

typedef struct Parser {
  Context *cx;
  Graph *g;
  Map names;      /* of values */
  const char *at; /* behind the current token */
  int line;
  Token token;
  const char *text; /* of a word or a quoted string */
  char c;           /* of a TOK_CHAR */
} Parser;

static _Noreturn void wrong(Parser *p, const char *what) {
  if (p->token == TOK_WORD || p->token == TOK_QUOTED)
    fail(p->cx, "line %d: %s at \"%s\"", p->line, what, p->text);
  if (p->token == TOK_CHAR) fail(p->cx, "line %d: %s at \"%c\"", p->line, what, p->c);
  fail(p->cx, "line %d: %s at the end of the line", p->line, what);
}

/* Where the token at fault has been passed. */
static _Noreturn void fail_line(Parser *p, const char *what) {
  fail(p->cx, "line %d: %s", p->line, what);
}

static char escaped_char(Parser *p) {
  if (p->at[0] != 'x') return *p->at++;
  if (!isxdigit((unsigned char)p->at[1]) || !isxdigit((unsigned char)p->at[2])) wrong(p, "bad escape");
  char hex[3] = {p->at[1], p->at[2], 0};
  p->at += 3;
  return (char)strtol(hex, NULL, 16);
}

static void next_quoted(Parser *p) {
  char *s = alloc(p->cx, strcspn(p->at, "\n") + 1), *out = s;
  while (*p->at != '"') {
    if (*p->at == '\0' || *p->at == '\n') fail(p->cx, "line %d: a quote is not closed", p->line);
    char c = *p->at++;
    *out++ = c == '\\' && *p->at && *p->at != '\n' ? escaped_char(p) : c;
  }
  p->at++;
  p->token = TOK_QUOTED;
  p->text = s;
}

static void next(Parser *p) {
  if (p->token == TOK_NEWLINE) p->line++;
  while (*p->at == ' ' || *p->at == '\t' || *p->at == '\r') p->at++;
  if (*p->at == '#') p->at += strcspn(p->at, "\n");
  p->c = *p->at;
  if (p->c == '\0') {
    p->token = TOK_END;
  } else if (is_word_char(p->c)) {
    const char *start = p->at;
    while (is_word_char(*p->at)) p->at++;
    p->token = TOK_WORD;
    p->text = copy_bytes_as_text(p->cx, start, (size_t)(p->at - start));
  } else {
    p->at++;
    p->token = p->c == '\n' ? TOK_NEWLINE : TOK_CHAR;
    if (p->c == '"') next_quoted(p);
  }
}

static bool is_char(const Parser *p, char c) {
  return p->token == TOK_CHAR && p->c == c;
}

static bool accept(Parser *p, char c) {
  if (!is_char(p, c)) return false;
  next(p);
  return true;
}

static void expect(Parser *p, char c) {
  char what[] = "' ' expected";
  what[1] = c;
  if (!accept(p, c)) wrong(p, what);
}

static bool is_word(const Parser *p, const char *s) {
  return p->token == TOK_WORD && strcmp(p->text, s) == 0;
}

/* A name, quoted or not. */
static const char *parse_name(Parser *p) {
  if (p->token != TOK_WORD && p->token != TOK_QUOTED) wrong(p, "a name is expected");
  const char *s = p->text;
  next(p);
  return s;
}

/* ---- numbers, types, shapes ---- */

typedef struct Literal {
  int64_t i;
  double f;
  bool is_int, symbolic; /* symbolic: i times the batch */
} Literal;

static Literal parse_number(Parser *p) {
  if (p->token != TOK_WORD) wrong(p, "a number is expected");
  Literal n = {0};
  char *end;
  errno = 0;
  n.i = strtoll(p->text, &end, 10);
  n.symbolic = strcmp(end, "N") == 0;
  if (n.symbolic && end == p->text) n.i = 1;
  n.is_int = n.symbolic || !*end;
  if (n.is_int && errno) wrong(p, "a number is expected");
  n.f = strtod(p->text, &end); /* of whole numbers too, for -0 */
  if (!n.is_int && (*end || end == p->text)) wrong(p, "a number is expected");
  next(p);
  return n;
}

static int64_t parse_int(Parser *p) {
  Literal n = parse_number(p);
  if (!n.is_int || n.symbolic) fail_line(p, "a whole number is expected");
  return n.i;
}

static Type parse_type(Parser *p) {
  const char *name = parse_name(p);
  for (int t = T_F32; t <= T_I4; t++)
    if (strcmp(name, type_name(t)) == 0 && type_size(t)) return t;
  fail(p->cx, "line %d: \"%s\" is no type", p->line, name);
}

static Shape parse_shape(Parser *p) {
  Shape s = {0};
  expect(p, '[');
  while (!accept(p, ']')) {
    if (s.rank) expect(p, ',');
    if (s.rank == MAX_RANK) wrong(p, "too many dimensions");
    Literal n = parse_number(p);
    if (!n.is_int || n.i < 0) fail_line(p, "a dimension is expected");
    if (n.symbolic) p->g->symbolic = true;
    s.d[s.rank++] = n.symbolic ? -n.i : n.i;
  }
  return s;
}

/* ---- values ---- */

static Value *find_value(Parser *p, const char *name) {
  return map_get(&p->names, name);
}

static const char *parse_new_name(Parser *p) {
  const char *name = parse_name(p);
  if (find_value(p, name)) fail(p->cx, "line %d: \"%s\" is defined twice", p->line, name);
  return name;
}

/* NULL for `_`, a value left out. */
static Value *parse_value(Parser *p) {
  bool none = is_word(p, "_");
  const char *name = parse_name(p);
  Value *v = find_value(p, name);
  if (!v && !none) fail(p->cx, "line %d: \"%s\" is not defined", p->line, name);
  return none ? NULL : v;
}

static Value **append_value(Parser *p, Value **list, int *n, Value *v) {
  Value **longer = alloc_extended(p->cx, list, *n, sizeof *longer);
  longer[(*n)++] = v;
  return longer;
}

/* ---- constants ---- */

/* An integer element may be written as a float. */
static int64_t whole_number(Literal n) {
  if (n.is_int) return n.i;
  double below = floor(n.f);
  return below >= -0x1p63 && below < 0x1p63 ? (int64_t)below : 0;
}

static void set_element(Type t, void *data, int64_t i, Literal n) {
  int64_t v = whole_number(n);
  if (type_is_float(t)) put_number(t, data, i, (Number){.f = n.f});
  else put_number(t, data, i, (Number){.i = t == T_BOOL ? v != 0 : v});
}

static void parse_random(Parser *p, Type t, void *data, int64_t count) {
  next(p);
  uint64_t state = (uint64_t)parse_int(p);
  double lo = parse_number(p).f, hi = parse_number(p).f;
  for (int64_t i = 0; i < count; i++)
    set_element(t, data, i, (Literal){.f = lo + (hi - lo) * random_unit(&state)});
}

static void parse_list(Parser *p, Value *v, void *data, int64_t count) {
  bool *sym = NULL;
  expect(p, '{');
  for (int64_t i = 0; i < count; i++) {
    if (i) expect(p, ',');
    Literal n = parse_number(p);
    set_element(v->type, data, i, n);
    if (!n.symbolic) continue;
    if (!sym) v->sym = sym = alloc_n(p->cx, (size_t)count, sizeof *sym);
    sym[i] = true;
  }
  expect(p, '}');
}

static void parse_const(Parser *p) {
  const char *name = parse_new_name(p);
  Type type = parse_type(p);
  Shape shape = parse_shape(p);
  if (shape_is_symbolic(&shape)) fail_line(p, "a constant's shape must be known");
  int64_t count = shape_count(&shape);
  void *data = alloc_n(p->cx, (size_t)count, type_size(type));
  Value *v = value_const(p->g, name, type, shape, data);
  map_put(p->cx, &p->names, name, v);
  expect(p, '=');
  if (is_word(p, "random")) {
    parse_random(p, type, data, count);
  } else if (is_word(p, "splat")) {
    next(p);
    Literal n = parse_number(p);
    for (int64_t i = 0; i < count; i++) set_element(type, data, i, n);
  } else {
    parse_list(p, v, data, count);
  }
}

/* ---- nodes ---- */

static void parse_attr_list(Parser *p, Attr *a) {
  int cap = 0;
  for (const char *s = p->at; *s && *s != '\n' && *s != ']'; s++) cap += *s == ',';
  int64_t *ints = alloc_n(p->cx, (size_t)cap + 2, sizeof *ints);
  float *floats = alloc_n(p->cx, (size_t)cap + 2, sizeof *floats);
  a->kind = A_INTS;
  expect(p, '[');
  while (!accept(p, ']')) {
    if (a->n) expect(p, ',');
    Literal n = parse_number(p);
    if (!n.is_int) a->kind = A_FLOATS;
    ints[a->n] = n.i;
    floats[a->n++] = (float)n.f;
  }
  if (a->kind == A_INTS) a->ints = ints;
  else a->floats = floats;
}

/* A float may be written without a point. */
static void convert_attr(Parser *p, const Node *n, Attr *a) {
  AttrKind expected;
  if (!attr_expected(n->op, a->name, &expected) || a->kind == expected) return;
  if (a->kind != A_INT || expected != A_FLOAT)
    fail(p->cx, "line %d: the attribute %s is %s; %s takes %s", p->line, a->name, attr_kind_name(a->kind),
         op_info[n->op].name, attr_kind_name(expected));
  a->kind = A_FLOAT;
  a->f = (float)a->i;
}

static void parse_attr(Parser *p, Node *n) {
  Attr a = {.name = parse_name(p)};
  expect(p, '=');
  if (p->token == TOK_QUOTED) {
    a.kind = A_STRING;
    a.s = parse_name(p);
  } else if (is_char(p, '[')) {
    parse_attr_list(p, &a);
  } else if (accept(p, '&')) {
    a.kind = A_TENSOR;
    a.tensor = parse_value(p);
    if (!a.tensor || !a.tensor->data) fail_line(p, "a constant is expected");
  } else {
    Literal v = parse_number(p);
    a.kind = v.is_int ? A_INT : A_FLOAT;
    if (v.is_int) a.i = v.i;
    else a.f = (float)v.f;
  }
  convert_attr(p, n, &a);
  if (attr_find(n, a.name)) fail(p->cx, "line %d: the attribute %s is given twice", p->line, a.name);
  n->attr = alloc_extended(p->cx, n->attr, n->n_attr, sizeof *n->attr);
  n->attr[n->n_attr++] = a;
}

static Op parse_op(Parser *p) {
  const char *name = parse_name(p);
  Op op = op_find(NULL, name);
  if (op == OP_NONE) fail(p->cx, "line %d: \"%s\" is no operator", p->line, name);
  return op;
}

static int parse_step_arg(Parser *p, const Node *n) {
  int64_t arg = parse_int(p);
  if (arg < 0 || arg >= n->n_in || !n->in[arg]) fail_line(p, "the step's argument is no input");
  return (int)arg;
}

/* Behind the parenthesis: @k, up to five numbers, or both. */
static void parse_operands(Parser *p, const Node *n, Step *s) {
  float *const number[] = {&s->a, &s->b, &s->c, &s->d, &s->e};
  int count = 0;
  if (accept(p, '@')) s->arg = parse_step_arg(p, n);
  else *number[count++] = (float)parse_number(p).f;
  while (count < (int)COUNT(number) && accept(p, ',')) *number[count++] = (float)parse_number(p).f;
  expect(p, ')');
}

static void parse_step(Parser *p, Node *n) {
  Step s = {.arg = -1};
  s.swap = accept(p, '~');
  s.op = parse_op(p);
  if (!op_is_step(s.op)) fail_line(p, "only elementwise operators can be steps");
  if (accept(p, '(')) parse_operands(p, n, &s);
  if (p->token == TOK_WORD) s.type = parse_type(p);
  if (op_takes_argument(s.op) != (s.arg >= 0)) fail_line(p, "the step has the wrong argument");
  node_add_step(p->g, n, s);
}

static void check_arity(Parser *p, const Node *n) {
  const OpInfo *info = &op_info[n->op];
  bool in_ok = n->n_in >= info->min_in && (info->max_in < 0 || n->n_in <= info->max_in || n->n_step);
  bool out_ok = n->n_out >= info->min_out && (info->max_out < 0 || n->n_out <= info->max_out);
  if (!in_ok) fail(p->cx, "line %d: %s can't have %d inputs", p->line, info->name, n->n_in);
  if (!out_ok) fail(p->cx, "line %d: %s can't have %d outputs", p->line, info->name, n->n_out);
}

/* Behind the `=`. */
static Node *parse_node(Parser *p, int n_out) {
  Op op = parse_op(p);
  Value **in = NULL;
  int n_in = 0;
  expect(p, '(');
  while (!accept(p, ')')) {
    if (n_in) expect(p, ',');
    in = append_value(p, in, &n_in, parse_value(p));
  }
  Node *n = node_new(p->g, op, op_info[op].name, n_in, in, n_out);
  while (p->token == TOK_WORD || p->token == TOK_QUOTED) parse_attr(p, n);
  while (accept(p, '|')) parse_step(p, n);
  check_arity(p, n);
  return n;
}

/* `a, b = Op(...)`; the first name has been read. The results come to be, of unknown type and shape, after
 * the inputs have been looked up, so that a node can't read itself. */
static void parse_assignment(Parser *p, const char *first) {
  const char *name[MAX_RESULTS] = {first};
  int n_out = 1;
  while (accept(p, ',')) {
    if (n_out == MAX_RESULTS) wrong(p, "too many results");
    name[n_out++] = is_word(p, "_") ? NULL : p->text;
    parse_name(p);
  }
  expect(p, '=');
  Node *n = parse_node(p, n_out);
  for (int i = 0; i < n_out; i++) {
    if (!name[i]) continue;
    if (find_value(p, name[i])) fail(p->cx, "line %d: \"%s\" is defined twice", p->line, name[i]);
    n->out[i] = value_new(p->g, name[i], T_NONE, (Shape){.rank = -1});
    n->out[i]->def = n;
    map_put(p->cx, &p->names, name[i], n->out[i]);
  }
  if (name[0]) n->name = name[0];
}

/* ---- statements ---- */

static void parse_input(Parser *p) {
  const char *name = parse_new_name(p);
  Type type = parse_type(p);
  Value *v = value_new(p->g, name, type, parse_shape(p));
  v->is_input = true;
  map_put(p->cx, &p->names, name, v);
  p->g->input = append_value(p, p->g->input, &p->g->n_input, v);
}

static void parse_output(Parser *p) {
  Value *v = parse_value(p);
  if (!v || v->is_output) fail_line(p, "an output must be a value, and only once");
  p->g->output = append_value(p, p->g->output, &p->g->n_output, v);
  output_set(p->g, p->g->n_output - 1, v);
}

static void parse_statement(Parser *p) {
  bool none = is_word(p, "_");
  const char *word = parse_name(p);
  if (is_char(p, ',') || is_char(p, '=')) parse_assignment(p, none ? NULL : word);
  else if (strcmp(word, "graph") == 0) p->g->name = parse_name(p);
  else if (strcmp(word, "input") == 0) parse_input(p);
  else if (strcmp(word, "const") == 0) parse_const(p);
  else if (strcmp(word, "output") == 0) parse_output(p);
  else fail(p->cx, "line %d: \"%s\" begins no statement", p->line, word);
  if (p->token != TOK_NEWLINE && p->token != TOK_END) wrong(p, "the line must end");
}

Graph *text_parse(Context *cx, const Options *opt, const char *text) {
  Parser p = {.cx = cx, .g = graph_new(cx, opt), .at = text, .line = 1, .token = TOK_CHAR};
  next(&p);
  while (p.token != TOK_END) {
    if (p.token == TOK_NEWLINE) next(&p);
    else parse_statement(&p);
  }
  return p.g;
}
