/* tools.h: what was asked for, where the outputs go, what runs an object here, and what prints. */
#ifndef TOOLS_H
#define TOOLS_H

#include "compile.h"

#include "resnetcc_rt.h"

/* --report, as often as it was given. */
enum { MAX_REPORTS = 8 };
typedef struct ReportPaths {
  int n;
  const char *path[MAX_REPORTS]; /* "": the tables for people; "-": JSON on standard output; else the ending says what */
} ReportPaths;

/* Files of an option that may be repeated, or that stand behind the model. */
typedef struct FileList {
  int n;
  const char **path;
} FileList;

/* Numbers of a list as in 1,2,4. */
enum { MAX_COUNTS = 16 };
typedef struct Counts {
  int n;
  int64_t value[MAX_COUNTS];
} Counts;

/* Which range of a value 8 bits reach over: all of what it was, the least that leaves out one element in 100,000, or that with
 * the least mean square error or divergence of distributions. */
typedef enum RangeMethod { RANGES_MSE, RANGES_MINMAX, RANGES_PERCENTILE, RANGES_ENTROPY } RangeMethod;

/* What was asked for. */
typedef struct ToolOptions {
  Options compile;         /* what passes may read */
  const char *output;      /* NULL: in the current folder, named after the input */
  const char *header;      /* NULL: beside the output; "none": there is none */
  bool verbose, quiet, time, each_pass, profile, why, json;
  ReportPaths report;
  const char *tune;        /* the file of times; "": beside the output; NULL: nothing is measured */
  bool depend;             /* -MD */
  const char *depend_file; /* -MF */
  const char *dump;        /* letters of the passes to print the graph after */
  Counts threads;          /* that a run is lent; none: not given */
  Counts batch;            /* bench: as --batch has it, else its only one is in `compile` */
  FileList operand;        /* behind the model */
  int64_t seed;            /* of random inputs; 0: not given */
  double rtol;             /* verify: what may differ, of the largest output; 0: not given */
  bool per_node;
  const char *save, *against;
  const char *weights;     /* of commands that run a model: the file that a library gets; NULL: not given */
  FileList image, in, out; /* run */
  int64_t top;             /* classes that run shows; 0: not given */
  double seconds;          /* bench: of each configuration; 0: not given */
  int64_t parallel;        /* instances at once; 0: not given */
  const char *compare;
  const char *data, *quantize; /* where samples are, of calibrate, and of others in front of their work; NULL: not given */
  RangeMethod ranges;
  const char *keep_float;  /* nodes that stay in floats, NAME,...; NULL: none */
} ToolOptions;

/* ==== work.c ==== */

/* Does a command's work in an arena. What that returns, or 1 with cx->error set, which --json has printed as well. */
int work(Context *cx, const ToolOptions *opt, int (*command)(Context *cx, const ToolOptions *opt));

int threads_of(const ToolOptions *opt); /* that a run is lent, of a command that takes one number */

/* ==== driver.c, inspect.c, verify.c, bench.c, run.c, calibrate.c: the commands ==== */

enum { DIFFERS = 2 }; /* what verify_command returns where it found a difference */
int compile(Context *cx, const ToolOptions *opt); /* import to files */
int inspect(Context *cx, const ToolOptions *opt);
int verify_command(Context *cx, const ToolOptions *opt);
int bench_command(Context *cx, const ToolOptions *opt);
int run_here(Context *cx, const ToolOptions *opt);
int calibrate_command(Context *cx, const ToolOptions *opt);

/* ==== elf.c, compiled.c: what an object, a library or a program holds ==== */

bool is_elf(const void *data, size_t size);
/* Hands the text of every note of ours to `found`; returns how many there are. The bytes may be any. */
typedef void NoteFound(void *data, const char *json, size_t n);
int elf_notes(const void *bytes, size_t size, NoteFound *found, void *data);
JsonText note_member(const JsonText *note, const char *name); /* its value; empty: there is none */
/* Prints them, and the features that this machine lacks. Fails where there is none. */
void inspect_compiled(Context *cx, bool json, const void *data, size_t size);

