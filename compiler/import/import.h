/* import.h: from ONNX to a graph. First what others call, then what the files of import share: they alone know protobuf. */
#ifndef IMPORT_H
#define IMPORT_H

#include "graph.h"

/* ==== model.c: ONNX bytes to a graph ==== */

/* Reads opt->model, or the model file opt->input, into a graph of the newest operator versions (attributes that became inputs are
 * inputs, Constant nodes and initializers are constants). */
Graph *import_model(Context *cx, const Options *opt);
/* Sets the hashes of the files that a model was read from, which an object's note has: reading them takes as long as import. */
void import_hashes(Graph *g);
/* The same from memory; `folder` is where external data lies, NULL: none allowed. */
Graph *import_bytes(Context *cx, const Options *opt, const void *data, size_t size, const char *folder);
/* A serialized TensorProto as a constant; it carries the tensor's name. */
Value *import_tensor(Context *cx, Graph *g, const void *data, size_t size);

/* ==== save.c ==== */

/* A dense tensor as a serialized TensorProto. */
void save_tensor(Context *cx, const char *name, Type type, const Shape *shape, const void *data, Buffer *out);

/* ==== write.c ==== */

/* The graph as a serialized ModelProto: one of ONNX's operators without epilogues, as the passes up to channels leave it, and
 * rewrite/quantize.c. Fails where sizes depend on the batch in a way that ONNX's constants cannot say. */
void model_write(Graph *g, Buffer *out);

/* ==== inspect.c: what a model file holds, whether or not it can be compiled ==== */

typedef struct ModelTensor {
  const char *name, *type;
  int rank;             /* -1: not known */
  const char **dim;     /* each a number, a name, or "?" */
} ModelTensor;

typedef struct ModelOperator {
  const char *name;     /* with its domain where that is not ONNX's own */
  int count;
  const char *node;     /* the first of them */
  const char *refused;  /* why; NULL: resnetcc has it */
} ModelOperator;

typedef struct ModelSummary {
  const char *file;
  const char *producer; /* "": the file does not say */
  int64_t ir, opset;    /* versions; 0: the file does not say */
  int n_input, n_output;
  ModelTensor *input, *output;
  int n_op;
  ModelOperator *op;    /* the most frequent first */
  int64_t n_node;
  int64_t parameters, bytes; /* elements of all constants, and what they take in the file */
} ModelSummary;

/* Fails where the file is none of ONNX. */
ModelSummary inspect_model(Context *cx, const char *path);
ModelSummary inspect_bytes(Context *cx, const void *data, size_t size); /* without a file */

/* ==== inside import ==== */

/* Messages of the protobuf schema, by name only: who includes this needs no onnx.pb-c.h. */
typedef struct Onnx__ModelProto Onnx__ModelProto;
typedef struct Onnx__GraphProto Onnx__GraphProto;
typedef struct Onnx__NodeProto Onnx__NodeProto;
typedef struct Onnx__TypeProto Onnx__TypeProto;
typedef struct Onnx__TypeProto__Tensor Onnx__TypeProto__Tensor;
typedef struct Onnx__AttributeProto Onnx__AttributeProto;
typedef struct Onnx__TensorProto Onnx__TensorProto;
typedef struct Onnx__SparseTensorProto Onnx__SparseTensorProto;
typedef struct Onnx__ValueInfoProto Onnx__ValueInfoProto;
typedef struct Onnx__FunctionProto Onnx__FunctionProto;
typedef struct Onnx__OperatorSetIdProto Onnx__OperatorSetIdProto;
typedef struct ProtobufCMessage ProtobufCMessage;
typedef struct ProtobufCMessageDescriptor ProtobufCMessageDescriptor;

typedef struct Import Import;
typedef struct Frame Frame;

/* Tensors that travel together: what ONNX calls a sequence. It is never changed. */
typedef struct List {
  int n;
  Value **tensor;
} List;

/* What a name stands for: a tensor, or what exists in import alone. All are NULL where it is an optional that has nothing, or an
 * input that a call leaves out. */
typedef struct Bound {
  Value *tensor;
  const List *list;
} Bound;

/* A node of the model that is not yet in the graph. */
typedef struct Pending {
  struct Pending *next;
  const Onnx__NodeProto *proto;
  char *const *read;    /* the names that it reads, in its subgraphs as well */
  size_t n_read, known; /* so many of them are defined */
} Pending;

/* What is known of a name before and after it is defined. */
typedef struct Name {
  bool defined;
  Bound bound;
  const Onnx__TypeProto *type; /* as declared by value_info or as an output; NULL: it is not */
  Pending *waiting;     /* nodes that read the value before it is defined */
  bool taken;           /* an input or output of the interface is called so */
} Name;

