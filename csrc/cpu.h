/* cpu.h - what this CPU and its operating system can run, and what they say of its cache. */
#ifndef COREOPS_CPU_H
#define COREOPS_CPU_H

#include <stddef.h>

/* Sets of features, each what some tiers need: what is new in a level of the x86-64 psABI, and
 * extensions. */
enum {
    CO_CPU_V3 = 1,
    CO_CPU_V4 = 2,
    CO_CPU_AVXVNNI = 4,
    CO_CPU_AVX512VNNI = 8,
    CO_CPU_AVX512BF16 = 16,
    CO_CPU_AMX = 32 /* with bfloat16 and int8 */
};

/* The sets whose every feature is present and that the operating system lets this process use: the
 * compiler may use any of them. */
int co_cpu_sets(void);

/* The bytes of the last cache that a core may call its own: no more than 64 MiB of it, for a large
 * one has many cores to serve; 32 MiB where nobody says. */
ptrdiff_t co_cache_bytes(void);

#endif
