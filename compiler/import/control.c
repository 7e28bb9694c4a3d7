/* control.c: branches and loops. What they do has to be known at compile time, for every batch: a branch is
 * taken or not, a loop's body stands in the graph as often as it runs. Only a small branch may depend on
 * data: both are computed then, and one chosen. */
#include "onnx.pb-c.h"
#include "import.h"

enum { MAX_TRIPS = 4096 };

/* ---- bodies ---- */

static const Onnx__GraphProto *body_of(const Import *im, const Onnx__NodeProto *p, const char *name) {
  const Onnx__AttributeProto *a = proto_attr(p, name);
  if (!a || !a->g) fail_proto(im, p, "the graph \"%s\" is missing", name);
  return a->g;
}

/* Its nodes become part of the graph; what its outputs stand for. */
static Bound *run_body(Import *im, const Onnx__NodeProto *p, const Onnx__GraphProto *body, const char *label,
                       size_t n_in, const Bound *in) {
  if (body->n_input != n_in) fail_proto(im, p, "its graph has %zu inputs, not %zu", body->n_input, n_in);
  check_graph_names(im, body);
  spend(im, p, 1 + body->n_input + body->n_output + body->n_initializer);
  char **output = alloc_n(im->cx, body->n_output, sizeof *output);
  for (size_t i = 0; i < body->n_output; i++) output[i] = body->output[i]->name;
  scope_enter(im, p, label, NULL);
  for (size_t i = 0; i < n_in; i++) name_define(im, body->input[i]->name, in[i]);
  add_initializers(im, body);
  read_nodes(im, body->n_node, body->node);
  return scope_leave(im, p, body->n_output, output, "its graph does not compute the output");
}

static Value *tensor_of(const Import *im, const Onnx__NodeProto *p, Bound b) {
  if (b.list) fail_proto(im, p, "one of its results is a sequence of tensors, which is not supported here");
  if (!b.tensor) fail_proto(im, p, "one of its results is an optional without a value");
  return b.tensor;
}

/* ---- If ---- */

static void take_branch(Import *im, const Onnx__NodeProto *p, bool condition) {
  const char *name = condition ? "then_branch" : "else_branch";
  const Onnx__GraphProto *body = body_of(im, p, name);
  if (body->n_output < p->n_output)
    fail_proto(im, p, "%s has %zu outputs, not %zu", name, body->n_output, p->n_output);
  int since = im->g->n_value;
  const Bound *out = run_body(im, p, body, condition ? "then" : "else", 0, NULL);
  for (size_t i = 0; i < p->n_output; i++) bind_output(im, p, i, out[i], since);
}

/* May the nodes from number `from` on be computed though their results may not be used? */
static bool is_little_work(const Graph *g, int from) {
  enum { MOST = 32 };
  if (g->n_node - from > MOST) return false;
  for (int i = from; i < g->n_node; i++) {
    Family f = op_info[g->node[i]->op].family;
    if (f == FAMILY_CONV || f == FAMILY_PRODUCT) return false;
  }
  return true;
}

/* The condition, as a scalar, so that it broadcasts to any result. */
static Value *scalar_condition(Import *im, const Onnx__NodeProto *p, Value *v) {
  const Shape *s = known_shape(im, v);
  if (shape_is_symbolic(s) || shape_count(s) != 1) fail_proto(im, p, "the condition must be one element");
  if (s->rank == 0) return v;
  Value *in[] = {v, value_const_i64(im->g, fresh_name(im, p->output[0], "scalar"), 0, NULL)};
  return made_node(im, p, OP_Reshape, "condition", 2, in, NULL);
}

static Value *select_result(Import *im, const Onnx__NodeProto *p, Value *condition, Value *a, Value *b) {
  const Shape *x = known_shape(im, a), *y = known_shape(im, b);
  if (a->type != b->type || !shape_equal(x, y))
    fail_proto(im, p, "the condition depends on data, and the branches give %s %s and %s %s",
               type_name(a->type),
               shape_text(im->cx, x), type_name(b->type), shape_text(im->cx, y));
  Value *in[] = {condition, a, b};
  return made_node(im, p, OP_Where, "chosen", 3, in, NULL);
}

static void select_branch(Import *im, const Onnx__NodeProto *p, Value *condition) {
  const Onnx__GraphProto *then = body_of(im, p, "then_branch"), *otherwise = body_of(im, p, "else_branch");
  if (then->n_output < p->n_output || otherwise->n_output < p->n_output)
    fail_proto(im, p, "a branch has fewer outputs than the node");
  int since = im->g->n_value, from = im->g->n_node;
  const Bound *a = run_body(im, p, then, "then", 0, NULL), *b = run_body(im, p, otherwise, "else", 0, NULL);
  if (!is_little_work(im->g, from))
    fail_proto(im, p, "the condition depends on data, and the branches are too much work to compute both; "
                      "export the branch "
                      "that is meant");
  condition = scalar_condition(im, p, condition);
  for (size_t i = 0; i < p->n_output; i++) {
    Value *v = select_result(im, p, condition, tensor_of(im, p, a[i]), tensor_of(im, p, b[i]));
    bind_output(im, p, i, (Bound){.tensor = v}, since);
  }
}

