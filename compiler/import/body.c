/* body.c: the nodes of the model's graph, of a subgraph or of a function's body become nodes of the graph. */
#include "onnx.pb-c.h"
#include "import.h"

#include <string.h>

/* ---- constants ---- */

static bool same_message(const void *a, const void *b) { return a == b; }

/* Bodies are read several times, but reading a message narrows elements in place: what it held the first
 * time, or NULL. */
static Value *read_before(Import *im, const void *message, const char *name, void ***known) {
  *known = map_at(im->cx, &im->tensors, hash_word(0, (uint64_t)(uintptr_t)message), message, same_message);
  const Value *v = **known;
  return v ? value_const(im->g, name, v->type, v->shape, v->data) : NULL;
}

Value *constant_in(Import *im, const Onnx__TensorProto *t, const char *name) {
  void **known;
  Value *v = read_before(im, t, name, &known);
  return v ? v : (*known = read_tensor(im->cx, im->g, t, name, im->folder));
}

Value *constant_in_sparse(Import *im, const Onnx__SparseTensorProto *s, const char *name) {
  void **known;
  Value *v = read_before(im, s, name, &known);
  return v ? v : (*known = read_sparse_tensor(im->cx, im->g, s, name, im->folder));
}

void add_initializers(Import *im, const Onnx__GraphProto *graph) {
  for (size_t i = 0; i < graph->n_initializer; i++) {
    const Onnx__TensorProto *t = graph->initializer[i];
    name_define(im, t->name, (Bound){.tensor = constant_in(im, t, scoped_value(im, t->name))});
  }
  for (size_t i = 0; i < graph->n_sparse_initializer; i++) {
    const Onnx__SparseTensorProto *s = graph->sparse_initializer[i];
    if (!s->values || !is_named(s->values->name))
      fail(im->cx, "sparse initializer %zu has no name", i);
    const char *name = s->values->name;
    name_define(im, name, (Bound){.tensor = constant_in_sparse(im, s, scoped_value(im, name))});
  }
}

/* ---- attributes: in a function, one may stand for an attribute of the call ---- */

const Onnx__AttributeProto *proto_attr(const Onnx__NodeProto *p, const char *name) {
  for (size_t i = 0; i < p->n_attribute; i++)
    if (strcmp(p->attribute[i]->name, name) == 0) return p->attribute[i];
  return NULL;
}

int64_t proto_int(const Onnx__NodeProto *p, const char *name, int64_t otherwise) {
  const Onnx__AttributeProto *a = proto_attr(p, name);
  return a ? a->i : otherwise;
}

static bool is_reference(const Onnx__AttributeProto *p) { return is_named(p->ref_attr_name); }

/* The call's, or the function's default; NULL: neither exists. */
static const Onnx__AttributeProto *referred(const Import *im, const Onnx__AttributeProto *p) {
  const Scope *s = im->scope;
  const Onnx__AttributeProto *given = proto_attr(s->call, p->ref_attr_name);
  for (size_t i = 0; !given && i < s->function->n_attribute_proto; i++) {
    const Onnx__AttributeProto *otherwise = s->function->attribute_proto[i];
    if (otherwise->name && strcmp(otherwise->name, p->ref_attr_name) == 0) given = otherwise;
  }
  return given;
}

static Onnx__AttributeProto *resolved(const Import *im, const Onnx__NodeProto *n,
                                      const Onnx__AttributeProto *p) {
  if (!im->scope->function)
    fail_proto(im, n, "attribute \"%.80s\" refers to one of a function, but stands in none", p->name);
  const Onnx__AttributeProto *given = referred(im, p);
  if (!given) return NULL;
  if (attr_type(p) && attr_type(p) != attr_type(given))
    fail_proto(im, n, "attribute \"%.80s\" refers to \"%.80s\", which is of another type", p->name,
               p->ref_attr_name);
  Onnx__AttributeProto *copy = alloc(im->cx, sizeof *copy);
  *copy = *given;
  copy->name = p->name;
  return copy;
}

/* The node with the attributes that are meant. */
static const Onnx__NodeProto *without_references(const Import *im, const Onnx__NodeProto *p) {
  bool any = false;
  for (size_t i = 0; i < p->n_attribute; i++) any = any || is_reference(p->attribute[i]);
  if (!any) return p;
  Onnx__NodeProto *copy = alloc(im->cx, sizeof *copy);
  *copy = *p;
  copy->attribute = alloc_n(im->cx, p->n_attribute, sizeof *copy->attribute);
  copy->n_attribute = 0;
  for (size_t i = 0; i < p->n_attribute; i++) {
    Onnx__AttributeProto *a = p->attribute[i];
    if (is_reference(a)) a = resolved(im, p, a);
    if (a) copy->attribute[copy->n_attribute++] = a;
  }
  check_attributes(im, copy);
  return copy;
}

static Value *read_attr_tensor(Import *im, const Node *n, const Onnx__AttributeProto *p) {
  if (!p->t) fail_at(im->g, n, "attribute \"%s\" has no tensor", p->name);
  return constant_in(im, p->t, format_text(im->cx, "%s.%s", n->name, p->name));
}

