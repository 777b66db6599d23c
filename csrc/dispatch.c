/* dispatch.c - the tiers of this build in one table. CO_HAVE_* come from the tier table of
 * CMakeLists.txt. */
#include "dispatch.h"

#include "cpu.h"

#define TIER_DECLARE(tier) extern const co_kernels co_kernels_##tier##_f32, co_kernels_##tier##_f64
#define TIER(tier, level) {level, &co_kernels_##tier##_f32, &co_kernels_##tier##_f64}

TIER_DECLARE(baseline);
TIER_DECLARE(avx2);
TIER_DECLARE(avx512);
TIER_DECLARE(amx);

/* The widest last. */
static const struct {
    int level;
    const co_kernels *f32, *f64;
} tiers[] = {
    TIER(baseline, CO_LEVEL_BASELINE),
#ifdef CO_HAVE_AVX2
    TIER(avx2, CO_LEVEL_X86_64_V3),
#endif
#ifdef CO_HAVE_AVX512
    TIER(avx512, CO_LEVEL_X86_64_V4),
#endif
#ifdef CO_EMULATE_TILES
    TIER(amx, CO_LEVEL_BASELINE),
#elif defined(CO_HAVE_AMX)
    TIER(amx, CO_LEVEL_AMX),
#endif
};
#define TIERS ((int)(sizeof tiers / sizeof *tiers))

int co_tier_count(void) { return TIERS; }

const char *co_tier_name(int tier) {
    return tier >= 0 && tier < TIERS ? tiers[tier].f32->isa : NULL;
}

int co_tier_supported(int tier) {
    return tier >= 0 && tier < TIERS && tiers[tier].level <= co_cpu_level();
}

const co_kernels *co_tier_kernels(int tier, int real_bits) {
    return real_bits == 32 ? tiers[tier].f32 : tiers[tier].f64;
}
