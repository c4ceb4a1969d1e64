/* idna.h - domains outside ASCII (IDNA 2008, RFC 5890), by libidn2 where the host has it. Part of
 * the binding, not of the engine: a library is opened, which allocates. */
#ifndef IDNA_H
#define IDNA_H

#include "../smtp.h"

#pragma GCC visibility push(hidden)

enum { IDNA_IN_LEN_MAX = 1024, IDNA_ASCII_MAX = 256, IDNA_UNICODE_MAX = 1024 };

/** A domain in both of its forms, each with a NUL at its end; the same where it is ASCII. */
struct idna_domain {
    char ascii[IDNA_ASCII_MAX];     /* A-labels: smtp_domain_check finds no fault with it */
    char unicode[IDNA_UNICODE_MAX]; /* U-labels: normalized, and `ascii` when converted again */
};

/** Returns NULL, or a word:
 *    unavailable   the domain is outside ASCII, and there is no libidn2
 *    too_long      over 63 octets in a label or 255 in all, in ASCII
 *    memory        there is none
 *    invalid       no domain: by the rules of IDNA, or by those of SMTP for what it became */
const char *idna_convert(const char *data, size_t len, struct idna_domain *out);

#pragma GCC visibility pop

#endif
