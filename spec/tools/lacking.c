/* lacking.c - what a spec takes from a machine: preloaded, no thread starts where LACKING_THREADS
 * is set, and the clock is ahead by the seconds in LACKING_AHEAD. */
#define _GNU_SOURCE 1
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                   void *argument)
{
    int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) =
        (int (*)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *))dlsym(
            RTLD_NEXT, "pthread_create");
    return getenv("LACKING_THREADS") != NULL ? EAGAIN : real(thread, attributes, run, argument);
}

time_t time(time_t *out)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    const char *ahead = getenv("LACKING_AHEAD");
    now.tv_sec += ahead != NULL ? atoll(ahead) : 0;
    if (out != NULL) *out = now.tv_sec;
    return now.tv_sec;
}