void solve_if(Import *im, const Onnx__NodeProto *p) {
  Value *condition = input_tensor(im, p, 0);
  int64_t element;
  int count;
  if (!condition) fail_proto(im, p, "the condition is missing");
  bool known = known_ints(im, condition, 1, &element, &count) && count == 1;
  if (condition->type != T_BOOL) fail_proto(im, p, "the condition is not of type bool");
  if (!known && condition->sym)
    fail_proto(im, p, "the condition depends on the batch; fix the batch with --batch N");
  if (known) take_branch(im, p, element != 0);
  else select_branch(im, p, condition);
}

/* ---- loops: what their bodies give each time ---- */

typedef struct Trips {
  Bound **out;
  int n;
} Trips;

static void add_trip(Import *im, const Onnx__NodeProto *p, Trips *t, Bound *out) {
  if (t->n == MAX_TRIPS)
    fail_proto(im, p, "runs more than %d times, which is too often to be unrolled", MAX_TRIPS);
  t->out = alloc_grown(im->cx, t->out, t->n, sizeof *t->out);
  t->out[t->n++] = out;
}

/* Output k of every trip, joined along a new axis. */
static Value *stacked(Import *im, const Onnx__NodeProto *p, const Trips *t, size_t k, int64_t axis,
                      bool reversed) {
  if (t->n == 0) fail_proto(im, p, "never runs, so the shape of its results is not known");
  Value **row = alloc_n(im->cx, (size_t)t->n, sizeof *row);
  spend(im, p, (size_t)t->n);
  for (int i = 0; i < t->n; i++)
    row[reversed ? t->n - 1 - i : i] = made_row(im, p, tensor_of(im, p, t->out[i][k]), axis);
  return made_whole(im, p, "stacked", t->n, row, axis);
}

/* ---- Loop ---- */

/* The number of trips at most; without a count, as long as the condition holds. */
static int64_t trip_limit(Import *im, const Onnx__NodeProto *p) {
  Value *count = input_tensor(im, p, 0);
  return count ? known_int(im, p, count, "the number of iterations") : INT64_MAX;
}

static bool goes_on(Import *im, const Onnx__NodeProto *p, Value *condition) {
  return !condition || known_int(im, p, condition, "the condition of the loop");
}

static Bound constant_bound(Import *im, const Onnx__NodeProto *p, const char *suffix, Type type, int64_t v) {
  const char *name = fresh_name(im, scoped_node(im, node_name(p)), suffix);
  return (Bound){.tensor = made_number(im, name, type, v)};
}

/* In `state`, what the body is given: number of the iteration, condition, and what one trip hands to the
 * next. */
static void run_loop(Import *im, const Onnx__NodeProto *p, const Onnx__GraphProto *body, Bound *state,
                     size_t carried, Trips *t) {
  int64_t limit = trip_limit(im, p);
  state[1] = input_bound(im, p, 1);
  if (!state[1].tensor) state[1] = constant_bound(im, p, "condition", T_BOOL, 1);
  while (t->n < limit && goes_on(im, p, tensor_of(im, p, state[1]))) {
    state[0] = constant_bound(im, p, "iteration", T_I64, t->n);
    Bound *out = run_body(im, p, body, format_text(im->cx, "%d", t->n), 2 + carried, state);
    move_bytes(state + 1, out, (1 + carried) * sizeof *state);
    add_trip(im, p, t, out);
  }
}

void solve_loop(Import *im, const Onnx__NodeProto *p) {
  const Onnx__GraphProto *body = body_of(im, p, "body");
  size_t carried = p->n_input > 2 ? p->n_input - 2 : 0;
  if (body->n_output < 1 + carried)
    fail_proto(im, p, "its graph has %zu outputs, fewer than it has inputs", body->n_output);
  if (p->n_output > body->n_output - 1)
    fail_proto(im, p, "has %zu outputs, more than its graph", p->n_output);
  int since = im->g->n_value;
  Bound *state = alloc_n(im->cx, 2 + carried, sizeof *state);
  for (size_t i = 0; i < carried; i++) state[2 + i] = input_bound(im, p, 2 + i);
  Trips t = {0};
  run_loop(im, p, body, state, carried, &t);
  for (size_t i = 0; i < p->n_output; i++) {
    bool used = *p->output[i];
    if (i < carried) bind_output(im, p, i, state[2 + i], since);
    else if (used) bind_output(im, p, i, (Bound){.tensor = stacked(im, p, &t, 1 + i, 0, false)}, since);
  }
}

/* ---- Scan ---- */

/* Element i of a list attribute that may be left out; 0. */
static int64_t list_attr(const Import *im, const Onnx__NodeProto *p, const char *name, size_t i) {
  const Onnx__AttributeProto *a = proto_attr(p, name);
  if (!a) return 0;
  if (i >= a->n_ints) fail_proto(im, p, "attribute \"%s\" has too few elements", name);
  return a->ints[i];
}

typedef struct Scanned { /* an input that is read row by row */
  Value *tensor;
  int64_t axis, count;
  bool reversed;
} Scanned;

