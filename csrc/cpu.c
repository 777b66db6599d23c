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
    int reg, bit, set; /* the set that needs it */
} cpu_feature;

/* All that the tiers' flags in CMakeLists.txt let a compiler use. */
static const cpu_feature features[] = {
    {"sse3", 1, 0, ECX, 0, CO_CPU_V3},
    {"ssse3", 1, 0, ECX, 9, CO_CPU_V3},
    {"fma", 1, 0, ECX, 12, CO_CPU_V3},
    {"cx16", 1, 0, ECX, 13, CO_CPU_V3},
    {"sse4.1", 1, 0, ECX, 19, CO_CPU_V3},
    {"sse4.2", 1, 0, ECX, 20, CO_CPU_V3},
    {"movbe", 1, 0, ECX, 22, CO_CPU_V3},
    {"popcnt", 1, 0, ECX, 23, CO_CPU_V3},
    {"osxsave", 1, 0, ECX, 27, CO_CPU_V3},
    {"avx", 1, 0, ECX, 28, CO_CPU_V3},
    {"f16c", 1, 0, ECX, 29, CO_CPU_V3},
    {"lahf", 0x80000001u, 0, ECX, 0, CO_CPU_V3},
    {"lzcnt", 0x80000001u, 0, ECX, 5, CO_CPU_V3},
    {"bmi1", 7, 0, EBX, 3, CO_CPU_V3},
    {"avx2", 7, 0, EBX, 5, CO_CPU_V3},
    {"bmi2", 7, 0, EBX, 8, CO_CPU_V3},
    {"avx512f", 7, 0, EBX, 16, CO_CPU_V4},
    {"avx512dq", 7, 0, EBX, 17, CO_CPU_V4},
    {"avx512cd", 7, 0, EBX, 28, CO_CPU_V4},
    {"avx512bw", 7, 0, EBX, 30, CO_CPU_V4},
    {"avx512vl", 7, 0, EBX, 31, CO_CPU_V4},
    {"avx512vnni", 7, 0, ECX, 11, CO_CPU_AVX512VNNI},
    {"avxvnni", 7, 1, EAX, 4, CO_CPU_AVXVNNI},
    {"avx512bf16", 7, 1, EAX, 5, CO_CPU_AVX512BF16},
    {"amx-bf16", 7, 0, EDX, 22, CO_CPU_AMX},
    {"amx-tile", 7, 0, EDX, 24, CO_CPU_AMX},
    {"amx-int8", 7, 0, EDX, 25, CO_CPU_AMX},
};
#define FEATURES (sizeof features / sizeof *features)
#define FEATURES_TEXT 224

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
static int saved_sets(void) {
    uint32_t eax, ebx, ecx, edx;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx >> 27 & 1)) return 0;
    __asm__ volatile("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
    int sets = 0;
    if ((eax & 0x6) == 0x6) sets |= CO_CPU_V3 | CO_CPU_AVXVNNI;
    if ((eax & 0xe6) == 0xe6) sets |= CO_CPU_V4 | CO_CPU_AVX512VNNI | CO_CPU_AVX512BF16;
    if ((eax & 0x600e6) == 0x600e6) sets |= CO_CPU_AMX;
    return sets;
}

static int find_sets(void) {
    int sets = saved_sets();
    for (size_t i = 0; i < FEATURES; i++)
        if ((sets & features[i].set) && !has(&features[i])) sets &= ~features[i].set;
    return (sets & CO_CPU_AMX) && !tiles_allowed() ? sets & ~CO_CPU_AMX : sets;
}

int co_cpu_sets(void) {
    static atomic_int known = -1;
    if (atomic_load(&known) < 0) atomic_store(&known, find_sets());
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

int co_cpu_sets(void) { return 0; }

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
