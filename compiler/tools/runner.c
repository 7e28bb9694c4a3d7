/* runner.c: a model that runs in this process: an ONNX file compiled for it, or a shared library that resnetcc has made. */
#include "tools.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>

struct Runner {
  RunnerView view;     /* first */
  Context *cx;
  Jit *jit;            /* of an ONNX file */
  Object object;
  void *library;       /* else */
  const void *mapped;  /* its weights; NULL: it has them itself */
  size_t mapped_size;
};

Callable callable_of(const rcc_model *m, const void *weights) {
  Callable c = {.table = *m, .weights = weights};
  if (weights) c.table.n_inputs--;
  return c;
}

/* ==== compiled here ==== */

static Tuning *read_times(Context *cx, const ToolOptions *opt, const Target *target) {
  if (!opt->tune || !*opt->tune) return NULL;
  Tuning *t = tuning_read(cx, target, opt->tune);
  if (t) return t;
  fail(cx, "--tune: there is no file '%s'; compile the model with it first", opt->tune);
}

/* g, for the target, in r. */
static void compile_graph(Runner *r, Graph *g, const Options *o, const Target *target, Tuning *times) {
  Context *cx = r->cx;
  front_run(g, NULL, NULL);
  g->name = "model";
  Build *b = r->view.build = build_new(g, o, target);
  b->times = times;
  build_run(b, NULL, NULL);
  object_emit(b, &r->object);
  r->jit = jit_open(cx, g->name, &r->object);
  r->view.model = callable_of(jit_model(r->jit), weights_are_input(b) ? weights_joined(b) : NULL);
  r->view.rounds = layers_round_otherwise(g);
}

static const Target *target_here(Context *cx, const Options *o) {
  const Target *target = target_new(cx, o);
  const char *why = why_not_here(cx, target);
  if (why) fail(cx, "cannot run here: %s", why);
  return target;
}

static void compile_here(Runner *r, const ToolOptions *opt, const char *path) {
  Context *cx = r->cx;
  Options *o = alloc(cx, sizeof *o);
  *o = opt->compile;
  if (path != opt->compile.input) o->model = (Buffer){0};
  o->input = path;
  o->emit = EMIT_OBJ;
  const Target *target = target_here(cx, o);
  Graph *g = import_model(cx, o);
  r->view.graph = graph_copy(cx, g);
  reference_prepare(r->view.graph);
  compile_graph(r, g, o, target, read_times(cx, opt, target));
}

/* ==== a shared library ==== */

/* An address that the dynamic section names; some C libraries have added the base to it, some have not. */
static const void *dynamic_address(const struct link_map *map, const ElfW(Dyn) *d) {
  ElfW(Addr) at = d->d_un.d_ptr;
  return (const void *)(uintptr_t)(at < map->l_addr ? at + map->l_addr : at);
}

/* How many symbols there are is known to the table by which they are found alone. */
static uint32_t count_symbols(const uint32_t *hash) {
  uint32_t buckets = hash[0], first = hash[1], last = 0;
  const uint32_t *bucket = hash + 4 + hash[2] * (sizeof(ElfW(Addr)) / 4), *chain = bucket + buckets;
  for (uint32_t i = 0; i < buckets; i++) {
    if (bucket[i] > last) last = bucket[i];
  }
  if (last < first) return first;
  while (!(chain[last - first] & 1)) last++;
  return last + 1;
}

typedef struct Symbols {
  const ElfW(Sym) *symbol;
  const char *text;
  uint32_t n;
} Symbols;

static Symbols symbols_of(const struct link_map *map) {
  Symbols s = {0};
  for (const ElfW(Dyn) *d = map->l_ld; d->d_tag != DT_NULL; d++) {
    if (d->d_tag == DT_SYMTAB) s.symbol = dynamic_address(map, d);
    else if (d->d_tag == DT_STRTAB) s.text = dynamic_address(map, d);
    else if (d->d_tag == DT_GNU_HASH) s.n = count_symbols(dynamic_address(map, d));
    else if (d->d_tag == DT_HASH) s.n = ((const uint32_t *)dynamic_address(map, d))[1];
  }
  if (!s.symbol || !s.text) s.n = 0;
  return s;
}

