/* Seconds of a clock that only goes forward. */
#ifndef FASTNN_CLOCK_H
#define FASTNN_CLOCK_H
#include <time.h>

static double fn_seconds(void) {
    struct timespec now;
#if defined(_WIN32)
    timespec_get(&now, TIME_UTC);
#else
    clock_gettime(CLOCK_MONOTONIC, &now);
#endif
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

#endif
