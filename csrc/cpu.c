/* cpu.c - CPUID, and XGETBV for what the operating system saves of the wide registers. */
#include "cpu.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "dispatch.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <cpuid.h>

enum { EBX, ECX };

typedef struct cpu_feature {
    const char *name;
    uint32_t leaf;
    int reg, bit, level; /* the level that needs it */
} cpu_feature;

/* All that -march=x86-64-v3 and -v4 let a compiler use. */
static const cpu_feature features[] = {
    {"sse3", 1, ECX, 0, CO_LEVEL_X86_64_V3},
    {"ssse3", 1, ECX, 9, CO_LEVEL_X86_64_V3},
    {"fma", 1, ECX, 12, CO_LEVEL_X86_64_V3},
    {"cx16", 1, ECX, 13, CO_LEVEL_X86_64_V3},
    {"sse4.1", 1, ECX, 19, CO_LEVEL_X86_64_V3},
    {"sse4.2", 1, ECX, 20, CO_LEVEL_X86_64_V3},
    {"movbe", 1, ECX, 22, CO_LEVEL_X86_64_V3},
    {"popcnt", 1, ECX, 23, CO_LEVEL_X86_64_V3},
    {"osxsave", 1, ECX, 27, CO_LEVEL_X86_64_V3},
    {"avx", 1, ECX, 28, CO_LEVEL_X86_64_V3},
    {"f16c", 1, ECX, 29, CO_LEVEL_X86_64_V3},
    {"lahf", 0x80000001u, ECX, 0, CO_LEVEL_X86_64_V3},
    {"lzcnt", 0x80000001u, ECX, 5, CO_LEVEL_X86_64_V3},
    {"bmi1", 7, EBX, 3, CO_LEVEL_X86_64_V3},
    {"avx2", 7, EBX, 5, CO_LEVEL_X86_64_V3},
    {"bmi2", 7, EBX, 8, CO_LEVEL_X86_64_V3},
    {"avx512f", 7, EBX, 16, CO_LEVEL_X86_64_V4},
    {"avx512dq", 7, EBX, 17, CO_LEVEL_X86_64_V4},
    {"avx512cd", 7, EBX, 28, CO_LEVEL_X86_64_V4},
    {"avx512bw", 7, EBX, 30, CO_LEVEL_X86_64_V4},
    {"avx512vl", 7, EBX, 31, CO_LEVEL_X86_64_V4},
};
#define FEATURES (sizeof features / sizeof *features)
#define FEATURES_TEXT 160

static int has(const cpu_feature *f) {
    uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
    if (!__get_cpuid_count(f->leaf, 0, &eax, &ebx, &ecx, &edx)) return 0;
    return ((f->reg == EBX ? ebx : ecx) >> f->bit) & 1;
}

/* The register state that the operating system saves: 0x6 is SSE and AVX, 0xe0 the masks and
 * the upper halves and numbers of AVX-512. XGETBV itself exists where osxsave is set. */
static int saved_level(void) {
    uint32_t eax, ebx, ecx, edx;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx >> 27 & 1)) return CO_LEVEL_BASELINE;
    __asm__ volatile("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
    if ((eax & 0x6) != 0x6) return CO_LEVEL_BASELINE;
    return (eax & 0xe6) == 0xe6 ? CO_LEVEL_X86_64_V4 : CO_LEVEL_X86_64_V3;
}

int co_cpu_level(void) {
    int level = saved_level();
    for (size_t i = 0; i < FEATURES; i++)
        if (features[i].level <= level && !has(&features[i])) level = features[i].level - 1;
    return level;
}

const char *co_cpu_features(void) {
    static char text[FEATURES_TEXT];
    if (*text) return text;
    for (size_t i = 0; i < FEATURES; i++)
        if (has(&features[i])) {
            if (*text) strcat(text, " ");
            strcat(text, features[i].name);
        }
    return text;
}

/* The largest data cache, of those that the CPU lists: Intel in leaf 4, AMD in one of its own. */
static ptrdiff_t largest_cache(void) {
    static const uint32_t leaves[] = {4, 0x8000001du};
    ptrdiff_t largest = 0;
    for (int i = 0; i < 2; i++) {
        uint32_t eax, ebx, ecx, edx;
        for (uint32_t n = 0; __get_cpuid_count(leaves[i], n, &eax, &ebx, &ecx, &edx); n++) {
            const uint32_t kind = eax & 31; /* 0: no more, 2: instructions */
            const ptrdiff_t ways = (ebx >> 22) + 1, parts = (ebx >> 12 & 0x3ff) + 1;
            const ptrdiff_t bytes = ways * parts * ((ebx & 0xfff) + 1) * ((ptrdiff_t)ecx + 1);
            if (kind == 0) break;
            if (kind != 2 && bytes > largest) largest = bytes;
        }
    }
    return largest;
}

#else

static ptrdiff_t largest_cache(void) { return 0; }

int co_cpu_level(void) { return CO_LEVEL_BASELINE; }

const char *co_cpu_features(void) {
#if defined(__aarch64__)
    return "neon"; /* part of the architecture */
#else
    return "";
#endif
}

#endif

ptrdiff_t co_cache_bytes(void) {
    static atomic_ptrdiff_t known; /* to ask may take the system microseconds */
    const ptrdiff_t most = (ptrdiff_t)64 << 20;
    ptrdiff_t bytes = atomic_load(&known);
    if (bytes == 0) {
        bytes = largest_cache();
        bytes = bytes == 0 ? most / 2 : bytes < most ? bytes : most;
        atomic_store(&known, bytes);
    }
    return bytes;
}
