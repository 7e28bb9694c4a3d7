/* interface.c: what the symbolic dimensions of a model's inputs stand for. A dimension is a number of
 * the model, or a number given by --shape, or the batch: the first dimension of an input, and every
 * dimension of the same name. With --batch that is a number as well. */
#include "onnx.pb-c.h"
#include "import.h"

#include <string.h>

typedef Onnx__TensorShapeProto__Dimension Dim;

static const Onnx__TensorShapeProto *shape_proto(const Onnx__TypeProto *t) {
  const Onnx__TypeProto__Tensor *tensor = tensor_type(t);
  return tensor ? tensor->shape : NULL;
}

/* 0 and less are what some exporters write for an unknown dimension. */
static int64_t number_of(const Dim *d) {
  bool is_number = d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
  return is_number && d->dim_value > 0 ? d->dim_value : 0;
}

/* Is dimension i really without elements? That of a list is; among other dimensions a 0 was what exporters wrote for an unknown
 * one, until IR version 7: since then those have names. A network of no images at all makes no sense, so there it is the batch. */
static bool is_zero(const Import *im, const Onnx__TensorShapeProto *s, size_t i) {
  bool says_0 = s->dim[i]->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE && s->dim[i]->dim_value == 0;
  return says_0 && (s->n_dim == 1 || ((i > 0 || s->n_dim < 4) && im->model->ir_version >= 7));
}

/* What some tools write for any unknown size: two of these need not be one. */
static bool says_unknown(const char *name) {
  static const char *const words[] = {"None", "none", "unknown", "Unknown", "unk", "null", "nan"};
  bool has_word = false;
  for (size_t i = 0; i < COUNT(words); i++)
    if (strcmp(words[i], name) == 0) return true;
  for (const char *p = name; *p; p++) has_word = has_word || !strchr("?*-_. 01", *p);
  return !has_word;
}

/* NULL: the dimension has no name. */
static const char *name_of(const Dim *d) {
  bool named = d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM && d->dim_param;
  return named && !says_unknown(d->dim_param) ? d->dim_param : NULL;
}

static const Shape *pin_of(const Import *im, const char *input) {
  for (int i = 0; i < im->opt->n_shape; i++)
    if (strcmp(im->opt->shape[i].input, input) == 0) return &im->opt->shape[i].shape;
  return NULL;
}

bool is_model_input(const Import *im, const char *name) {
  const Name *n = name_find(im, name);
  return !(n && n->defined && n->bound.tensor->data);
}

static void bind(Import *im, const char *dim, int64_t value) {
  const int64_t *bound = map_get(&im->dims, dim);
  if (bound && *bound != value)
    fail(im->cx, "--shape gives dimension \"%s\" both %lld and %lld", dim, (long long)*bound,
         (long long)value);
  if (bound) return;
  int64_t *fresh = alloc(im->cx, sizeof *fresh);
  *fresh = value;
  map_put(im->cx, &im->dims, dim, fresh);
}

static void bind_pinned(Import *im, const char *input, const Onnx__TensorShapeProto *s, const Shape *pin) {
  for (int i = 1; i < pin->rank; i++)
    if (pin->d[i] == -1) fail(im->cx, "--shape %s: only the first dimension, the batch, may stay symbolic", input);
  if (!s) return;
  if (s->n_dim != (size_t)pin->rank)
    fail(im->cx, "--shape %s: the input has %zu dimensions, not %d", input, s->n_dim, pin->rank);
  for (int i = 0; i < pin->rank; i++) {
    int64_t number = number_of(s->dim[i]);
    if (pin->d[i] == -1) continue; /* bind_batch takes it */
    if (number && number != pin->d[i])
      fail(im->cx, "--shape %s: dimension %d of the input is %lld, not %lld", input, i, (long long)number,
           (long long)pin->d[i]);
    if (name_of(s->dim[i])) bind(im, name_of(s->dim[i]), pin->d[i]);
  }
}

