/* The floating-point flags of the calling thread, read and cleared in a few nanoseconds.
 *
 * feclearexcept costs a hundred on x86, where it loads the whole state of the old coprocessor: more
 * than many of the loops whose flags are looked at.  Only long double uses that one, so its state
 * is loaded only where it has a flag to clear.
 */
#ifndef FASTNN_FLAGS_H
#define FASTNN_FLAGS_H
#include <fenv.h>

#if defined(__x86_64__) && defined(__GNUC__)
#include <xmmintrin.h>
#define FN_ALL_FLAGS (FE_DIVBYZERO | FE_OVERFLOW | FE_UNDERFLOW | FE_INVALID)

static inline int fn_coprocessor_flags(void) {
    unsigned short status;
    __asm__ volatile("fnstsw %0" : "=am"(status));
    return status;
}

/* Those of `wanted` that are raised. */
static inline int fn_raised_flags(int wanted) {
    return (int)(_mm_getcsr() | (unsigned)fn_coprocessor_flags()) & wanted;
}

static inline void fn_clear_flags(void) {
    const unsigned state = _mm_getcsr();
    if (fn_coprocessor_flags() & FN_ALL_FLAGS)
        feclearexcept(FN_ALL_FLAGS);
    else if (state & FN_ALL_FLAGS)
        _mm_setcsr(state & ~(unsigned)FN_ALL_FLAGS);
}

#else
static inline int fn_raised_flags(int wanted) {
    return fetestexcept(wanted);
}

static inline void fn_clear_flags(void) {
    feclearexcept(FE_DIVBYZERO | FE_OVERFLOW | FE_UNDERFLOW | FE_INVALID);
}
#endif
#endif
