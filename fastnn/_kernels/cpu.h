/* Which of the instruction sets this processor runs. */
#ifndef FASTNN_CPU_H
#define FASTNN_CPU_H

#if defined(__GNUC__) && (defined(__x86_64__) || defined(__i386__))
static int fn_has_avx2(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
static int fn_has_avx512(void) {
    return fn_has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
        && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#else
static int fn_has_avx2(void) { return 0; }
static int fn_has_avx512(void) { return 0; }
#endif

/* With FASTNN_DEBUG every call allocates its scratch memory, so that the sanitizers see its end. */
#ifdef FASTNN_DEBUG
#define FN_STACK_SCRATCH 0
#define FN_KEPT_SCRATCH 0
#else
#define FN_STACK_SCRATCH 8192
#define FN_KEPT_SCRATCH (64 << 20)
#endif

#endif