/* An object of the library's whose name has that beginning and that ending; NULL: it has none. */
static const ElfW(Sym) *find_object(const Symbols *s, const char *begin, const char *ending) {
  size_t first = strlen(begin), last = strlen(ending);
  for (uint32_t i = 1; i < s->n; i++) {
    const char *name = s->text + s->symbol[i].st_name;
    size_t n = strlen(name);
    bool defined = s->symbol[i].st_shndx != SHN_UNDEF && (s->symbol[i].st_info & 15) == STT_OBJECT;
    bool named = n > last && n >= first + last && strncmp(name, begin, first) == 0 && strcmp(name + n - last, ending) == 0;
    if (defined && named) return &s->symbol[i];
  }
  return NULL;
}

/* What the library was made by may be newer than this program. */
static void check_table(Context *cx, const rcc_model *m) {
  if (m->abi != RCC_ABI) fail(cx, "it has the ABI %u, this resnetcc %d; compile the model again", m->abi, RCC_ABI);
  for (int i = 0; i < m->n_inputs + m->n_outputs; i++) {
    const rcc_tensor *t = i < m->n_inputs ? &m->inputs[i] : &m->outputs[i - m->n_inputs];
    bool known = t->rank <= MAX_RANK && type_size((Type)t->type) > 0;
    if (!known) fail(cx, "the tensor \"%s\" is of no kind that resnetcc has", t->name);
  }
}

/* The file that is named, or the one beside the library. */
static void map_weights(Runner *r, const rcc_model *m, const char *named, const char *library) {
  Context *cx = r->cx;
  const char *path = named ? named : format_text(cx, "%s.weights", path_without_ending(cx, library));
  r->mapped = rcc_weights_map(path, m, &r->mapped_size);
  if (r->mapped) return;
  if (errno == EINVAL) fail(cx, "the file '%s' does not hold its weights; --weights=FILE names another", path);
  fail(cx, "its weights '%s': %s; --weights=FILE names another file", path, strerror(errno));
}

static void load_library(Runner *r, const char *weights, const char *path) {
  Context *cx = r->cx;
  r->library = dlopen(strchr(path, '/') ? path : format_text(cx, "./%s", path), RTLD_NOW | RTLD_LOCAL);
  if (!r->library) fail(cx, "it does not load: %s", copy_text(cx, dlerror()));
  struct link_map *map;
  Symbols s = {0};
  if (dlinfo(r->library, RTLD_DI_LINKMAP, &map) == 0) s = symbols_of(map);
  const ElfW(Sym) *table = find_object(&s, "", "_model");
  if (!table) fail(cx, "no model is in this library; make it of an object of resnetcc's, with NAME_model visible");
  const rcc_model *m = dlsym(r->library, s.text + table->st_name);
  check_table(cx, m);
  const ElfW(Sym) *labels = find_object(&s, m->name, "_labels");
  if (labels) {
    r->view.label = dlsym(r->library, s.text + labels->st_name);
    r->view.n_label = (int64_t)(labels->st_size / sizeof *r->view.label);
  }
  if (m->flags & RCC_WEIGHTS_INPUT) map_weights(r, m, weights, path);
  else if (weights) fail(cx, "--weights: the library has its weights itself");
  r->view.model = callable_of(m, r->mapped);
  r->view.rounds = true;
}

/* ==== either ==== */

/* ET_NONE: no ELF file; import tells what is wrong with it. */
static int elf_type(const char *path) {
  ElfW(Ehdr) head = {0};
  FILE *f = fopen(path, "rb");
  if (!f) return ET_NONE;
  size_t n = fread(&head, 1, sizeof head, f);
  fclose(f);
  return n == sizeof head && is_elf(&head, n) ? head.e_type : ET_NONE;
}

void runner_close(Runner *r) {
  if (r->jit) jit_close(r->jit);
  rcc_weights_unmap(r->mapped, r->mapped_size);
  if (r->library) dlclose(r->library);
  r->jit = NULL;
  r->object = (Object){0};
  r->mapped = NULL;
  r->library = NULL;
}

static void close_runner(void *r) { runner_close(r); }

