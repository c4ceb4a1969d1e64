/* wipe.h - overwriting secrets. */
#ifndef WIPE_H
#define WIPE_H

#include <stddef.h>
#include <string.h>

/* Overwrites a secret. The compiler may not leave it out, because for all it knows the assembly
 * code, which is empty, reads the memory. Works on every system, unlike explicit_bzero. */
static inline void wipe(void *secret, size_t len)
{
    memset(secret, 0, len);
    __asm__ __volatile__("" : : "r"(secret) : "memory");
}

#endif