/* The names of a graph, a subgraph or a function's body while its nodes are read. */
typedef struct Scope {
  const struct Scope *outer;  /* a subgraph's: whose names it sees as well */
  struct Scope *caller;       /* in which the node stands that has the subgraph, or calls the function; NULL: none */
  const Onnx__FunctionProto *function; /* in which this is; NULL: in none */
  const Onnx__NodeProto *call;         /* of that function: its attributes are what references mean */
  const char *prefix;   /* of the names of its nodes and values */
  Map names;            /* Name */
  int depth;
} Scope;

struct Import {
  Context *cx;
  const Options *opt;
  Graph *g;             /* g->opset is that of the nodes which are being read */
  const char *folder;   /* where external data may lie; NULL: nowhere */
  const Onnx__ModelProto *model;
  const Onnx__GraphProto *graph;
  Map functions;        /* operators that the model defines itself */
  Map dims;             /* int64_t: what a dim_param stands for; -1: the batch */
  bool batched;         /* the batch is symbolic, or was before --batch */
  Scope *scope, *top;   /* the current one, and the model's graph */
  Map frames;           /* Frame: what --input says of the input of that name */
  int64_t classes;      /* of the output with which --output asks for classes; 0: none, -1: different ones */
  Map tensors;          /* Value: what has been read of a tensor, by where the message lies */
  Map checked;          /* bodies whose nodes have been checked, likewise */
  int64_t spent;        /* on nodes that are read more often than the file has them, see spend */
  int64_t renamed;      /* names made because another was taken */
  int inferred_nodes, inferred_values; /* so many are inferred already, see known.c */
  bool (*solve)(Import *im, const Onnx__NodeProto *p); /* solve.c's, for body.c below it */
};

/* ==== sniff.c ==== */

/* Fails where the first bytes are those of a file that is no ONNX model, and says of what kind it is. */
void sniff(Context *cx, const void *bytes, size_t size);

/* ==== wire.c ==== */

/* The message that `data` holds, in the arena of cx. NULL: malformed, or too deep or too large when
 * unpacked; *error says which. Never unwinds, so that the caller can give back `data`. */
ProtobufCMessage *wire_unpack(Context *cx, const ProtobufCMessageDescriptor *type, const void *data,
                              size_t size, const char **error);

/* ==== model.c ==== */

/* The file's message. Fails where it is none of ONNX. */
const Onnx__ModelProto *read_model(Context *cx, const char *path);

/* ==== node.c ==== */

bool is_named(const char *name); /* "" and NULL are no names */
bool domain_is_onnx(const char *domain);
/* Whose operators resnetcc has, if not all of them: ONNX, and what ONNX Runtime's optimizer writes. */
bool domain_is_known(const char *domain);
Op proto_op_find(const Onnx__NodeProto *p); /* in whatever version; OP_NONE: unknown */
/* With its domain, where that is not ONNX's own. */
const char *proto_op_name(Context *cx, const char *domain, const char *op);
/* For messages: the node's own, or that of its first output. */
const char *node_name(const Onnx__NodeProto *p);
const char *scoped_node(const Import *im, const char *name); /* behind the names of what it stands in */
/* fail_at, where the graph has no such node yet. */
_Noreturn void fail_proto(const Import *im, const Onnx__NodeProto *p, const char *fmt, ...) PRINTF(3, 4);

/* ==== check.c ==== */

/* Fails where an input, an output, an initializer or an operator has no name. */
void check_graph_names(const Import *im, const Onnx__GraphProto *graph);
void check_operator_names(const Import *im, size_t n, Onnx__NodeProto *const *node);
/* Fails where an attribute has two values, is given twice or is not of the kind that its operator takes. */
void check_attributes(const Import *im, const Onnx__NodeProto *n);
/* An Onnx__AttributeProto__AttributeType. Files before IR version 2 have no `type`, and some writers still leave it out. */
int attr_type(const Onnx__AttributeProto *p);

/* ==== operators.c ==== */

void read_functions(Import *im);
/* The function of the model that the node calls; NULL: it is an operator. */
const Onnx__FunctionProto *called_function(const Import *im, const Onnx__NodeProto *p);
/* Why resnetcc does not have the operator of this node in that operator set; NULL: it has. */
const char *why_missing(const Import *im, int opset, const Onnx__NodeProto *p);
Op proto_op(const Import *im, const Onnx__NodeProto *p); /* OP_NONE: it is missing */
/* Fails naming every operator of these nodes that is missing once, with its first node. */
void check_operators(Import *im, size_t n, Onnx__NodeProto *const *node);
/* The version of ONNX's operators that the list says; 0: none. */
int64_t onnx_opset(const Import *im, size_t n, Onnx__OperatorSetIdProto *const *set);