/* ==== weights.c ==== */

/* Fails where the file does not hold the weights of a model in that object, library or program, to the last byte. */
void weights_verify(Context *cx, const char *weights, const char *object);

/* ==== paths.c: where the outputs of a compilation go ==== */

char *path_without_ending(Context *cx, const char *path); /* of its last part; a shared library's version is part of it */
/* What is written: EMIT_AUTO is decided by the output's ending. Fails where that says nothing. */
int emit_kind(Context *cx, const ToolOptions *opt);
const char *runtime_archive(Context *cx); /* libresnetcc_rt.a, as it was installed with this program, or built */
typedef struct Paths {
  const char *output;
  const char *header, *weights, *tuning, *depend; /* NULL: none is written */
  int n_report;
  const char *report[MAX_REPORTS];      /* those of --report that are not "" */
} Paths;
Paths paths_of(Context *cx, const ToolOptions *opt);
/* Fails where one is a folder, the input cx->file or another of them. */
void paths_check(Context *cx, const Paths *paths);
/* Fails where one is that file. */
void paths_check_input(Context *cx, const Paths *paths, const char *input);

/* ==== shared.c ==== */

/* The object and the runtime as a shared library to be called as `path` says, by the C compiler that the environment names as
 * CC. It shows what begins with the model's name or rcc_ and nothing else. */
void shared_library(const Build *b, const Object *o, const char *path, Output *out);

/* ==== depend.c ==== */

/* The rule of a Makefile by which `target` is made from the others. */
void depend_print(Context *cx, const char *const *target, int n_target, const char *const *source, int n_source, Buffer *out);

/* ==== tensor.c: tensors in files, and the data sets of ONNX ==== */

typedef struct Tensor {
  const char *name;
  Type type;
  Shape shape;
  const void *data;      /* dense row-major */
} Tensor;

size_t tensor_size(const Tensor *t);
double tensor_element(const Tensor *t, int64_t i); /* of any type */
void *read_whole_file(Context *cx, const char *path, size_t *size);
void write_whole_file(Context *cx, Buffer *bytes, const char *path); /* and frees them */
Tensor tensor_read(Context *cx, const char *path); /* a TensorProto; fails where it is none */
void tensor_write(Context *cx, const Tensor *t, const char *path);

/* What a model gives (output_0.pb, ...) for what (input_0.pb, ...). */
typedef struct DataSet {
  const char *path;
  int n_in, n_out;
  Tensor *in, *out;
} DataSet;

DataSet data_set_read(Context *cx, const char *folder);
/* The folder itself where it is a data set, else its folders test_data_set_* by number. */
const char **data_sets_in(Context *cx, const char *folder, int *count);

/* ==== npy.c ==== */

Tensor npy_parse(Context *cx, const void *data, size_t size); /* copied; fails where it is no dense array of numbers */
void npy_print(Context *cx, const Tensor *t, Buffer *out);

/* ==== picture.c ==== */

typedef struct Picture {
  int width, height;
  uint8_t *rgb;            /* a byte each, rows without gaps */
} Picture;
/* A JPEG or PNG; fails where it is neither, or this program was built without its library. */
Picture picture_read(Context *cx, const char *path);
void picture_print(Context *cx, const Picture *p, Buffer *out); /* a PNG */

/* ==== fit.c: files as what a model takes ==== */

typedef enum FileKind { TENSOR_FILE, NPY_FILE, PICTURE_FILE } FileKind;
FileKind file_kind(Context *cx, const char *path);        /* by its first bytes; sets cx->file */
Tensor tensor_file_read(Context *cx, const char *path);   /* .npy or a TensorProto */
/* How an input takes a picture. */
typedef struct PictureInput {
  int width, height;
  int64_t channels;
  bool planes;         /* a plane of each colour, not the colours of a pixel beside each other */
  bool bytes;          /* else floats */
  bool reversed;       /* blue first */
  bool plain;          /* floats: of 0 to 255; else as torchvision's models are trained */
} PictureInput;
/* False: t takes no pictures. The words of --input in opt say what a program passes. */
bool picture_input(Context *cx, const Options *opt, const rcc_tensor *t, PictureInput *p);
void tell_normalisation(const PictureInput *p); /* where it is assumed */
/* With no stride= in --input: rows of pictures have no gaps, a stride is of the frames that the program has. */
ToolOptions *without_stride(Context *cx, const ToolOptions *opt);
const void *picture_data(Context *cx, const PictureInput *p, const char *path); /* dense, of one image */

