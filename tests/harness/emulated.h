/* emulated.h: models for another architecture, which an emulator runs. With RESNETCC_EMULATED=CPU in the environment load_graph makes them
 * for that CPU of aarch64, whatever target is asked for: so tests of kernels are those of other machines' kernels as well. */
#ifndef EMULATED_H
#define EMULATED_H

#include "compile.h"
#include "resnetcc_rt.h"

/* The CPU; NULL: this machine runs its own code. */
const char *emulated_cpu(void);
/* Its target, with the other options as they are. */
Target *emulated_target(Context *cx, const Options *opt);
/* The object of g, as the table of a model whose run starts a program; one at a time. It asks for no workspace here. */
const rcc_model *emulated_model(const Graph *g, const Object *o);

#endif