/* ==== tensor.c ==== */

/* The tensor as a constant called `name`. Elements are not copied where the message holds them as they are needed. */
Value *read_tensor(Context *cx, Graph *g, const Onnx__TensorProto *t, const char *name, const char *folder);
Value *read_sparse_tensor(Context *cx, Graph *g, const Onnx__SparseTensorProto *s, const char *name,
                          const char *folder);
/* An ONNX type as one of the graph that others may have than constants; fails where it is none. */
Type stored_type(Context *cx, int onnx_type, const char *what, const char *name);
/* NULL: it is not that of a tensor, or there is none. */
const Onnx__TypeProto__Tensor *tensor_type(const Onnx__TypeProto *t);

/* ==== save.c: the message of save_tensor, whose elements stay where they are ==== */

Onnx__TensorProto *proto_of_tensor(Context *cx, const char *name, Type type, const Shape *shape, const void *data);

/* ==== scope.c: what names stand for ==== */

/* The current scope's entry, made where there is none. */
Name *name_entry(Import *im, const char *name);
/* The entry in the innermost scope that has one; NULL: none has. */
Name *name_find(const Import *im, const char *name);
void name_define(Import *im, const char *name, Bound b);
/* A name for a value that the model does not have. */
const char *fresh_name(Import *im, const char *base, const char *suffix);
/* What a value of the current scope is called in the graph: so, in the model's graph. */
const char *scoped_value(Import *im, const char *name);
/* A scope for what p, a node of the current one, stands for; `label` tells apart several. `function` is NULL: a subgraph. Fails
 * where scopes are nested too deeply, or the function is called by itself. */
void scope_enter(Import *im, const Onnx__NodeProto *p, const char *label, const Onnx__FunctionProto *function);
/* Ends it: what the outputs of the body stand for. Where one is not defined p fails, with the text `fault` before its name. */
Bound *scope_leave(Import *im, const Onnx__NodeProto *p, size_t n, char *const *output, const char *fault);
/* Counts work on what the file has once and the graph several times: a few bytes must not become gigabytes. */
void spend(Import *im, const Onnx__NodeProto *p, size_t work);

/* ==== body.c: nodes into the graph ==== */

/* Fails where one of them can't be read; once for each body, however often it is read. */
void check_nodes(Import *im, size_t n, Onnx__NodeProto *const *node);
/* All of them, sorted. */
void read_nodes(Import *im, size_t n, Onnx__NodeProto *const *node);
void add_initializers(Import *im, const Onnx__GraphProto *graph);
/* The constant in a tensor's message, which is read once. */
Value *constant_in(Import *im, const Onnx__TensorProto *t, const char *name);
Value *constant_in_sparse(Import *im, const Onnx__SparseTensorProto *s, const char *name);
/* Input i of a node; it must exist. A tensor, or NULL where it is left out; or anything. */
Value *input_tensor(Import *im, const Onnx__NodeProto *p, size_t i);
Bound input_bound(Import *im, const Onnx__NodeProto *p, size_t i);
/* Output i stands for b. A tensor that is newer than `since` values of the graph gets the output's name. */
void bind_output(Import *im, const Onnx__NodeProto *p, size_t i, Bound b, int since);
/* The attribute of that name; NULL: there is none. */
const Onnx__AttributeProto *proto_attr(const Onnx__NodeProto *p, const char *name);
int64_t proto_int(const Onnx__NodeProto *p, const char *name, int64_t otherwise);

/* ==== made.c: what the model does not have, for p; its name is p's with a suffix that makes it new ==== */

/* Result i of n, to be inferred; it is called `name`. */
Value *made_result(Graph *g, Node *n, int i, const char *name);
/* The one result of a node behind all others, which *made is then unless it is NULL. */
Value *made_node(Import *im, const Onnx__NodeProto *p, Op op, const char *suffix, int n_in, Value *const *in, Node **made);
Value *made_ints(Import *im, const Onnx__NodeProto *p, const char *suffix, int n, const int64_t *v); /* a constant of rank 1 */
Value *made_number(Import *im, const char *name, Type type, int64_t v);                              /* of rank 0 */
Value *made_row(Import *im, const Onnx__NodeProto *p, Value *v, int64_t axis); /* v with a new axis of size 1 */
/* The parts joined along an axis. */
Value *made_whole(Import *im, const Onnx__NodeProto *p, const char *suffix, int n, Value *const *part, int64_t axis);

