/* fuzz.h: what the fuzz targets share. A target is one function from bytes; libFuzzer's main looks for bytes that crash it
 * (preset `fuzz`), replay.c's main gives it those of a corpus. */
#ifndef FUZZ_H
#define FUZZ_H

#include "tools.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

extern bool fuzz_print; /* what the target makes of the bytes goes to standard output (replay -p) */

/* Calls the function with a context of 256 MiB; a compilation that fails comes back as well. */
void fuzz_run(void (*run)(Context *cx, const uint8_t *data, size_t size), const uint8_t *data, size_t size);

#endif
