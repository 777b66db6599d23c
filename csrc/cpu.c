/* cpu.c - CPUID, and XGETBV for what the operating system saves of the wide registers. */
#include "cpu.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "dispatch.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

enum { EAX, EBX, ECX, EDX };

typedef struct cpu_feature {
    const char *name;
    uint32_t leaf, subleaf;
    int reg, bit, level; /* the level that needs it */
} cpu_feature;

/* All that the tiers' flags in CMakeLists.txt let a compiler use. */
static const cpu_feature features[] = {
    {"sse3", 1, 0, ECX, 0, CO_LEVEL_X86_64_V3},
    {"ssse3", 1, 0, ECX, 9, CO_LEVEL_X86_64_V3},
    {"fma", 1, 0, ECX, 12, CO_LEVEL_X86_64_V3},
    {"cx16", 1, 0, ECX, 13, CO_LEVEL_X86_64_V3},
    {"sse4.1", 1, 0, ECX, 19, CO_LEVEL_X86_64_V3},
    {"sse4.2", 1, 0, ECX, 20, CO_LEVEL_X86_64_V3},
    {"movbe", 1, 0, ECX, 22, CO_LEVEL_X86_64_V3},
    {"popcnt", 1, 0, ECX, 23, CO_LEVEL_X86_64_V3},
    {"osxsave", 1, 0, ECX, 27, CO_LEVEL_X86_64_V3},
    {"avx", 1, 0, ECX, 28, CO_LEVEL_X86_64_V3},
    {"f16c", 1, 0, ECX, 29, CO_LEVEL_X86_64_V3},
    {"lahf", 0x80000001u, 0, ECX, 0, CO_LEVEL_X86_64_V3},
    {"lzcnt", 0x80000001u, 0, ECX, 5, CO_LEVEL_X86_64_V3},
    {"bmi1", 7, 0, EBX, 3, CO_LEVEL_X86_64_V3},
    {"avx2", 7, 0, EBX, 5, CO_LEVEL_X86_64_V3},
    {"bmi2", 7, 0, EBX, 8, CO_LEVEL_X86_64_V3},
    {"avx512f", 7, 0, EBX, 16, CO_LEVEL_X86_64_V4},
    {"avx512dq", 7, 0, EBX, 17, CO_LEVEL_X86_64_V4},
    {"avx512cd", 7, 0, EBX, 28, CO_LEVEL_X86_64_V4},
    {"avx512bw", 7, 0, EBX, 30, CO_LEVEL_X86_64_V4},
    {"avx512vl", 7, 0, EBX, 31, CO_LEVEL_X86_64_V4},
    {"avx512bf16", 7, 1, EAX, 5, CO_LEVEL_AMX},
    {"amx-bf16", 7, 0, EDX, 22, CO_LEVEL_AMX},
    {"amx-tile", 7, 0, EDX, 24, CO_LEVEL_AMX},
    {"amx-int8", 7, 0, EDX, 25, CO_LEVEL_AMX},
};
#define FEATURES (sizeof features / sizeof *features)
#define FEATURES_TEXT 200

static int has(const cpu_feature *f) {
    uint32_t reg[4] = {0};
    if (!__get_cpuid_count(f->leaf, f->subleaf, &reg[EAX], &reg[EBX], &reg[ECX], &reg[EDX]))
        return 0;
    return (reg[f->reg] >> f->bit) & 1;
}

/* Linux lets a process use the tiles' 8 KiB of state (component 18) once it has asked. */
static int tiles_allowed(void) {
#if defined(__linux__)
    enum { REQUEST = 0x1023, TILE_DATA = 18 };
    return syscall(SYS_arch_prctl, REQUEST, TILE_DATA) == 0;
#else
    return 0;
#endif
}

/* The register state that the operating system saves: 0x6 is SSE and AVX, 0xe0 the masks and
 * the upper halves and numbers of AVX-512, 0x60000 tiles. XGETBV itself exists where osxsave is
 * set. */
static int saved_level(void) {
    uint32_t eax, ebx, ecx, edx;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx >> 27 & 1)) return CO_LEVEL_BASELINE;
    __asm__ volatile("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
    if ((eax & 0x6) != 0x6) return CO_LEVEL_BASELINE;
    if ((eax & 0xe6) != 0xe6) return CO_LEVEL_X86_64_V3;
    return (eax & 0x60000) == 0x60000 ? CO_LEVEL_AMX : CO_LEVEL_X86_64_V4;
}

static int find_level(void) {
    int level = saved_level();
    for (size_t i = 0; i < FEATURES; i++)
        if (features[i].level <= level && !has(&features[i])) level = features[i].level - 1;
    return level == CO_LEVEL_AMX && !tiles_allowed() ? CO_LEVEL_X86_64_V4 : level;
}

int co_cpu_level(void) {
    static atomic_int known = -1;
    if (atomic_load(&known) < 0) atomic_store(&known, find_level());
    return atomic_load(&known);
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

#else

int co_cpu_level(void) { return CO_LEVEL_BASELINE; }

const char *co_cpu_features(void) {
#if defined(__aarch64__)
    return "neon"; /* part of the architecture */
#else
    return "";
#endif
}

#endif
