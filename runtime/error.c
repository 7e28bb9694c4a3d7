/* error.c: what the error codes mean. */
#include "resnetcc_rt.h"

const char *rcc_strerror(int error) {
  switch (error) {
  case RCC_OK: return "no error";
  case RCC_ERR_ARGUMENT: return "an input or output pointer is missing, or no thread is lent";
  case RCC_ERR_WORKSPACE: return "the workspace is too small or not aligned to 64 bytes";
  case RCC_ERR_CPU: return "the CPU lacks a feature that the model was compiled for; rcc_cpu_missing names it";
  case RCC_ERR_SHAPE: return "the model cannot run a batch of this size";
  case RCC_ERR_WEIGHTS: return "the weights are missing, misaligned, or not those that the model was compiled with";
  default: return "unknown error";
  }
}