static Runner *runner_new(Context *cx) {
  Runner *r = alloc(cx, sizeof *r);
  *r = (Runner){.cx = cx};
  arena_at_end(cx, close_runner, r);
  return r;
}

Runner *runner_of_graph(Context *cx, Graph *g) {
  Runner *r = runner_new(cx);
  Options *o = alloc(cx, sizeof *o);
  *o = (Options){.input = g->opt->input, .max_memory = g->opt->max_memory, .emit = EMIT_OBJ, .batch = g->opt->batch};
  g->opt = o;
  compile_graph(r, g, o, target_here(cx, o), NULL);
  return r;
}

Runner *runner_open(Context *cx, const ToolOptions *opt, const char *path) {
  Runner *r = runner_new(cx);
  const char *file = cx->file;
  cx->file = path;
  int type = elf_type(path);
  if (type == ET_REL) fail(cx, "an object does not run by itself; make a library of it: cc -shared NAME.o -lresnetcc_rt -o NAME.so");
  const char *weights = path == opt->compile.input ? opt->weights : NULL;
  if (type != ET_NONE) load_library(r, weights, path);
  else if (weights) fail(cx, "--weights: a model has its weights itself; a file of them is for a library that was made with one");
  else compile_here(r, opt, path);
  cx->file = file;
  return r;
}

const RunnerView *runner_view(const Runner *r) { return &r->view; }

/* ==== runs ==== */

Tensor runner_tensor(const rcc_tensor *t, int64_t batch) {
  Tensor whole = {.name = t->name, .type = (Type)t->type, .shape = {.rank = t->rank}};
  for (int i = 0; i < t->rank; i++) whole.shape.d[i] = t->dims[i] < 0 ? batch : t->dims[i];
  return whole;
}

struct Instance {
  Callable model;
  const void **in;     /* of a run, where the weights are the last of them; else NULL */
  int64_t batch;
  void *work;
  size_t work_size;
  rcc_pool *pool;      /* NULL: one thread, the caller */
  Tensor *out;
  void **data;         /* of these */
};

void instance_close(Instance *r) {
  rcc_pool_destroy(r->pool);
  rcc_workspace_free(r->work, r->work_size + 64);
  r->pool = NULL;
  r->work = NULL;
}

static void close_instance(void *r) { instance_close(r); }

Instance *instance_open(Context *cx, const Callable *c, int64_t batch, int threads) {
  const rcc_model *m = &c->table;
  Instance *r = alloc(cx, sizeof *r);
  *r = (Instance){.model = *c, .batch = batch, .work_size = m->workspace_size(batch, threads)};
  if (c->weights) {
    r->in = alloc_n(cx, (size_t)m->n_inputs + 1, sizeof *r->in);
    r->in[m->n_inputs] = c->weights;
  }
  r->out = alloc_n(cx, (size_t)m->n_outputs + 1, sizeof *r->out);
  r->data = alloc_n(cx, (size_t)m->n_outputs + 1, sizeof *r->data);
  for (int i = 0; i < m->n_outputs; i++) {
    r->out[i] = runner_tensor(&m->outputs[i], batch);
    if (shape_count(&r->out[i].shape) > MOST_MEMORY) fail(cx, "a batch of %lld is too large", (long long)batch);
    r->out[i].data = r->data[i] = alloc(cx, tensor_size(&r->out[i]) + 1);
  }
  arena_at_end(cx, close_instance, r);
  r->work = rcc_workspace_alloc(r->work_size + 64);
  if (threads > 1) r->pool = rcc_pool_create(threads);
  if (r->work && (threads == 1 || r->pool)) return r;
  fail(cx, "%s", r->work ? "the threads can't be started" : "out of memory");
}

int instance_run(Instance *r, const void *const *in) {
  const rcc_model *m = &r->model.table;
  if (r->in) move_bytes(r->in, in, (size_t)m->n_inputs * sizeof *in);
  return m->run(r->in ? r->in : in, r->data, r->batch, r->work, r->work_size, r->pool ? rcc_pool_parallel(r->pool) : NULL);
}

const Tensor *instance_outputs(const Instance *r) { return r->out; }
