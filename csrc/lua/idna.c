/* idna.c - domains outside ASCII by libidn2, opened when the first one comes: nothing is linked to
 * it, and ASCII does not need it. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "idna.h"
#include "../text/ascii.h"

#include <dlfcn.h>

/* From idn2.h, where they are part of the library's binary interface. */
enum {
    IDN2_NFC_INPUT = 1,
    IDN2_NONTRANSITIONAL = 8, /* keeps straße apart from strasse */
    IDN2_MALLOC = -100,
    IDN2_PUNYCODE_BIG_OUTPUT = -203,
    IDN2_TOO_BIG_DOMAIN = -205,
    IDN2_TOO_BIG_LABEL = -206
};

struct library {
    int (*lookup)(const uint8_t *in, uint8_t **out, int flags);
    int (*to_unicode)(const char *in, char **out, int flags);
    void (*release)(void *memory);
};

static bool find(void *handle, const char *name, void *function)
{
    void *symbol = dlsym(handle, name);
    memcpy(function, &symbol, sizeof symbol);
    return symbol != NULL;
}

/* The dynamic linker counts how often a library was opened, and answers at once the second time. */
static bool open_library(struct library *lib)
{
    static const char *const names[] = {"libidn2.so.0", "libidn2.so", "libidn2.0.dylib"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        void *handle = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
        if (handle == NULL) continue;
        return find(handle, "idn2_lookup_u8", &lib->lookup) &&
               find(handle, "idn2_to_unicode_8z8z", &lib->to_unicode) &&
               find(handle, "idn2_free", &lib->release);
    }
    return false;
}

static const char *word_for(int code)
{
    if (code == 0) return NULL;
    if (code == IDN2_MALLOC) return "memory";
    if (code == IDN2_TOO_BIG_DOMAIN || code == IDN2_TOO_BIG_LABEL ||
        code == IDN2_PUNYCODE_BIG_OUTPUT)
        return "too_long";
    return "invalid";
}

/* Copies a text out of the library's memory, which is released. */
static const char *take(const struct library *lib, char *text, char *out, size_t out_max)
{
    size_t len = strlen(text);
    bool fits = len < out_max;
    if (fits) memcpy(out, text, len + 1);
    lib->release(text);
    return fits ? NULL : "too_long";
}

/* Converts to A-labels. IDN2_USE_STD3_ASCII_RULES is not used: with it, libidn2 2.3 drops
 * characters other than letters, digits and hyphens instead of refusing them. U+FF20 in "a@b" would
 * disappear without an error, and the mail would go elsewhere. */
static const char *to_ascii(const struct library *lib, const char *domain, char out[IDNA_ASCII_MAX])
{
    uint8_t *text = NULL;
    int code = lib->lookup((const uint8_t *)domain, &text, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    return code != 0 ? word_for(code) : take(lib, (char *)text, out, IDNA_ASCII_MAX);
}

static const char *to_unicode(const struct library *lib, struct idna_domain *out)
{
    char *text = NULL;
    int code = lib->to_unicode(out->ascii, &text, 0);
    return code != 0 ? word_for(code) : take(lib, text, out->unicode, IDNA_UNICODE_MAX);
}

/* IDNA may map a character to any other: U+FF20 to @, U+3002 to a dot, U+2100 to a/c. So its result
 * is checked as if the caller had written it. */
static const char *convert(const char *domain, struct idna_domain *out)
{
    struct library lib;
    char again[IDNA_ASCII_MAX];
    if (!open_library(&lib)) return "unavailable";
    const char *word = to_ascii(&lib, domain, out->ascii);
    if (word != NULL) return word;
    if (smtp_domain_check(out->ascii, strlen(out->ascii)) != NULL) return "invalid";
    word = to_unicode(&lib, out);
    if (word == NULL) word = to_ascii(&lib, out->unicode, again);
    if (word == NULL && strcmp(again, out->ascii) != 0) word = "invalid";
    return word;
}

const char *idna_convert(const char *data, size_t len, struct idna_domain *out)
{
    char domain[IDNA_IN_LEN_MAX + 1];
    if (len > IDNA_IN_LEN_MAX) return "too_long";
    if (memchr(data, '\0', len) != NULL) return "invalid";
    memcpy(domain, data, len);
    domain[len] = '\0';
    if (!is_ascii((struct smtp_text){data, len})) return convert(domain, out);
    if (smtp_domain_check(data, len) != NULL) return "invalid";
    memcpy(out->ascii, domain, len + 1); /* a domain has at most 255 octets */
    memcpy(out->unicode, domain, len + 1);
    return NULL;
}
