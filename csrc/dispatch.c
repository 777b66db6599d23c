/* dispatch.c - the tiers of this build in one table. CO_HAVE_* come from the tier table of
 * CMakeLists.txt. */
#include "dispatch.h"

#include "cpu.h"

#define TIER_DECLARE(tier) extern const co_kernels co_kernels_##tier##_f32, co_kernels_##tier##_f64
#define TIER(tier, needs) {needs, &co_kernels_##tier##_f32, &co_kernels_##tier##_f64}
/* What it has over another tier is of no use to float64, whose table is the other's. */
#define TIER_F32(tier, f64, needs) {needs, &co_kernels_##tier##_f32, &co_kernels_##f64##_f64}

TIER_DECLARE(baseline);
TIER_DECLARE(avx2);
TIER_DECLARE(avx2vnni);
TIER_DECLARE(avx512);
TIER_DECLARE(avx512vnni);
TIER_DECLARE(avx512bf16);
TIER_DECLARE(amx);

/* The best last. */
static const struct {
    int needs; /* sets of cpu.h */
    const co_kernels *f32, *f64;
} tiers[] = {
    TIER(baseline, 0),
#ifdef CO_HAVE_AVX2
    TIER(avx2, CO_CPU_V3),
#endif
#ifdef CO_HAVE_AVX2VNNI
    TIER_F32(avx2vnni, avx2, CO_CPU_V3 | CO_CPU_AVXVNNI),
#endif
#ifdef CO_HAVE_AVX512
    TIER(avx512, CO_CPU_V3 | CO_CPU_V4),
#endif
#ifdef CO_HAVE_AVX512VNNI
    TIER_F32(avx512vnni, avx512, CO_CPU_V3 | CO_CPU_V4 | CO_CPU_AVX512VNNI),
#endif
#ifdef CO_HAVE_AVX512BF16
    TIER_F32(avx512bf16, avx512, CO_CPU_V3 | CO_CPU_V4 | CO_CPU_AVX512VNNI | CO_CPU_AVX512BF16),
#endif
#ifdef CO_EMULATE_TILES
    TIER_F32(amx, baseline, 0),
#elif defined(CO_HAVE_AMX)
    TIER_F32(amx, avx512,
             CO_CPU_V3 | CO_CPU_V4 | CO_CPU_AVX512VNNI | CO_CPU_AVX512BF16 | CO_CPU_AMX),
#endif
};
#define TIERS ((int)(sizeof tiers / sizeof *tiers))

int co_tier_count(void) { return TIERS; }

const char *co_tier_name(int tier) {
    return tier >= 0 && tier < TIERS ? tiers[tier].f32->isa : NULL;
}

int co_tier_supported(int tier) {
    return tier >= 0 && tier < TIERS && !(tiers[tier].needs & ~co_cpu_sets());
}

const co_kernels *co_tier_kernels(int tier, int real_bits) {
    return real_bits == 32 ? tiers[tier].f32 : tiers[tier].f64;
}