static Attr read_attr(Import *im, const Node *n, const Onnx__AttributeProto *p) {
  switch (attr_type(p)) {
  case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT:
    return (Attr){.name = p->name, .kind = A_FLOAT, .f = p->f};
  case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT:
    return (Attr){.name = p->name, .kind = A_INT, .i = p->i};
  case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING:
    return (Attr){.name = p->name, .kind = A_STRING, .s = copy_bytes_as_text(im->cx, p->s.data, p->s.len)};
  case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR:
    return (Attr){.name = p->name, .kind = A_TENSOR, .tensor = read_attr_tensor(im, n, p)};
  case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS:
    return (Attr){.name = p->name, .kind = A_FLOATS, .n = (int)p->n_floats, .floats = p->floats};
  case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS:
    return (Attr){.name = p->name, .kind = A_INTS, .n = (int)p->n_ints, .ints = p->ints};
  default: fail_at(im->g, n, "attribute \"%s\" is of a type that is not supported", p->name);
  }
}

static void read_attrs(Import *im, Node *n, const Onnx__NodeProto *p) {
  n->attr = alloc_n(im->cx, p->n_attribute, sizeof *n->attr);
  for (size_t i = 0; i < p->n_attribute; i++) n->attr[n->n_attr++] = read_attr(im, n, p->attribute[i]);
}

/* ---- inputs and outputs ---- */

Bound input_bound(Import *im, const Onnx__NodeProto *p, size_t i) {
  if (i >= p->n_input || !*p->input[i]) return (Bound){0};
  const Name *found = name_find(im, p->input[i]);
  if (!found || !found->defined) fail_proto(im, p, "its input \"%s\" does not exist", p->input[i]);
  return found->bound;
}

Value *input_tensor(Import *im, const Onnx__NodeProto *p, size_t i) {
  Bound b = input_bound(im, p, i);
  if (b.list) fail_proto(im, p, "its input \"%s\" is a sequence of tensors", p->input[i]);
  return b.tensor;
}

/* Optional inputs left out at the end are not listed. */
static void read_inputs(Import *im, Node *n, const Onnx__NodeProto *p) {
  for (size_t i = 0; i < p->n_input; i++) {
    node_set_input(im->g, n, (int)i, input_tensor(im, p, i));
    if (n->in[i]) n->n_in = (int)i + 1;
  }
}

static Type declared_type(const Name *n) {
  const Onnx__TypeProto__Tensor *t = n ? tensor_type(n->type) : NULL;
  Type type = t ? (Type)t->elem_type : T_NONE;
  return type_size(type) ? type : T_NONE;
}

/* Type and shape are a hint to shape inference, which has the last word. The first output is always there. */
static Value *make_output(Import *im, const Node *n, const char *name) {
  const Name *declared = map_get(&im->scope->names, name);
  Shape unknown = {.rank = -1}, shape = declared ? declared_shape(im, declared->type) : unknown;
  return value_new(im->g, *name ? scoped_value(im, name) : fresh_name(im, n->name, "unused"),
                   declared_type(declared), shape);
}

static void make_outputs(Import *im, Node *n, const Onnx__NodeProto *p) {
  for (size_t i = 0; i < p->n_output; i++) {
    if (!*p->output[i] && i > 0) continue;
    n->out[i] = make_output(im, n, p->output[i]);
    n->out[i]->def = n;
  }
}

void bind_output(Import *im, const Onnx__NodeProto *p, size_t i, Bound b, int since) {
  if (i >= p->n_output || !*p->output[i]) return;
  Value *v = b.tensor;
  if (v && v->id >= since) v->name = scoped_value(im, p->output[i]);
  name_define(im, p->output[i], b);
}

/* ---- nodes ---- */

/* The number of inputs and outputs, and the inputs that no operator can do without. */
static void check_arity(const Import *im, const Node *n, int min_in, int max_in) {
  const OpInfo *info = &op_info[n->op];
  if (max_in >= 0 && n->n_in > max_in)
    fail_at(im->g, n, "has %d inputs, at most %d are allowed", n->n_in, max_in);
  for (int i = 0; i < min_in; i++)
    if (i >= n->n_in || !n->in[i]) fail_at(im->g, n, "input %d is missing", i);
  if (n->n_out < info->min_out || (info->max_out >= 0 && n->n_out > info->max_out))
    fail_at(im->g, n, "has %d outputs, a number that is not allowed", n->n_out);
}

/* Defined last: upgrading may have taken an output away, and a node cannot read its own. */
static void define_outputs(Import *im, const Onnx__NodeProto *p, Value *const *out) {
  for (size_t i = 0; i < p->n_output; i++)
    if (*p->output[i] && out[i]->def) name_define(im, p->output[i], (Bound){.tensor = out[i]});
}

