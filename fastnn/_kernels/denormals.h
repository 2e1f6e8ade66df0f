/* Denormal numbers as zeros, for the time of one loop and on the thread that runs it alone.
 *
 * The running mean of a gradient that has become zero, as that of a dead unit, shrinks by a factor at
 * each step until it is denormal, and stays there, because the smallest number times 0.9 is rounded
 * to itself.  x86 takes some 150 cycles for each such product: an epoch takes twice the time.
 */
#ifndef FASTNN_DENORMALS_H
#define FASTNN_DENORMALS_H

#if defined(__x86_64__) && defined(__GNUC__)
#define FN_FLUSH 0x8040u /* results to zero, operands as zero */

static inline void fn_set_float_state(unsigned state) {
    __asm__ volatile("ldmxcsr %0" : : "m"(state) : "memory");
}

/* The state to hand to fn_set_float_state when the loop has ended. */
static inline unsigned fn_flush_denormals(void) {
    unsigned state;
    __asm__ volatile("stmxcsr %0" : "=m"(state) : : "memory");
    fn_set_float_state(state | FN_FLUSH);
    return state;
}

#else
static inline unsigned fn_flush_denormals(void) {
    return 0;
}

static inline void fn_set_float_state(unsigned state) {
    (void)state;
}
#endif
#endif