/* -1: it stays symbolic. */
static int64_t batch(Import *im) {
  im->batched = true;
  return im->opt->batch ? im->opt->batch : -1;
}

static void bind_batch(Import *im, const Onnx__TensorShapeProto *s) {
  const char *name = s && s->n_dim ? name_of(s->dim[0]) : NULL;
  if (name && !map_get(&im->dims, name)) bind(im, name, batch(im));
}

static void check_pin(const Import *im, const char *input) {
  for (size_t i = 0; i < im->graph->n_input; i++) {
    const char *name = im->graph->input[i]->name;
    if (strcmp(name, input) == 0 && is_model_input(im, name)) return;
  }
  fail(im->cx, "--shape %s: the model has no such input", input);
}

void bind_dims(Import *im) {
  const Onnx__GraphProto *graph = im->graph;
  for (int i = 0; i < im->opt->n_shape; i++) check_pin(im, im->opt->shape[i].input);
  for (size_t i = 0; i < graph->n_input; i++) {
    const Onnx__ValueInfoProto *input = graph->input[i];
    const Shape *pin = pin_of(im, input->name);
    if (pin) bind_pinned(im, input->name, shape_proto(input->type), pin);
  }
  for (size_t i = 0; i < graph->n_input; i++)
    if (is_model_input(im, graph->input[i]->name)) bind_batch(im, shape_proto(graph->input[i]->type));
}

/* A number; -1: the batch; 0: not known. */
static int64_t dim_value(const Import *im, const Dim *d) {
  const char *name = name_of(d);
  const int64_t *bound = name ? map_get(&im->dims, name) : NULL;
  return bound ? *bound : number_of(d);
}

/* ---- what --shape has to give ---- */

typedef struct Unknown {
  Map seen;             /* names of dimensions */
  const char *what;     /* those that are not known, in words */
  const char *options;  /* that would do */
  int n, left_out;      /* dimensions; and inputs for which there is no room in the message */
} Unknown;

static bool is_unknown(const Import *im, const Onnx__TensorShapeProto *s, size_t i) {
  return dim_value(im, s->dim[i]) == 0 && i > 0 && !is_zero(im, s, i);
}

/* Adds the dimensions of an input that no input before it has; false: there are none. */
static bool note_dims(const Import *im, Unknown *u, const char *input, const Onnx__TensorShapeProto *s) {
  bool any = false;
  for (size_t i = 0; i < s->n_dim; i++) {
    const char *name = name_of(s->dim[i]);
    if (!is_unknown(im, s, i) || (name && map_get(&u->seen, name))) continue;
    if (name) map_put(im->cx, &u->seen, name, u);
    else name = format_text(im->cx, "%s[%zu]", input, i);
    if (u->n++ < 8) u->what = format_text(im->cx, "%s%s%.40s", u->what, *u->what ? ", " : "", name);
    any = true;
  }
  return any;
}

/* The shape with an example for what is not known. */
static const char *example_shape(const Import *im, const Onnx__TensorShapeProto *s) {
  const char *text = "";
  for (size_t i = 0; i < s->n_dim; i++) {
    int64_t known = dim_value(im, s->dim[i]), d = known > 0 || is_zero(im, s, i) ? known : i == 1 && s->n_dim == 4 ? 3 : 224;
    const char *dim = known < 0 || (known == 0 && i == 0) ? "N" : format_text(im->cx, "%lld", (long long)d);
    text = format_text(im->cx, "%s%s%s", text, i ? "," : "", dim);
  }
  return text;
}

static void note_unknown(const Import *im, Unknown *u, const Onnx__ValueInfoProto *input) {
  enum { ROOM = 160 };
  const Onnx__TensorShapeProto *s = shape_proto(input->type);
  bool fits = !s || s->n_dim <= MAX_RANK, any = !s || (fits && note_dims(im, u, input->name, s));
  if (!any) return;
  const char *option = format_text(im->cx, " --shape %s=%s", input->name, s ? example_shape(im, s) : "1,3,224,224");
  if (*u->options && strlen(u->options) + strlen(option) > ROOM) u->left_out++;
  else u->options = format_text(im->cx, "%s%s", u->options, option);
}

