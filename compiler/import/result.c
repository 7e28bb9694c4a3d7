/* result.c: what --output says that the program gets instead of a model's output: nodes behind it. */
#include "import.h"

#include <string.h>

typedef struct Result {
  Import *im;
  const WordsOption *option;
  const char *name;       /* of the model's output */
  Value *v;               /* the result so far; of topK the scores */
  Value *classes;         /* of topK, which comes last; NULL: it has not come */
} Result;

#define fail_result(r, ...) fail_words((r)->im->cx, (r)->option, __VA_ARGS__)

/* ==== nodes ==== */

static void add_node(Result *r, Op op, const char *what, Value *const *other, int n_other, Node **made) {
  r->v = word_node(r->im, r->name, op, what, r->v, other, n_other, made);
}

static void add(Result *r, Op op, Value *const *other, int n_other) {
  add_node(r, op, op_info[op].name, other, n_other, NULL);
}

static void cast(Result *r, Type to) { r->v = word_cast(r->im, r->name, r->v, to); }

static Value *number(Result *r, const char *what, double x) {
  Value *v = value_const_f32(r->im->g, fresh_name(r->im, r->name, what), shape_of(0));
  *f32_of(v) = (float)x;
  return v;
}

/* ==== the words ==== */

static void check_floats(Result *r, const char *word) {
  known_shape(r->im, r->v);
  if (!type_is_float(r->v->type)) fail_result(r, "'%s' needs floats; output \"%s\" is %s there", word, r->name, type_name(r->v->type));
}

/* Where classes lie: the channels of a map, or all there is. */
static int axis_of_classes(const Shape *s) { return s->rank == 1 ? 0 : 1; }

static int class_axis(Result *r, const char *word) {
  const Shape *s = known_shape(r->im, r->v);
  if (s->rank == 0) fail_result(r, "'%s' needs classes; output \"%s\" is one number", word, r->name);
  int axis = axis_of_classes(s);
  int64_t classes = s->d[axis], *known = &r->im->classes;
  *known = *known == 0 || *known == classes ? classes : -1;
  return axis;
}

static void add_softmax(Result *r, const char *word) {
  Op op = r->v->def ? r->v->def->op : OP_NONE;
  check_floats(r, word);
  if (op == OP_Softmax || op == OP_LogSoftmax)
    message_warn(r->im->cx->file, "%s=%s: output \"%s\" is a softmax already; another one makes all classes nearly as likely",
                 r->option->option, r->option->text, r->name);
  int axis = class_axis(r, word);
  Node *n;
  add_node(r, OP_Softmax, word, NULL, 0, &n);
  attr_set_int(r->im->g, n, "axis", axis);
}

static void add_sigmoid(Result *r, const char *word) {
  check_floats(r, word);
  add(r, OP_Sigmoid, NULL, 0);
}

static void add_argmax(Result *r, const char *word) {
  check_floats(r, word);
  int axis = class_axis(r, word);
  Node *n;
  add_node(r, OP_ArgMax, word, NULL, 0, &n);
  attr_set_int(r->im->g, n, "axis", axis);
  attr_set_int(r->im->g, n, "keepdims", 0);
  cast(r, T_I32);
}

static void add_nhwc(Result *r, const char *word) {
  static const int64_t last[] = {0, 2, 3, 1};
  Node *n;
  if (known_shape(r->im, r->v)->rank != 4) {
    fail_result(r, "'%s' needs an image of 4 dimensions; output \"%s\" is %s", word, r->name, shape_text(r->im->cx, &r->v->shape));
  }
  add_node(r, OP_Transpose, word, NULL, 0, &n);
  attr_set_ints(r->im->g, n, "perm", 4, last);
}

/* Floats as bytes; where those of the input were made by one mean and std, those of the result are their inverse. */
static void add_u8(Result *r, const char *word) {
  double mean = 0, std = 1;
  check_floats(r, word);
  if (r->v->type != T_F32) cast(r, T_F32);
  frame_numbers(r->im, &mean, &std);
  Value *by = number(r, "std", std), *to = number(r, "mean", mean);
  if (std != 1) add(r, OP_Mul, &by, 1);
  if (mean != 0) add(r, OP_Add, &to, 1);
  add(r, OP_Round, NULL, 0);
  Value *bounds[] = {number(r, "least", 0), number(r, "most", 255)};
  add(r, OP_Clip, bounds, 2);
  cast(r, T_U8);
}

