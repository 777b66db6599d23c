/* cpu.h - what this CPU and its operating system can run, asked by dispatch.c alone. */
#ifndef COREOPS_CPU_H
#define COREOPS_CPU_H

/* Sets of features, each what some tiers need: the levels of the x86-64 psABI (what is new in
 * them), and extensions. */
enum { CO_CPU_V3 = 1, CO_CPU_V4 = 2, CO_CPU_AVXVNNI = 4, CO_CPU_AVX512VNNI = 8 };

/* The sets whose every feature is present: the compiler may use any of them. */
int co_cpu_sets(void);

#endif
