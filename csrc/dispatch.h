/* dispatch.h - the tiers of this build, those that this CPU can run, and the one in use.
 *
 * A tier is a table of kernels per real width, or what it adds to that of another. Tiers are
 * ordered, the best last: "baseline", "avx2", "avx2vnni", "avx512", "avx512vnni", "avx512bf16",
 * "amx" on x86-64, "baseline" elsewhere. A CPU may have one without having all before it. */
#ifndef COREOPS_DISPATCH_H
#define COREOPS_DISPATCH_H

#include "kernels.h"

/* Makes the tables. Called once, at import, before all others. */
void co_dispatch_init(void);

/* The number of tiers in this build, and the name of each (NULL past the end). */
int co_tier_count(void);
const char *co_tier_name(int tier);

/* 1 if this CPU, and the operating system's saved state, can run the tier. */
int co_tier_supported(int tier);

/* The tier's table for reals of 32 or 64 bits. The tier must be supported. */
const co_kernels *co_tier_kernels(int tier, int real_bits);

/* The CPU features that were looked for and found, separated by spaces. The
 * text lives as long as the process. */
const char *co_cpu_features(void);

#endif
