/* operators.c: which of a model's operators resnetcc has. */
#include "onnx.pb-c.h"
#include "import.h"

#include <string.h>

enum { OLDEST_OPSET = 1, NEWEST_OPSET = 28 };

static const char *function_key(const Import *im, const char *domain, const char *name, const char *overload) {
  const char *key = proto_op_name(im->cx, domain, name);
  return is_named(overload) ? format_text(im->cx, "%s:%s", key, overload) : key;
}

void read_functions(Import *im) {
  for (size_t i = 0; i < im->model->n_functions; i++) {
    Onnx__FunctionProto *f = im->model->functions[i];
    if (!is_named(f->name)) fail(im->cx, "function %zu has no name", i);
    const char *key = function_key(im, f->domain, f->name, f->overload);
    if (map_get(&im->functions, key)) fail(im->cx, "the function \"%s\" is defined twice", key);
    map_put(im->cx, &im->functions, key, f);
  }
}

const Onnx__FunctionProto *called_function(const Import *im, const Onnx__NodeProto *p) {
  return im->functions.n ? map_get(&im->functions, function_key(im, p->domain, p->op_type, p->overload)) : NULL;
}

int64_t onnx_opset(const Import *im, size_t n, Onnx__OperatorSetIdProto *const *set) {
  int64_t version = 0;
  for (size_t i = 0; i < n; i++) {
    if (!domain_is_onnx(set[i]->domain)) continue;
    if (version && set[i]->version != version)
      fail(im->cx, "the model says operator set %lld and operator set %lld", (long long)version, (long long)set[i]->version);
    version = set[i]->version;
  }
  if (version && (version < OLDEST_OPSET || version > NEWEST_OPSET))
    fail(im->cx, "operator set %lld is not supported, sets %d to %d are", (long long)version, OLDEST_OPSET, NEWEST_OPSET);
  return version;
}

/* Operators that are refused on purpose. */
static const char sizes[] = "makes a result whose size depends on data; export the network without its post-processing";
static const char boxes[] = "cuts boxes out of a map, as detectors do behind the network; export it without its post-processing";
static const char recurrent[] = "is recurrent: resnetcc compiles networks that only feed forward";
static const char chance[] = "draws random numbers; export the model for inference, or make them an input";
static const char training[] = "is for training; export the model for inference, in PyTorch after model.eval()";
static const char texts[] = "works on strings; do that before the model, or behind it";
static const char signals[] = "is of signal processing; do that before the model, whose input is then the spectrum";

static const struct Refused {
  const char *op, *why;
} refused[] = {
  {"NonMaxSuppression", sizes}, {"Unique", sizes},
  {"RoiAlign", boxes}, {"MaxRoiPool", boxes},
  {"RNN", recurrent}, {"GRU", recurrent}, {"LSTM", recurrent},
  {"Bernoulli", chance}, {"Multinomial", chance}, {"RandomNormal", chance}, {"RandomNormalLike", chance},
  {"RandomUniform", chance}, {"RandomUniformLike", chance},
  {"NegativeLogLikelihoodLoss", training}, {"SoftmaxCrossEntropyLoss", training}, {"Adagrad", training}, {"Adam", training},
  {"Gradient", training}, {"Momentum", training},
  {"RegexFullMatch", texts}, {"StringConcat", texts}, {"StringNormalizer", texts}, {"StringSplit", texts},
  {"TfIdfVectorizer", texts},
  {"DFT", signals}, {"STFT", signals}, {"MelWeightMatrix", signals},
  {"ImageDecoder", "decodes image files; give the model their pixels"},
};

static const char *why_refused(const Onnx__NodeProto *p) {
  bool known = domain_is_onnx(p->domain) || strcmp(p->domain, "ai.onnx.preview.training") == 0;
  for (size_t i = 0; known && i < COUNT(refused); i++)
    if (strcmp(refused[i].op, p->op_type) == 0) return refused[i].why;
  return NULL;
}

const char *why_missing(const Import *im, int opset, const Onnx__NodeProto *p) {
  if (called_function(im, p)) return NULL;
  Op op = proto_op_find(p);
  const OpInfo *info = &op_info[op];
  if (is_named(p->overload)) return "is a function that the model does not have";
  const char *why = op == OP_NONE ? why_refused(p) : NULL;
  if (why) return why;
  if (!domain_is_known(p->domain)) return "is of a domain that resnetcc does not know";
  if (op == OP_NONE) return "is an operator that resnetcc does not have";
  if (!domain_is_onnx(p->domain)) return NULL; /* it has one version */
  if (opset < info->since) return format_text(im->cx, "is supported from operator set %d on", info->since);
  if (info->until && opset > info->until) return format_text(im->cx, "is supported up to operator set %d", info->until);
  return NULL;
}

Op proto_op(const Import *im, const Onnx__NodeProto *p) {
  return why_missing(im, im->g->opset, p) ? OP_NONE : proto_op_find(p);
}

/* Adds a missing operator to those behind the first, if there is room. */
static bool add_missing(Context *cx, const char **list, const char *op, const char *node) {
  enum { ROOM = 200 };
  if (strlen(*list) + strlen(op) + strlen(node) > ROOM) return false;
  *list = format_text(cx, "%s%s %s (\"%s\")", *list, **list ? "," : ", also", op, node);
  return true;
}

void check_operators(Import *im, size_t n, Onnx__NodeProto *const *node) {
  Map seen = {0};
  const Onnx__NodeProto *first = NULL;
  const char *others = "";
  int left_out = 0;
  for (size_t i = 0; i < n; i++) {
    const Onnx__NodeProto *p = node[i];
    const char *op = proto_op_name(im->cx, p->domain, p->op_type);
    if (!why_missing(im, im->g->opset, p) || map_get(&seen, op)) continue;
    map_put(im->cx, &seen, op, im);
    if (!first) first = p;
    else if (!add_missing(im->cx, &others, op, node_name(p))) left_out++;
  }
  if (!first) return;
  const char *why = why_refused(first), *more = left_out ? format_text(im->cx, " and %d more", left_out) : "";
  fail_proto(im, first, "unsupported operator%s%s%s%s", why ? ", which " : "", why ? why : "", others, more);
}
