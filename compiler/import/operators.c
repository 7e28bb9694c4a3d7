/* operators.c: which of a model's operators resnetcc has. */
#include "onnx.pb-c.h"
#include "import.h"

#include <string.h>

void read_functions(Import *im) {
  for (size_t i = 0; i < im->model->n_functions; i++) {
    Onnx__FunctionProto *f = im->model->functions[i];
    if (f->name) map_put(im->cx, &im->functions, proto_op_name(im->cx, f->domain, f->name), f);
  }
}

const char *why_missing(const Import *im, int opset, const Onnx__NodeProto *p) {
  const char *name = proto_op_name(im->cx, p->domain, p->op_type);
  Op op = proto_op_find(p);
  const OpInfo *info = &op_info[op];
  if (map_get(&im->functions, name) || (p->overload && *p->overload)) return "is a function of the model";
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

void check_operators(Import *im) {
  Map seen = {0};
  const Onnx__NodeProto *first = NULL;
  const char *others = "";
  int left_out = 0;
  for (size_t i = 0; i < im->graph->n_node; i++) {
    const Onnx__NodeProto *p = im->graph->node[i];
    const char *op = proto_op_name(im->cx, p->domain, p->op_type);
    if (proto_op(im, p) != OP_NONE || map_get(&seen, op)) continue;
    map_put(im->cx, &seen, op, im);
    if (!first) first = p;
    else if (!add_missing(im->cx, &others, op, node_name(p))) left_out++;
  }
  if (left_out) fail_proto(im, first, "unsupported operator%s and %d more", others, left_out);
  if (first) fail_proto(im, first, "unsupported operator%s", others);
}