/* ==== reference.c: what a compiled model is held against ==== */

void reference_prepare(Graph *g); /* of a graph as imported: what the evaluator needs */
/* False: the data are such that a node has no result, which cx->error tells. */
bool reference_run(Context *cx, Graph *g, const void *const *in, void *const *out);
/* The same, image by image where the batch is symbolic. */
bool reference_run_batch(Context *cx, Graph *g, int64_t batch, const void *const *in, void *const *out);
/* Such as the model can be given, of one image. */
const void **reference_inputs(Graph *g, uint64_t seed);

/* here.c: why code for the target cannot run on this machine; NULL: it can. */
const char *why_not_here(Context *cx, const Target *t);

/* ==== runner.c: a model that runs in this process ==== */

/* A model as it is called here. */
typedef struct Callable {
  rcc_model table;       /* without the weights among its inputs, where these are one */
  const void *weights;   /* the last input of its run; NULL: there is none such */
} Callable;
Callable callable_of(const rcc_model *m, const void *weights); /* weights: NULL where m has no such input */

typedef struct Runner Runner;
typedef struct RunnerView {
  Callable model;
  Graph *graph;          /* as the file has it, for the evaluator; NULL: MODEL is a shared library */
  Build *build;          /* likewise */
  bool rounds;           /* layers have, or may have, algorithms that round otherwise than a sum of products */
  const char *const *label; /* the names of classes that a library has, n_label of them */
  int64_t n_label;
} RunnerView;

/* An ONNX file compiled with opt for this machine, or a shared library, which may need weights: those of opt->compile.input are
 * opt->weights, others in the file beside the library. Fails where it cannot run here. */
Runner *runner_open(Context *cx, const ToolOptions *opt, const char *path);
/* A graph as imported, or as a pass of the front leaves it, compiled for this machine; it is changed. */
Runner *runner_of_graph(Context *cx, Graph *g);
const RunnerView *runner_view(const Runner *r);
void runner_close(Runner *r);
Tensor runner_tensor(const rcc_tensor *t, int64_t batch); /* without data */

/* What one run at a time needs beside its inputs; outputs stay when it is closed. */
typedef struct Instance Instance;
Instance *instance_open(Context *cx, const Callable *m, int64_t batch, int threads);
int instance_run(Instance *r, const void *const *in); /* RCC_OK or an error; from any thread, one at a time */
const Tensor *instance_outputs(const Instance *r);
void instance_close(Instance *r);

/* ==== calibration.c and what it uses ==== */

/* The model of floats opt->compile.input as a serialized one of 8-bit integers, which the caller frees, by samples in `data`, a
 * folder or a file; `show`: prints what is lost where. */
void calibrate(Context *cx, const ToolOptions *opt, const char *data, bool show, Buffer *out);

/* probe.c: a graph that runs in this process and shows some of its values, which are f32. */
typedef struct Probe Probe;
Probe *probe_open(Context *cx, const Graph *g, Value *const *value, int n);
void probe_run(Probe *p, const void *in); /* the one input of one image, which stays */
const float *probe_value(const Probe *p, int i);  /* of the last run */
const float *probe_output(const Probe *p, int i); /* the graph's */
void probe_close(Probe *p);

/* samples.c: pictures and arrays in a folder or a file, as the one input of g, a graph with shapes, takes them. */
typedef struct Samples Samples;
Samples *samples_open(Context *cx, const Options *opt, const Graph *g, const char *path);
int samples_count(const Samples *s);
size_t samples_size(const Samples *s); /* bytes of one */
void samples_read(Samples *s, int i, void *to);
const char *samples_name(const Samples *s, int i);

