/* dispatch.c - the tiers of this build in one table. CO_HAVE_* come from the tier table of
 * CMakeLists.txt. */
#include "dispatch.h"

#include "cpu.h"

#define TIER_DECLARE(tier) extern const co_kernels co_kernels_##tier##_f32, co_kernels_##tier##_f64
#define TIER(tier, needs) {needs, &co_kernels_##tier##_f32, &co_kernels_##tier##_f64, NULL}
/* A tier that adds to the float32 table of another. */
#define TIER_ADDS(tier, to, needs)                                                                 \
    {needs, &co_kernels_##to##_f32, &co_kernels_##to##_f64, co_add_##tier}

TIER_DECLARE(baseline);
TIER_DECLARE(avx2);
TIER_DECLARE(avx512);
void co_add_avx2vnni(co_kernels *table);
void co_add_avx512vnni(co_kernels *table);
void co_add_avx512bf16(co_kernels *table);
void co_add_amx(co_kernels *table);

/* The best last. */
static const struct {
    int needs; /* sets of cpu.h */
    const co_kernels *f32, *f64;
    void (*add)(co_kernels *table);
} tiers[] = {
    TIER(baseline, 0),
#ifdef CO_HAVE_AVX2
    TIER(avx2, CO_CPU_V3),
#endif
#ifdef CO_HAVE_AVX2VNNI
    TIER_ADDS(avx2vnni, avx2, CO_CPU_V3 | CO_CPU_AVXVNNI),
#endif
#ifdef CO_HAVE_AVX512
    TIER(avx512, CO_CPU_V3 | CO_CPU_V4),
#endif
#ifdef CO_HAVE_AVX512VNNI
    TIER_ADDS(avx512vnni, avx512, CO_CPU_V3 | CO_CPU_V4 | CO_CPU_AVX512VNNI),
#endif
#ifdef CO_HAVE_AVX512BF16
    TIER_ADDS(avx512bf16, avx512, CO_CPU_V3 | CO_CPU_V4 | CO_CPU_AVX512VNNI | CO_CPU_AVX512BF16),
#endif
#ifdef CO_EMULATE_TILES
    TIER_ADDS(amx, baseline, 0),
#elif defined(CO_HAVE_AMX)
    TIER_ADDS(amx, avx512,
              CO_CPU_V3 | CO_CPU_V4 | CO_CPU_AVX512VNNI | CO_CPU_AVX512BF16 | CO_CPU_AMX),
#endif
};
#define TIERS ((int)(sizeof tiers / sizeof *tiers))

static co_kernels tables[TIERS]; /* for float32 */

void co_dispatch_init(void) {
    for (int t = 0; t < TIERS; t++) {
        tables[t] = *tiers[t].f32;
        if (tiers[t].add) tiers[t].add(&tables[t]);
    }
}

int co_tier_count(void) { return TIERS; }

const char *co_tier_name(int tier) { return tier >= 0 && tier < TIERS ? tables[tier].isa : NULL; }

int co_tier_supported(int tier) {
    return tier >= 0 && tier < TIERS && !(tiers[tier].needs & ~co_cpu_sets());
}

const co_kernels *co_tier_kernels(int tier, int real_bits) {
    return real_bits == 32 ? &tables[tier] : tiers[tier].f64;
}
