/* operators.c: which of a model's operators resnetcc has. */
#include "onnx.pb-c.h"
#include "import.h"

#include <string.h>

enum { OLDEST_OPSET = 1, NEWEST_OPSET = 28 };

static const char *function_key(const Import *im, const char *domain, const char *name, const char *overload) {
  const char *key = proto_op_name(im->cx, domain, name);
  return overload && *overload ? format_text(im->cx, "%s:%s", key, overload) : key;
}

void read_functions(Import *im) {
  for (size_t i = 0; i < im->model->n_functions; i++) {
    Onnx__FunctionProto *f = im->model->functions[i];
    if (!f->name || !*f->name) fail(im->cx, "function %zu has no name", i);
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
    fail(im->cx, "operator set %lld is not supported; sets %d to %d are", (long long)version, OLDEST_OPSET, NEWEST_OPSET);
  return version;
}

const char *why_missing(const Import *im, int opset, const Onnx__NodeProto *p) {
  if (called_function(im, p)) return NULL;
  Op op = proto_op_find(p);
  const OpInfo *info = &op_info[op];
  if (p->overload && *p->overload) return "is a function that the model does not have";
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
  *list = format_text(cx, "%s%s %s (\"%s\")", *list, **list ? "," : "; also", op, node);
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
  if (left_out) fail_proto(im, first, "unsupported operator%s and %d more", others, left_out);
  if (first) fail_proto(im, first, "unsupported operator%s", others);
}
