/* cpu.h - what this CPU and its operating system can run, asked by dispatch.c alone. */
#ifndef COREOPS_CPU_H
#define COREOPS_CPU_H

/* Levels of the x86-64 psABI, and AMX; each includes those before it. */
enum { CO_LEVEL_BASELINE, CO_LEVEL_X86_64_V3, CO_LEVEL_X86_64_V4, CO_LEVEL_AMX };

/* The highest level whose every feature is present and that the operating system lets this process
 * use: the compiler may use any of them. */
int co_cpu_level(void);

#endif
