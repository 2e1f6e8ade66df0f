/* Threads that help when they are there, and are not waited for when they are not.
 *
 * Each thread has a share of a call's tasks, which it takes one by one from a counter; then it helps
 * with the other shares.  A call of the same sizes has the same shares again, so that a thread
 * finds in its caches what it left there.  The caller ends when all counters are spent and the
 * workers that did join have left.  A worker that the system has put aside, because another
 * process has its core, is simply not there: an OpenMP region would wait at its barrier until
 * that worker has had its turn, which on a busy machine costs milliseconds where the work takes
 * microseconds.
 *
 * A worker looks for the next job for some microseconds, then sleeps until it is woken.  One job
 * runs at a time; who finds the pool taken works alone.
 */
#ifndef FASTNN_POOL_H
#define FASTNN_POOL_H
#include <stddef.h>

typedef void (*fn_work)(void *job, ptrdiff_t task, int thread);

#if defined(__GNUC__) && !defined(_WIN32)
#define FN_HAS_THREADS 1
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#if defined(__x86_64__) || defined(__i386__)
#define FN_PAUSE() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define FN_PAUSE() __asm__ __volatile__("yield")
#else
#define FN_PAUSE() ((void)0)
#endif

#define FN_LOOKS 2000 /* pauses before a worker sleeps, or a caller gives way: some 50 microseconds */
#define FN_SHARES 64  /* at most; more threads than that begin with another one's */
#define FN_GET(x) __atomic_load_n(&(x), __ATOMIC_SEQ_CST)
#define FN_SET(x, value) __atomic_store_n(&(x), value, __ATOMIC_SEQ_CST)
#define FN_ADD(x, value) __atomic_fetch_add(&(x), value, __ATOMIC_SEQ_CST)

static struct {
    fn_work work;
    void *job;
    int threads;          /* how many may take part, the caller included */
    int shares;
    int open;             /* whether the fields above belong to a job that goes on */
    int inside;           /* workers between looking at `open` and leaving */
    unsigned generation;  /* counts the jobs */
    int taken;            /* whether a caller has the pool */
    int workers;          /* threads started */
    int sleepers;
    pthread_mutex_t lock; /* for sleeping and waking alone */
    pthread_cond_t wake;
    struct {
        ptrdiff_t next, end; /* the first task that nobody has taken */
        char apart[128 - 2 * sizeof(ptrdiff_t)]; /* counters on one line would slow each other */
    } share[FN_SHARES];
} fn_pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

static void fn_take_tasks(int thread) {
    for (int i = 0; i < fn_pool.shares; i++) {
        const int share = (thread + i) % fn_pool.shares;
        for (;;) {
            const ptrdiff_t task = FN_ADD(fn_pool.share[share].next, 1);
            if (task >= fn_pool.share[share].end)
                break;
            fn_pool.work(fn_pool.job, task, thread);
        }
    }
}

static void *fn_worker(void *number) {
    const int thread = (int)(size_t)number;
    unsigned seen = 0;
    for (;;) {
        for (int i = 0; i < FN_LOOKS && FN_GET(fn_pool.generation) == seen; i++)
            FN_PAUSE();
        if (FN_GET(fn_pool.generation) == seen) {
            pthread_mutex_lock(&fn_pool.lock);
            FN_ADD(fn_pool.sleepers, 1);
            while (FN_GET(fn_pool.generation) == seen)
                pthread_cond_wait(&fn_pool.wake, &fn_pool.lock);
            FN_ADD(fn_pool.sleepers, -1);
            pthread_mutex_unlock(&fn_pool.lock);
        }
        seen = FN_GET(fn_pool.generation);
        FN_ADD(fn_pool.inside, 1);
        if (FN_GET(fn_pool.open) && thread < fn_pool.threads)
            fn_take_tasks(thread);
        FN_ADD(fn_pool.inside, -1);
    }
    return NULL;
}

/* Start workers until there are `wanted`; fewer where the system gives no more.  They leave signals
 * to the threads of the interpreter. */
static void fn_start_workers(int wanted) {
    sigset_t all, before;
    pthread_t thread;
    if (fn_pool.workers >= wanted)
        return;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (fn_pool.workers < wanted) {
        void *number = (void *)(size_t)(fn_pool.workers + 1);
        if (pthread_create(&thread, NULL, fn_worker, number))
            break;
        pthread_detach(thread);
        fn_pool.workers++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* Do all tasks, on up to `threads` threads; each task hears which thread runs it. */
static void fn_pool_run(fn_work work, void *job, ptrdiff_t tasks, int threads) {
    if (threads < 2 || tasks < 2 || __atomic_exchange_n(&fn_pool.taken, 1, __ATOMIC_SEQ_CST)) {
        for (ptrdiff_t task = 0; task < tasks; task++)
            work(job, task, 0);
        return;
    }
    fn_start_workers(threads - 1);
    fn_pool.work = work;
    fn_pool.job = job;
    fn_pool.threads = threads;
    fn_pool.shares = threads < FN_SHARES ? threads : FN_SHARES;
    for (int i = 0; i < fn_pool.shares; i++) {
        fn_pool.share[i].next = tasks * i / fn_pool.shares;
        fn_pool.share[i].end = tasks * (i + 1) / fn_pool.shares;
    }
    FN_SET(fn_pool.open, 1);
    FN_ADD(fn_pool.generation, 1);
    if (FN_GET(fn_pool.sleepers)) {
        pthread_mutex_lock(&fn_pool.lock);
        pthread_cond_broadcast(&fn_pool.wake);
        pthread_mutex_unlock(&fn_pool.lock);
    }
    fn_take_tasks(0);
    FN_SET(fn_pool.open, 0);
    for (int i = 0; FN_GET(fn_pool.inside); i++) {
        if (i < FN_LOOKS)
            FN_PAUSE();
        else
            sched_yield();
    }
    FN_SET(fn_pool.taken, 0);
}

#else
#define FN_HAS_THREADS 0

static void fn_pool_run(fn_work work, void *job, ptrdiff_t tasks, int threads) {
    (void)threads;
    for (ptrdiff_t task = 0; task < tasks; task++)
        work(job, task, 0);
}
#endif

#endif
