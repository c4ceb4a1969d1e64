/* openssl3.h - OpenSSL's headers are there, and not those of an older version. */
#ifndef OPENSSL3_H
#define OPENSSL3_H

#if !__has_include(<openssl/opensslv.h>)
#error "OpenSSL 3 is needed: install its headers (Debian: libssl-dev)"
#endif

#include <openssl/opensslv.h>

#if !defined(OPENSSL_VERSION_MAJOR) || OPENSSL_VERSION_MAJOR < 3
#error "OpenSSL 3 is needed"
#endif

#endif