/* The least of -x in their order are the greatest of x, but that NaN comes last. */
static void add_top(Result *r, const char *word, int64_t k) {
  Graph *g = r->im->g;
  check_floats(r, word);
  int axis = class_axis(r, word);
  int64_t classes = r->v->shape.d[axis];
  if (k > classes) fail_result(r, "'%s': output \"%s\" has %lld classes", word, r->name, (long long)classes);
  if (r->v->type != T_F32) cast(r, T_F32);
  add(r, OP_Neg, NULL, 0);
  Value *count = value_const_i64(g, fresh_name(r->im, r->name, "k"), 1, &k);
  Value *in[] = {r->v, count};
  Node *n = node_new(g, OP_TopK, fresh_name(r->im, r->name, word), 2, in, 2);
  attr_set_int(g, n, "axis", axis);
  attr_set_int(g, n, "largest", 0);
  r->v = made_result(g, n, 0, fresh_name(r->im, r->name, "value"));
  Value *index = made_result(g, n, 1, fresh_name(r->im, r->name, "index"));
  add(r, OP_Neg, NULL, 0);
  r->classes = word_cast(r->im, r->name, index, T_I32);
}

static const struct { const char *word; void (*add)(Result *r, const char *word); } words[] = {
  {"softmax", add_softmax}, {"sigmoid", add_sigmoid}, {"argmax", add_argmax}, {"nhwc", add_nhwc}, {"u8", add_u8},
};

static void add_word(Result *r, const char *word) {
  int64_t k;
  if (r->classes) fail_result(r, "nothing can follow topK, and '%s' does", word);
  for (size_t i = 0; i < COUNT(words); i++) {
    if (strcmp(words[i].word, word) != 0) continue;
    words[i].add(r, word);
    return;
  }
  if (strncmp(word, "top", 3) == 0 && word_count(word + 3, 0, &k, NULL)) add_top(r, word, k);
  else fail_result(r, "'%s' is no word of --output, nor a name before '=' that of an output", word);
}

/* ==== outputs ==== */

/* Output i stands for v, called `name`. */
static void set_output(Import *im, int i, Value *v, const char *name) {
  v->name = name_find(im, name) ? fresh_name(im, name, "output") : name;
  name_entry(im, v->name)->taken = true;
  output_set(im->g, i, v);
}

/* The words' result takes the place of output `at`; of topK there are two. */
static void replace_output(Result *r, int at) {
  Graph *g = r->im->g;
  Context *cx = r->im->cx;
  Value *old = g->output[at];
  old->is_output = false;
  old->name = fresh_name(r->im, r->name, "model");
  if (!r->classes) {
    r->v->name = r->name;
    output_set(g, at, r->v);
    return;
  }
  g->output = alloc_extended(cx, g->output, g->n_output, sizeof *g->output);
  for (int i = g->n_output++; i > at + 1; i--) output_set(g, i, g->output[i - 1]);
  set_output(r->im, at, r->classes, format_text(cx, "%s_class", r->name));
  set_output(r->im, at + 1, r->v, format_text(cx, "%s_score", r->name));
}

void result_outputs(Import *im) {
  Graph *g = im->g;
  int n = g->n_output;
  const char **name = alloc_n(im->cx, (size_t)n, sizeof *name);
  Map seen = {0};
  for (int i = 0; i < n; i++) name[i] = g->output[i]->name;
  for (int i = 0; i < im->opt->n_words; i++) {
    const WordsOption *o = &im->opt->words[i];
    const char *rest;
    if (strcmp(o->option, "--output") != 0) continue;
    int at = words_tensor(im->cx, o, n, name, &rest);
    if (map_get(&seen, name[at])) fail_words(im->cx, o, "there is one for output \"%s\" already", name[at]);
    map_put(im->cx, &seen, name[at], im);
    for (int k = 0; k < g->n_output; k++)
      if (strcmp(g->output[k]->name, name[at]) == 0) at = k;
    Result r = {.im = im, .option = o, .name = g->output[at]->name, .v = g->output[at]};
    for (const char *word; (word = word_next(im->cx, o, &rest));) add_word(&r, word);
    replace_output(&r, at);
  }
}

int64_t result_classes(Import *im) {
  const Graph *g = im->g;
  if (im->classes > 0) return im->classes;
  if (im->classes == 0 && g->n_output == 1) {
    const Shape *s = known_shape(im, g->output[0]);
    if (s->rank > 0) return s->d[axis_of_classes(s)];
  }
  fail(im->cx, "--labels: which output has the classes is not clear; say it with --output=NAME=softmax, argmax or top5");
}