/* Of all inputs at once, with options that would do. */
static _Noreturn void fail_unknown(const Import *im, const Onnx__ValueInfoProto *first) {
  Unknown u = {.what = "", .options = ""};
  for (size_t i = 0; i < im->graph->n_input; i++) {
    const Onnx__ValueInfoProto *input = im->graph->input[i];
    if (is_model_input(im, input->name) && !pin_of(im, input->name)) note_unknown(im, &u, input);
  }
  const char *more = u.left_out ? format_text(im->cx, " and %d more", u.left_out) : "";
  if (u.n == 0) fail(im->cx, "input \"%s\" has an unknown shape; set it with%s%s", first->name, u.options, more);
  fail(im->cx, "the model has %s of unknown size: %s; set %s with%s%s", u.n > 1 ? "dimensions" : "a dimension", u.what,
       u.n > 1 ? "them" : "it", u.options, more);
}

/* A dimension that --shape leaves symbolic is the batch, whether the model has a number there or not. */
static Shape pinned_shape(Import *im, const Onnx__ValueInfoProto *input, const Shape *pin) {
  Shape shape = *pin;
  const Onnx__TensorShapeProto *s = shape_proto(input->type);
  if (shape.rank == 0 || shape.d[0] != -1) return shape;
  if (s && s->n_dim && number_of(s->dim[0]))
    fail(im->cx, "--shape %s: dimension 0 of the input is %lld, not symbolic", input->name, (long long)number_of(s->dim[0]));
  shape.d[0] = batch(im);
  if (shape_is_symbolic(&shape)) im->g->symbolic = true;
  return shape;
}

Shape input_shape(Import *im, const Onnx__ValueInfoProto *input) {
  const Shape *pin = pin_of(im, input->name);
  if (pin) return pinned_shape(im, input, pin);
  const Onnx__TensorShapeProto *s = shape_proto(input->type);
  if (!s) fail_unknown(im, input);
  if (s->n_dim > MAX_RANK) fail(im->cx, "input \"%s\" has more than %d dimensions", input->name, MAX_RANK);
  Shape shape = {.rank = (int)s->n_dim};
  for (int i = 0; i < shape.rank; i++) {
    shape.d[i] = dim_value(im, s->dim[i]);
    if (is_zero(im, s, (size_t)i)) continue;
    if (shape.d[i] == 0 && i == 0) shape.d[i] = batch(im);
    if (shape.d[i] == 0) fail_unknown(im, input);
  }
  if (shape_is_symbolic(&shape)) im->g->symbolic = true;
  return shape;
}

void check_batch(const Import *im) {
  const Graph *g = im->g;
  int64_t asked = im->opt->batch;
  if (asked == 0 || im->batched) return;
  for (int i = 0; i < g->n_input; i++)
    if (g->input[i]->shape.rank > 0 && g->input[i]->shape.d[0] == asked) return;
  if (g->n_input == 0 || g->input[0]->shape.rank == 0)
    fail(im->cx, "--batch %lld: the model has no batch", (long long)asked);
  fail(im->cx, "--batch %lld: the batch is not symbolic; that of input \"%s\" is %lld", (long long)asked,
       g->input[0]->name, (long long)g->input[0]->shape.d[0]);
}

Shape declared_shape(const Import *im, const Onnx__TypeProto *type) {
  const Shape unknown = {.rank = -1};
  const Onnx__TensorShapeProto *s = shape_proto(type);
  if (!s || s->n_dim > MAX_RANK) return unknown;
  Shape shape = {.rank = (int)s->n_dim};
  for (int i = 0; i < shape.rank; i++) {
    shape.d[i] = dim_value(im, s->dim[i]);
    if (shape.d[i] == 0 && !is_zero(im, s, (size_t)i)) return unknown;
  }
  return shape;
}