static void add_operator(Import *im, const Onnx__NodeProto *p) {
  Value **none = alloc_n(im->cx, p->n_input, sizeof *none);
  Node *n = node_new(im->g, proto_op(im, p), scoped_node(im, node_name(p)), (int)p->n_input, none,
                     (int)p->n_output);
  n->n_in = 0;
  read_inputs(im, n, p);
  read_attrs(im, n, p);
  check_arity(im, n, 1, -1);
  make_outputs(im, n, p);
  Value **out = alloc_n(im->cx, p->n_output, sizeof *out);
  move_bytes(out, n->out, p->n_output * sizeof *out);
  upgrade_node(im->g, n);
  check_arity(im, n, op_info[n->op].min_in, op_info[n->op].max_in);
  define_outputs(im, p, out);
}

static void add_node(Import *im, const Onnx__NodeProto *p) {
  if (im->scope != im->top) spend(im, p, 1 + p->n_input + p->n_output + p->n_attribute);
  p = without_references(im, p);
  if (!im->solve(im, p)) add_operator(im, p);
}

/* ---- what a node reads: its inputs, and what its subgraphs and theirs read ---- */

static size_t reads_of_graph(const Onnx__GraphProto *graph, char **out, size_t n);

static size_t reads_of_node(const Onnx__NodeProto *p, char **out, size_t n) {
  for (size_t i = 0; i < p->n_input; i++, n++)
    if (out) out[n] = p->input[i];
  for (size_t i = 0; i < p->n_attribute; i++)
    if (p->attribute[i]->g) n = reads_of_graph(p->attribute[i]->g, out, n);
  return n;
}

static size_t reads_of_graph(const Onnx__GraphProto *graph, char **out, size_t n) {
  for (size_t i = 0; i < graph->n_node; i++) n = reads_of_node(graph->node[i], out, n);
  for (size_t i = 0; i < graph->n_output; i++)
    if (graph->output[i]->name) {
      if (out) out[n] = graph->output[i]->name;
      n++;
    }
  return n;
}

static void find_reads(Import *im, Pending *p) {
  const Onnx__NodeProto *n = p->proto;
  bool subgraphs = false;
  for (size_t i = 0; i < n->n_attribute; i++) subgraphs = subgraphs || n->attribute[i]->g;
  p->read = n->input;
  p->n_read = n->n_input;
  if (!subgraphs) return;
  p->n_read = reads_of_node(n, NULL, 0);
  if (im->scope != im->top) spend(im, n, p->n_read);
  char **read = alloc_n(im->cx, p->n_read, sizeof *read);
  reads_of_node(n, read, 0);
  p->read = read;
}

/* ---- the order of evaluation: as in the file where that is one, as it should be ---- */

static Name *first_missing(Import *im, Pending *p) {
  for (; p->known < p->n_read; p->known++) {
    Name *n = map_get(&im->scope->names, p->read[p->known]);
    if (*p->read[p->known] && n && !n->defined) return n;
  }
  return NULL;
}

/* The nodes that waited for an output of p, before the list `then`. */
static Pending *released_by(Import *im, const Onnx__NodeProto *p, Pending *then) {
  for (size_t i = 0; i < p->n_output; i++) {
    Name *n = map_get(&im->scope->names, p->output[i]);
    for (Pending *w = n->defined ? n->waiting : NULL, *next; w; w = next) {
      next = w->next;
      w->next = then;
      then = w;
    }
    if (n->defined) n->waiting = NULL;
  }
  return then;
}

/* Adds the node and those that waited for it; or lets it wait for the first value that it misses. */
static void add_when_ready(Import *im, Pending *list) {
  for (Pending *p = list, *next; p; p = next) {
    next = p->next;
    Name *missing = first_missing(im, p);
    if (missing) {
      p->next = missing->waiting;
      missing->waiting = p;
      continue;
    }
    add_node(im, p->proto);
    next = released_by(im, p->proto, next);
    p->proto = NULL;
  }
}

void check_nodes(Import *im, size_t n, Onnx__NodeProto *const *node) {
  if (n == 0) return;
  void **checked = map_at(im->cx, &im->checked, hash_word(0, (uint64_t)(uintptr_t)node), node, same_message);
  if (*checked) return;
  *checked = im;
  check_operator_names(im, n, node);
  check_operators(im, n, node);
  for (size_t i = 0; i < n; i++) check_attributes(im, node[i]);
}

void read_nodes(Import *im, size_t n, Onnx__NodeProto *const *node) {
  check_nodes(im, n, node);
  Pending *pending = alloc_n(im->cx, n, sizeof *pending);
  for (size_t i = 0; i < n; i++)
    for (size_t k = 0; k < node[i]->n_output; k++) name_entry(im, node[i]->output[k]);
  for (size_t i = 0; i < n; i++) {
    pending[i].proto = node[i];
    find_reads(im, &pending[i]);
    add_when_ready(im, &pending[i]);
  }
  for (size_t i = 0; i < n; i++)
    if (pending[i].proto)
      fail_proto(im, pending[i].proto, "one of its inputs is computed by no node, or from its own output");
}
