/* import.h: from ONNX to a graph. First what others call, then what the files of import share: they alone know protobuf. */
#ifndef IMPORT_H
#define IMPORT_H

#include "graph.h"

/* ==== model.c: ONNX bytes to a graph ==== */

/* Reads the model file opt->input into a graph of the newest operator versions (attributes that became inputs are
 * inputs, Constant nodes and initializers are constants). */
Graph *import_model(Context *cx, const Options *opt);
/* The same from memory; `folder` is where external data lies, NULL: none allowed. */
Graph *import_bytes(Context *cx, const Options *opt, const void *data, size_t size, const char *folder);
/* A serialized TensorProto as a constant; it carries the tensor's name. */
Value *import_tensor(Context *cx, Graph *g, const void *data, size_t size);

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
typedef struct Onnx__AttributeProto Onnx__AttributeProto;
typedef struct Onnx__TensorProto Onnx__TensorProto;
typedef struct Onnx__SparseTensorProto Onnx__SparseTensorProto;
typedef struct Onnx__ValueInfoProto Onnx__ValueInfoProto;
typedef struct ProtobufCMessage ProtobufCMessage;
typedef struct ProtobufCMessageDescriptor ProtobufCMessageDescriptor;

typedef struct Import {
  Context *cx;
  const Options *opt;
  Graph *g;
  const char *folder;   /* where external data may lie; NULL: nowhere */
  const Onnx__ModelProto *model;
  const Onnx__GraphProto *graph;
  Map functions;        /* operators that the model defines itself */
  Map names;            /* Name: every name of the graph */
  Map dims;             /* int64_t: what a dim_param stands for; -1: the batch */
  bool batched;         /* the batch is symbolic, or was before --batch */
} Import;

/* A node of the model that is not yet in the graph. */
typedef struct Pending {
  struct Pending *next;
  const Onnx__NodeProto *proto;
} Pending;

/* What is known of a name before and after its value is defined. */
typedef struct Name {
  Value *value;         /* NULL: not yet defined */
  const Onnx__TypeProto *type; /* as declared by value_info or as an output; NULL: it is not */
  Pending *waiting;     /* nodes that read the value before it is defined */
  bool taken;           /* an input or output of the interface is called so */
} Name;

/* ==== wire.c ==== */

/* The message that `data` holds, in the arena of cx. NULL: malformed, or too deep or too large when
 * unpacked; *error says which. Never unwinds, so that the caller can give back `data`. */
ProtobufCMessage *wire_unpack(Context *cx, const ProtobufCMessageDescriptor *type, const void *data,
                              size_t size, const char **error);

/* ==== model.c ==== */

/* The file's message. Fails where it is none of ONNX. */
const Onnx__ModelProto *read_model(Context *cx, const char *path);
/* Fails where an input, an output, an initializer or an operator has no name. */
void check_names(Import *im);

/* ==== node.c ==== */

bool domain_is_onnx(const char *domain);
/* Whose operators resnetcc has, if not all of them: ONNX, and what ONNX Runtime's optimizer writes. */
bool domain_is_known(const char *domain);
Op proto_op_find(const Onnx__NodeProto *p); /* in whatever version; OP_NONE: unknown */
/* With its domain, where that is not ONNX's own. */
const char *proto_op_name(Context *cx, const char *domain, const char *op);
/* For messages: the node's own, or that of its first output. */
const char *node_name(const Onnx__NodeProto *p);
/* fail_at, where the graph has no such node yet. */
_Noreturn void fail_proto(const Import *im, const Onnx__NodeProto *p, const char *fmt, ...) PRINTF(3, 4);

/* ==== check.c ==== */

/* Fails where an attribute has two values, is given twice or is not of the kind that its operator takes. */
void check_attributes(const Import *im);
/* An Onnx__AttributeProto__AttributeType. Files before IR version 2 have no `type`, and some writers still leave it out. */
int attr_type(const Onnx__AttributeProto *p);

/* ==== operators.c ==== */

void read_functions(Import *im);
/* Why resnetcc does not have the operator of this node in that operator set; NULL: it has. */
const char *why_missing(const Import *im, int opset, const Onnx__NodeProto *p);
Op proto_op(const Import *im, const Onnx__NodeProto *p); /* OP_NONE: it is missing */
/* Fails naming every operator that is missing once, with its first node. */
void check_operators(Import *im);

/* ==== tensor.c ==== */

/* The tensor as a constant called `name`. Elements are not copied where the message holds them as they are needed. */
Value *read_tensor(Context *cx, Graph *g, const Onnx__TensorProto *t, const char *name, const char *folder);
Value *read_sparse_tensor(Context *cx, Graph *g, const Onnx__SparseTensorProto *s, const char *name,
                          const char *folder);
/* An ONNX type as one of the graph; fails where it is none. */
Type stored_type(Context *cx, int onnx_type, const char *what, const char *name);

/* ==== interface.c ==== */

/* Gives every symbolic dimension of the model's inputs its meaning: a number pinned by --shape, or the
 * batch, which is a number too with --batch. */
void bind_dims(Import *im);
/* Once all inputs have a shape: fails where --batch asks for what the model is not. */
void check_batch(const Import *im);
/* The shape of a model input; fails where a dimension has no meaning. */
Shape input_shape(Import *im, const Onnx__ValueInfoProto *input);
/* The shape that a value was declared with; rank -1 where that is not known in full. */
Shape declared_shape(const Import *im, const Onnx__TypeProto *type);

/* ==== upgrade.c ==== */

/* Brings n, the last node of g, from the form of operator set g->opset to the newest. May add nodes around
 * it. An output that inference does not have is left without a def. */
void upgrade_node(Graph *g, Node *n);
#endif