/* ==== known.c: what is known of a value while the graph is built ==== */

/* Its shape, as inferred. */
const Shape *known_shape(Import *im, Value *v);
/* Its elements as integers, at most `max`; false: they are not known, or not for every batch. */
bool known_ints(Import *im, Value *v, int max, int64_t *out, int *count);
/* The one element of an integer or bool that `what` is called in the message. */
int64_t known_int(Import *im, const Onnx__NodeProto *p, Value *v, const char *what);
/* An axis of v, counted from the front, along which the batch does not lie, which the message says p does. */
int known_axis(Import *im, const Onnx__NodeProto *p, Value *v, int64_t axis, const char *does);

/* ==== solve.c, and below it function.c, control.c, sequence.c: nodes that are in no graph ==== */

/* What p stands for is added to the graph, its outputs are defined; false: it is an ordinary operator. */
bool solve_node(Import *im, const Onnx__NodeProto *p);
void call_function(Import *im, const Onnx__NodeProto *p, const Onnx__FunctionProto *f);
typedef void Solve(Import *im, const Onnx__NodeProto *p);
Solve solve_constant, solve_if, solve_loop, solve_scan, solve_sequence_map;
Solve solve_sequence_construct, solve_sequence_empty, solve_sequence_at, solve_sequence_insert, solve_sequence_erase,
  solve_sequence_length, solve_split_to_sequence, solve_concat_from_sequence;
Solve solve_optional, solve_optional_has_element, solve_optional_get_element;

/* ==== interface.c ==== */

/* Is an input of the model's graph one of the program's? Initializers, which are read first, are none, even where IR version 3 lists
 * them as such. */
bool is_model_input(const Import *im, const char *name);
/* Gives every symbolic dimension of the model's inputs its meaning: a number pinned by --shape, or the
 * batch, which is a number too with --batch. */
void bind_dims(Import *im);
/* Once all inputs have a shape: fails where --batch asks for what the model is not. */
void check_batch(const Import *im);
/* The shape of a model input; fails where a dimension has no meaning. */
Shape input_shape(Import *im, const Onnx__ValueInfoProto *input);
/* The shape that a value was declared with; rank -1 where that is not known in full. */
Shape declared_shape(const Import *im, const Onnx__TypeProto *type);

/* ==== words.c: the words of --input and --output ==== */

enum { MOST_COUNT = 1 << 24 };
/* "OPTION=TEXT: reason" */
_Noreturn void fail_words(Context *cx, const WordsOption *o, const char *fmt, ...) PRINTF(3, 4);
/* Of which of the n > 0 tensors of these names it speaks, and the words behind the name. */
int words_tensor(Context *cx, const WordsOption *o, int n, const char *const *name, const char **words);
/* The first of the words at *rest, which moves behind it; NULL: there are no more. */
const char *word_next(Context *cx, const WordsOption *o, const char **rest);
const char *word_value(const char *word, const char *key); /* of KEY=VALUE; NULL: it is none */
/* A number from 1 to MOST_COUNT before the character `behind`; *end is behind that, where `end` is no NULL. */
bool word_count(const char *s, char behind, int64_t *out, const char **end);
/* What a word makes of x, of the input or output called `tensor`: a node of x and the others; see made_node. */
Value *word_node(Import *im, const char *tensor, Op op, const char *what, Value *x, Value *const *other, int n_other,
                 Node **made);
Value *word_cast(Import *im, const char *tensor, Value *x, Type to);

/* ==== frame.c: --input ==== */

/* Reads what is said of the model's inputs, which have these names. */
void read_frames(Import *im, int n, const char *const *input);
/* v, an input with the model's type and shape, becomes what the program passes; returns what the model reads. */
Value *frame_input(Import *im, Value *v);
/* The mean and the std, for all channels, of the only input that has such; where there is none they stay as they are. */
void frame_numbers(const Import *im, double *mean, double *std);

/* ==== result.c: --output ==== */

void result_outputs(Import *im);
/* How many classes the output has that --labels is for; fails where that is not clear. */
int64_t result_classes(Import *im);

/* ==== labels.c ==== */

void read_labels(Import *im);

/* ==== upgrade.c ==== */

/* Brings n, the last node of g, from the form of operator set g->opset to the newest. May add nodes around
 * it. An output that inference does not have is left without a def. */
void upgrade_node(Graph *g, Node *n);
#endif
