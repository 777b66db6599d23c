/* cpu.h - what this CPU and its operating system can run, and what they say of its cache. */
#ifndef COREOPS_CPU_H
#define COREOPS_CPU_H

#include <stddef.h>

/* Levels of the x86-64 psABI; each includes those before it. */
enum { CO_LEVEL_BASELINE, CO_LEVEL_X86_64_V3, CO_LEVEL_X86_64_V4 };

/* The highest level whose every feature is present: the compiler may use any of them. */
int co_cpu_level(void);

/* The bytes of the last cache that a core may call its own: no more than 64 MiB of it, for a large
 * one has many cores to serve; 32 MiB where nobody says. */
ptrdiff_t co_cache_bytes(void);

#endif