static Scanned scanned(Import *im, const Onnx__NodeProto *p, size_t input, size_t k) {
  Value *v = input_tensor(im, p, input);
  if (!v) fail_proto(im, p, "input %zu is missing", input);
  int axis = known_axis(im, p, v, list_attr(im, p, "scan_input_axes", k), "runs along");
  return (Scanned){v, axis, v->shape.d[axis], list_attr(im, p, "scan_input_directions", k) != 0};
}

static Bound scanned_row(Import *im, const Onnx__NodeProto *p, const Scanned *s, int64_t i) {
  Bound at = constant_bound(im, p, "row", T_I64, s->reversed ? s->count - 1 - i : i);
  Value *in[] = {s->tensor, at.tensor};
  Node *gather;
  Value *row = made_node(im, p, OP_Gather, "scanned", 2, in, &gather);
  attr_set_int(im->g, gather, "axis", s->axis);
  return (Bound){.tensor = row};
}

static Trips run_scan(Import *im, const Onnx__NodeProto *p, const Onnx__GraphProto *body, Bound *state,
                      size_t carried) {
  size_t n_scan = p->n_input - carried;
  Scanned *s = alloc_n(im->cx, n_scan, sizeof *s);
  Trips t = {0};
  for (size_t k = 0; k < n_scan; k++) {
    s[k] = scanned(im, p, carried + k, k);
    if (s[k].count != s[0].count) fail_proto(im, p, "its inputs are not of one length");
  }
  for (int64_t i = 0; i < s[0].count; i++) {
    for (size_t k = 0; k < n_scan; k++) state[carried + k] = scanned_row(im, p, &s[k], i);
    Bound *out = run_body(im, p, body, format_text(im->cx, "%lld", (long long)i), p->n_input, state);
    move_bytes(state, out, carried * sizeof *state);
    add_trip(im, p, &t, out);
  }
  return t;
}

void solve_scan(Import *im, const Onnx__NodeProto *p) {
  const Onnx__GraphProto *body = body_of(im, p, "body");
  int64_t n_scan = proto_int(p, "num_scan_inputs", 0);
  if (n_scan < 1 || n_scan > (int64_t)p->n_input)
    fail_proto(im, p, "num_scan_inputs is not one of 1 to %zu", p->n_input);
  size_t carried = p->n_input - (size_t)n_scan;
  if (body->n_output < carried || p->n_output > body->n_output)
    fail_proto(im, p, "its graph has %zu outputs", body->n_output);
  int since = im->g->n_value;
  Bound *state = alloc_n(im->cx, p->n_input, sizeof *state);
  for (size_t i = 0; i < carried; i++) state[i] = input_bound(im, p, i);
  Trips t = run_scan(im, p, body, state, carried);
  for (size_t i = 0; i < p->n_output; i++) {
    if (i < carried) {
      bind_output(im, p, i, state[i], since);
      continue;
    }
    if (!*p->output[i]) continue;
    int64_t axis = list_attr(im, p, "scan_output_axes", i - carried);
    bool reversed = list_attr(im, p, "scan_output_directions", i - carried) != 0;
    bind_output(im, p, i, (Bound){.tensor = stacked(im, p, &t, i, axis, reversed)}, since);
  }
}

/* ---- SequenceMap ---- */

static int map_length(Import *im, const Onnx__NodeProto *p) {
  const List *first = input_bound(im, p, 0).list;
  if (!first) fail_proto(im, p, "its first input is not a sequence");
  for (size_t i = 0; i < p->n_input; i++) {
    const List *l = input_bound(im, p, i).list;
    if (l && l->n != first->n) fail_proto(im, p, "its sequences are not of one length");
  }
  return first->n;
}

void solve_sequence_map(Import *im, const Onnx__NodeProto *p) {
  const Onnx__GraphProto *body = body_of(im, p, "body");
  int n = map_length(im, p);
  if (p->n_output > body->n_output) fail_proto(im, p, "has more outputs than its graph");
  spend(im, p, (size_t)n * (1 + p->n_input + p->n_output));
  Bound *in = alloc_n(im->cx, p->n_input, sizeof *in);
  List **list = alloc_n(im->cx, p->n_output, sizeof *list);
  for (size_t k = 0; k < p->n_output; k++) {
    list[k] = alloc(im->cx, sizeof **list);
    *list[k] = (List){n, alloc_n(im->cx, (size_t)n, sizeof(Value *))};
  }
  for (int i = 0; i < n; i++) {
    for (size_t k = 0; k < p->n_input; k++) {
      in[k] = input_bound(im, p, k);
      if (in[k].list) in[k] = (Bound){.tensor = in[k].list->tensor[i]};
    }
    const Bound *out = run_body(im, p, body, format_text(im->cx, "%d", i), p->n_input, in);
    for (size_t k = 0; k < p->n_output; k++) list[k]->tensor[i] = tensor_of(im, p, out[k]);
  }
  for (size_t k = 0; k < p->n_output; k++) bind_output(im, p, k, (Bound){.list = list[k]}, im->g->n_value);
}