/* ranges.c */
enum { HISTOGRAM_BINS = 2048 };
typedef struct Histogram { /* of a value's elements between the least and the largest */
  double lo, hi;
  double count[HISTOGRAM_BINS];
} Histogram;
QuantRange range_of(const Histogram *h, RangeMethod method);

/* ==== witness.c: --each-pass ==== */
typedef struct Witness Witness;
Witness *witness_new(Context *cx);
/* After pass p: fails, naming it, if the graph's outputs on random inputs are not what they were after the first pass that
 * left a graph without symbols. */
void witness_check(void *witness, Graph *g, const Pass *p); /* AfterPass */

/* ==== alone.c: layers outside their network ==== */

typedef struct Alone {
  const Node *node;    /* a Conv with candidates ... */
  int candidate;       /* ... and which of them */
  bool bare;           /* without the epilogue, the result an output; else nobody reads it */
  Node *copy;          /* set by build_alone */
} Alone;

/* A build of copies of n nodes of b's graph (from select on), ready for object_emit. What they read is constant or an input. */
Build *build_alone(const Build *b, const Options *opt, Alone *layer, int n);

/* ==== tune.c: --tune ==== */

/* Measures the promising candidates of every layer of g here, from a copy: g is as front_run left it, and stays so. Progress goes
 * to stderr. Fails where this CPU can't run the object. */
Tuning *tuning_measure(const Graph *g, const Options *opt, const Target *t);

/* ==== timing.c: an object that runs in this process ==== */

/* Random inputs, and so many threads to lend. Fails where this CPU can't run the object, naming the option. */
typedef struct Timing Timing;
Timing *timing_open(Build *b, const Object *o, const char *option, int threads);
void timing_run(Timing *t);
/* By layer: the least seconds of the runs so far, of this thread or, with more of them, by the clock; 0: none. */
const double *timing_best(const Timing *t);
bool *timing_skip(Timing *t); /* by layer: the next runs pass it over; false at first */
/* The least seconds of so many runs that are lent nothing, of one thread; short ones are measured several at a time. */
double timing_alone(Timing *t, int runs);
/* GFLOP/s of multiply-adds in registers, measured now on as many threads. */
double timing_peak(Timing *t);
/* GB/s that as many threads move to and from memory. */
double timing_bandwidth(Timing *t);
void timing_close(Timing *t);

/* ==== report.c: what a compilation found; printers know nothing else ==== */

typedef struct ReportError {
  const char *line;        /* as on standard error; the rest are parts of it */
  ErrorPart file, node, op, reason;
} ReportError;

typedef struct ReportRefusal {
  const char *node, *op;   /* NULL: it concerns the whole model */
  const char *reason;
} ReportRefusal;

typedef struct ReportCandidate {
  const char *name;
  double ms;
  bool measured, chosen;   /* not measured: estimated */
} ReportCandidate;

typedef struct ReportLayer {
  const char *node, *op;
  const char *what;        /* a convolution's kernel, channels and map, another operator's result */
  const char *type;        /* of the first result, as its shape */
  Shape shape;
  const char *algorithm;   /* "": the operator has one only */
  const ReportCandidate *candidate; /* what it could have, the least costly first */
  int n_candidate;
  const char **input, **output, **step; /* values that it reads and makes, constants left out; its epilogue */
  int n_input, n_output, n_step;
  double original, packed; /* bytes of its constants in the graph, and in the object */
  int phases;              /* functions that compute it, one after the other; 0: none does, or code was not made */
  const char *symbol;      /* of the first of them */
  double gflop, bytes;     /* that it takes; that it has to move */
  double seconds;          /* of all phases, where Report.runs > 0 */
  bool checked;            /* there are errors: against double precision, relative to the largest result */
  double error, fp32_error; /* of its results; of a sum of products in single precision */
} ReportLayer;

typedef struct ReportBuffer {
  const char *place, *value, *alias; /* alias: the value in whose storage it lies; NULL: it has its own */
  const char *type;
  Shape shape;
  int64_t offset, bytes;
  int block;               /* channels of one; 0: dense */
  int64_t top, left, bottom, right; /* the halo */
  int first, last;         /* layers: that makes it, and the last that reads it */
} ReportBuffer;

