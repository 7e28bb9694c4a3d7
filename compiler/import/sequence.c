/* sequence.c: sequences and optionals, which carry tensors from one node to another and are none
 * themselves. */
#include "onnx.pb-c.h"
#include "import.h"

/* ---- lists ---- */

static List *list_new(Import *im, const Onnx__NodeProto *p, int64_t n) {
  enum { MOST = 1 << 16 };
  if (n > MOST) fail_proto(im, p, "a sequence of %lld tensors is too long", (long long)n);
  spend(im, p, (size_t)n);
  List *l = alloc(im->cx, sizeof *l);
  *l = (List){(int)n, alloc_n(im->cx, (size_t)n, sizeof *l->tensor)};
  return l;
}

static const List *list_input(Import *im, const Onnx__NodeProto *p) {
  const List *l = input_bound(im, p, 0).list;
  if (!l) fail_proto(im, p, "its first input is not a sequence that is known at compile time");
  return l;
}

static Value *needed(Import *im, const Onnx__NodeProto *p, size_t i) {
  Value *v = input_tensor(im, p, i);
  if (!v) fail_proto(im, p, "input %zu is missing", i);
  return v;
}

static void define_first(Import *im, const Onnx__NodeProto *p, Bound b) {
  bind_output(im, p, 0, b, im->g->n_value); /* what exists keeps its name */
}

/* Input i as a place among n; `otherwise` where it is left out. */
static int position(Import *im, const Onnx__NodeProto *p, size_t i, int n, int otherwise) {
  Value *v = input_tensor(im, p, i);
  if (!v) return otherwise;
  int64_t at = known_int(im, p, v, "the position");
  if (at < -n || at >= n) fail_proto(im, p, "position %lld lies outside", (long long)at);
  return (int)(at < 0 ? at + n : at);
}

void solve_sequence_construct(Import *im, const Onnx__NodeProto *p) {
  List *l = list_new(im, p, (int64_t)p->n_input);
  for (int i = 0; i < l->n; i++) l->tensor[i] = needed(im, p, (size_t)i);
  define_first(im, p, (Bound){.list = l});
}

void solve_sequence_empty(Import *im, const Onnx__NodeProto *p) {
  define_first(im, p, (Bound){.list = list_new(im, p, 0)});
}

void solve_sequence_at(Import *im, const Onnx__NodeProto *p) {
  const List *l = list_input(im, p);
  needed(im, p, 1);
  define_first(im, p, (Bound){.tensor = l->tensor[position(im, p, 1, l->n, 0)]});
}

/* The position may also be behind the last. */
void solve_sequence_insert(Import *im, const Onnx__NodeProto *p) {
  const List *l = list_input(im, p);
  Value *v = needed(im, p, 1), *where = input_tensor(im, p, 2);
  int64_t at = where ? known_int(im, p, where, "the position") : l->n;
  if (at < -l->n || at > l->n) fail_proto(im, p, "position %lld lies outside", (long long)at);
  if (at < 0) at += l->n;
  List *longer = list_new(im, p, (int64_t)l->n + 1);
  for (int i = 0; i < longer->n; i++) longer->tensor[i] = i == at ? v : l->tensor[i < at ? i : i - 1];
  define_first(im, p, (Bound){.list = longer});
}

void solve_sequence_erase(Import *im, const Onnx__NodeProto *p) {
  const List *l = list_input(im, p);
  if (l->n == 0) fail_proto(im, p, "the sequence is empty");
  int at = position(im, p, 1, l->n, l->n - 1);
  List *shorter = list_new(im, p, l->n - 1);
  for (int i = 0; i < shorter->n; i++) shorter->tensor[i] = l->tensor[i < at ? i : i + 1];
  define_first(im, p, (Bound){.list = shorter});
}

static void define_constant(Import *im, const Onnx__NodeProto *p, Type type, int64_t v) {
  if (p->n_output != 1 || !*p->output[0]) fail_proto(im, p, "must have one output");
  name_define(im, p->output[0], (Bound){.tensor = made_number(im, scoped_value(im, p->output[0]), type, v)});
}

void solve_sequence_length(Import *im, const Onnx__NodeProto *p) {
  define_constant(im, p, T_I64, list_input(im, p)->n);
}

/* ---- tensors to lists and back ---- */

enum { MOST_PARTS = 1 << 12 };

