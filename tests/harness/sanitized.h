/* sanitized.h: is this a build with sanitizers? They watch the compiler, not the code that it makes, and take several times as long. */
#ifndef SANITIZED_H
#define SANITIZED_H
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif
#endif