/* An output held against what it should be. */
typedef struct ReportOutput {
  const char *name, *type;
  Shape shape;
  bool agrees;
  double error, rtol;      /* the largest difference, of the largest output; up to which it agrees */
  double ulp;              /* the most numbers of the type that lie between */
  int64_t rows, top1, top5; /* vectors of scores, with the same best class, the same five best; rows 0: it is no such */
  int64_t at;              /* where the largest difference is, -1: nowhere; what is there, and what should be */
  double got, want;
} ReportOutput;

typedef struct ReportSet {
  const char *path;
  bool agrees;
  int n_output;
  ReportOutput *output;
} ReportSet;

typedef struct ReportNode {
  const char *node, *op, *algorithm;
  ReportOutput output;
} ReportNode;

/* Runs of a model as bench has timed them; seconds. */
typedef struct ReportBench {
  const char *model;
  int threads, parallel;
  int64_t batch, images;   /* as a run is told, and how many it computes */
  int64_t runs;            /* behind the first */
  double first, least, median, p90, p99, mean;
  double rate;             /* images per second, of all instances */
  double cpu;              /* of all threads for a run */
  double memory;           /* bytes, the process's peak */
  double others;           /* share of the machine's CPUs that other programs had */
} ReportBench;

/* A node of the model and what became of it. */
typedef struct ReportImported {
  const char *node, *op, *what, *fate;
  const char *pass;        /* in which it ceased to be one of the graph; NULL: it never did */
  int layer;               /* that computes it; -1: none */
  const char **input, **output;
  int n_input, n_output;
} ReportImported;

typedef struct Report {
  Context *cx;
  ModelSummary model;      /* of a compilation: file, opset, inputs and outputs alone */
  ReportRefusal *refusal;  /* inspect: why the model cannot be compiled */
  int n_refusal;
  bool symbolic;           /* inspect: the batch is, and nothing is refused */
  const char *triple, *cpu; /* NULL: nothing was compiled */
  int lanes;               /* floats of a vector */
  int64_t weights, workspace, scratch; /* bytes; the workspace of one thread, its scratch included */
  int64_t work;            /* of the workspace, what all threads share that work on an image */
  int64_t once;            /* of the workspace, what all images share; made by so many layers, the first ones: */
  int n_once;
  ReportLayer *layer;
  int n_layer;
  ReportBuffer *buffer;
  int n_buffer;
  const KernelInfo *kernel; /* what the layers' functions call */
  int n_kernel;
  const FloatNode *in_fp32; /* as the graph has them */
  int n_in_fp32;
  int samples;             /* results that were checked of each layer; 0: none has to be */
  const char *unchecked;   /* why none was; NULL: they were */
  int runs, threads;       /* of the profile; 0: there is none */
  double peak;             /* GFLOP/s */
  const char *code;        /* of a model's table: its target; NULL: it was not looked at */
  double rtol;             /* verify */
  ReportSet *set;
  int n_set, n_agree;
  const char *unfit;       /* why data sets beside a model could not be used; NULL: they could */
  ReportNode *node;        /* --per-node */
  int n_node;
  ReportBench *bench;
  int n_bench;
  bool compiled;           /* for bench, in this process */
  ReportImported *imported; /* of a report that is written to a file */
  int n_imported;
  const char *call;        /* the prototype of NAME_run; NULL: no object was made */
  int64_t object;          /* bytes */
  double bandwidth;        /* GB/s to and from memory, of the profile */
  const Strips *strip;     /* layers that one thread runs in strips when it is lent nothing, as the profile's are not */
  int n_strip;
  double in_strips;        /* seconds of such a run; 0: not measured, or there are none */
} Report;

Report *report_new(const Build *b);               /* after the passes */
Report *report_of_table(Context *cx, const char *file, const rcc_model *m); /* of what it says of itself */
/* Without constants; what inference knows of a model as imported is none yet. */
const char **value_names(Context *cx, Value *const *v, int n, int *count);
const char *algorithm_of(const Node *n);          /* after select; "": the operator has one only */
void report_code(Report *r, const Build *b);      /* after object_emit: phases, symbols and kernels */
void report_call(Report *r, const Build *b);      /* the prototype of NAME_run, of the header */
double report_seconds(const Report *r);           /* of all layers */
ReportError report_error(const Context *failed);  /* while that lives */