/* The sizes of the parts as given, or NULL; *each is their one size where that is given. */
static int64_t *given_sizes(Import *im, const Onnx__NodeProto *p, int *n, int64_t *each) {
  Value *split = input_tensor(im, p, 1);
  *each = 1;
  if (!split) return NULL;
  int64_t count = shape_count(known_shape(im, split)),
      *size = alloc_n(im->cx, (size_t)size_min(count, MOST_PARTS), sizeof *size);
  if (!known_ints(im, split, MOST_PARTS, size, n))
    fail_proto(im, p, "the sizes of the parts must be known at compile time, and at most %d", MOST_PARTS);
  if (split->shape.rank > 0) return size;
  *each = size[0];
  return NULL;
}

/* The last part may be smaller. */
static int64_t *equal_sizes(Import *im, const Onnx__NodeProto *p, int64_t length, int64_t each, int *n) {
  if (each < 1) fail_proto(im, p, "parts of size %lld are impossible", (long long)each);
  if (size_ceiling(length, each) > MOST_PARTS)
    fail_proto(im, p, "there would be more than %d parts", MOST_PARTS);
  *n = (int)size_ceiling(length, each);
  int64_t *size = alloc_n(im->cx, (size_t)*n, sizeof *size);
  for (int i = 0; i < *n; i++) size[i] = size_min(each, length - i * each);
  return size;
}

static Value *without_axis(Import *im, const Onnx__NodeProto *p, Value *v, int64_t axis) {
  Value *in[] = {v, made_ints(im, p, "axis", 1, &axis)};
  return made_node(im, p, OP_Squeeze, "part", 2, in, NULL);
}

static List *split_tensor(Import *im, const Onnx__NodeProto *p, Value *x, int axis, int n,
                          const int64_t *size) {
  const char *name = scoped_node(im, node_name(p));
  Value *in[] = {x, made_ints(im, p, "sizes", n, size)};
  List *l = list_new(im, p, n);
  Node *split = node_new(im->g, OP_Split, name, 2, in, n);
  attr_set_int(im->g, split, "axis", axis);
  for (int i = 0; i < n; i++) l->tensor[i] = made_result(im->g, split, i, fresh_name(im, name, "part"));
  return l;
}

void solve_split_to_sequence(Import *im, const Onnx__NodeProto *p) {
  Value *x = needed(im, p, 0);
  int axis = known_axis(im, p, x, proto_int(p, "axis", 0), "splits");
  int n;
  int64_t each;
  const int64_t *size = given_sizes(im, p, &n, &each);
  if (!size) size = equal_sizes(im, p, x->shape.d[axis], each, &n);
  if (n == 0) fail_proto(im, p, "there are no parts");
  List *l = split_tensor(im, p, x, axis, n, size);
  bool keeps = input_tensor(im, p, 1) || proto_int(p, "keepdims", 1) != 0;
  for (int i = 0; !keeps && i < l->n; i++) l->tensor[i] = without_axis(im, p, l->tensor[i], axis);
  define_first(im, p, (Bound){.list = l});
}

void solve_concat_from_sequence(Import *im, const Onnx__NodeProto *p) {
  const List *l = list_input(im, p);
  const Onnx__AttributeProto *axis = proto_attr(p, "axis");
  if (!axis) fail_proto(im, p, "the attribute axis is missing");
  if (l->n == 0) fail_proto(im, p, "the sequence is empty");
  int since = im->g->n_value;
  Value **part = alloc_n(im->cx, (size_t)l->n, sizeof *part);
  move_bytes(part, l->tensor, (size_t)l->n * sizeof *part);
  bool fresh = proto_int(p, "new_axis", 0) != 0;
  spend(im, p, (size_t)l->n);
  for (int i = 0; fresh && i < l->n; i++) part[i] = made_row(im, p, part[i], axis->i);
  bind_output(im, p, 0, (Bound){.tensor = made_whole(im, p, "joined", l->n, part, axis->i)}, since);
}

/* ---- optionals: a value, or nothing ---- */

static bool has_element(Bound b) { return b.tensor || b.list; }

void solve_optional(Import *im, const Onnx__NodeProto *p) { define_first(im, p, input_bound(im, p, 0)); }

void solve_optional_has_element(Import *im, const Onnx__NodeProto *p) {
  define_constant(im, p, T_BOOL, has_element(input_bound(im, p, 0)));
}

void solve_optional_get_element(Import *im, const Onnx__NodeProto *p) {
  Bound b = input_bound(im, p, 0);
  if (!has_element(b)) fail_proto(im, p, "its input is an optional without a value");
  define_first(im, p, b);
}