/* ==== accuracy.c, profile.c: what a report has by running the object, or parts of it, here ==== */

/* The errors of the layers whose algorithm is Winograd's or Strassen's. */
void report_accuracy(Report *r, Build *b);
/* The times of all layers, least of several runs with so many threads. Fails where this CPU can't run the object. */
void report_times(Report *r, Build *b, const Object *o, int threads);

/* ==== compare.c, goldens.c, nodes.c: what verify finds ==== */

bool layers_round_otherwise(const Graph *g);           /* after select: by Winograd's or Strassen's algorithm */
ReportOutput compare_output(const Tensor *got, const Tensor *want, double rtol);
/* What the model gives for the set is held against the set's outputs, or what `other` gives; in r->set, which has room. Fails
 * where the set is not for this model. */
void report_set(Report *r, const Callable *m, const Callable *other, const DataSet *s, int threads);
/* The same of the data sets beside a model that was compiled, as far as it can run here. */
void report_goldens(Report *r, const Build *b, const Object *o);
/* --per-node: every layer's result for the first image of the set; `model` is the runner's graph. */
void report_nodes(Report *r, const ToolOptions *opt, const Graph *model, const DataSet *s);

/* ==== history.c: what became of a model's nodes ==== */

typedef struct History History;
History *history_new(const Graph *g);            /* as imported */
void history_pass(History *h, const Graph *g, const Pass *p); /* after each */
void report_history(Report *r, const History *h);

/* ==== text.c: a report for people ==== */

/* A name as a terminal may show it; the end of one that is too long, which tells more than its beginning. */
const char *shortened(Context *cx, const char *name, int width);
void print_model(const Report *r, FILE *f);      /* inspect */
void print_buffers(const Report *r, FILE *f);    /* --report: sizes, a line for every buffer */
void print_accuracy(const Report *r, FILE *f);   /* and the errors, where there are some */
void print_symbols(const Report *r, FILE *f);    /* and whose code the object's functions are */
void print_candidates(const Report *r, FILE *f); /* --why: a line for each of every layer; * marks the chosen ones; what stays fp32 */
void print_times(const Report *r, FILE *f);      /* --profile: a table of the layers, and one of the algorithms */

/* ==== member.c: JSON ==== */

void json_text(const char *s, size_t n, FILE *f); /* as a string of JSON, in UTF-8 */
void json_string(const char *s, FILE *f);            /* the same; null where it is NULL */
const char *json_between_items(int i);               /* before item i of a list whose items have a line each */
/* Members of an object; `between` stands between them and what comes before. */
void json_member_text(const char *between, const char *name, const char *s, FILE *f);
void json_member_int(const char *between, const char *name, int64_t v, FILE *f);
void json_member_number(const char *between, const char *name, double v, FILE *f); /* null where it is none of JSON's */
void json_member_bool(const char *between, const char *name, bool v, FILE *f);
void json_member_shape(const char *between, const Shape *s, FILE *f); /* "shape" */
void json_member_texts(const char *between, const char *name, const char *const *text, int n, FILE *f);

/* ==== rates.c: the same of bench ==== */

void print_bench(const Report *r, FILE *f);
void json_bench(const Report *r, FILE *f);       /* a member */

/* ==== agreement.c: the same of verify ==== */

void print_agreement(const Report *r, FILE *f);
void json_agreement(const Report *r, FILE *f);   /* members */

/* ==== html.c: a report as a page ==== */

void html_report(const Report *r, Buffer *out);

/* ==== json.c: a report for programs ==== */

#define REPORT_FORMAT "resnetcc-report/1" /* the number changes where a member goes or means something else, not where one comes */
void json_report(const Report *r, FILE *f);
void json_add_report(const Report *r, Buffer *out); /* the same bytes */
void json_error(const ReportError *e, FILE *f);
#endif
