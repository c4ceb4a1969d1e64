/* saslprep.c - SASLprep (RFC 4013) by GNU libidn, opened at run time: nothing is linked to it, and
 * an ASCII password does not need it. */
#include "crypto.h"

#include "../text/ascii.h"

#include <dlfcn.h>
#include <stdlib.h>

typedef int prepare_function(const char *in, char **out, const char *profile, int flags);

/* The dynamic linker counts how often a library was opened, and answers at once the second time. */
static prepare_function *find_prepare(void)
{
    static const char *const names[] = {"libidn.so.12", "libidn.so.11", "libidn.so",
                                        "libidn.12.dylib", "libidn.dylib"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        void *library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
        if (library == NULL) continue;
        prepare_function *prepare;
        void *symbol = dlsym(library, "stringprep_profile");
        memcpy(&prepare, &symbol, sizeof prepare);
        return prepare;
    }
    return NULL;
}

/* Is there a control character? Except for these, ASCII is already prepared (RFC 4013 2.3). */
static bool has_control(struct smtp_text text)
{
    for (size_t i = 0; i < text.len; i++)
        if (is_control(text.data[i])) return true;
    return false;
}

static const char *copy(struct smtp_text text, char **out)
{
    *out = malloc(text.len + 1);
    if (*out == NULL) return "crypto";
    memcpy(*out, text.data, text.len);
    (*out)[text.len] = '\0';
    return NULL;
}

const char *saslprep(struct smtp_text text, char **out)
{
    char *whole;
    *out = NULL;
    if (has_control(text)) return "saslprep";
    if (is_ascii(text)) return copy(text, out);
    prepare_function *prepare = find_prepare();
    if (prepare == NULL) return "saslprep_unavailable";
    const char *word = copy(text, &whole);
    if (word != NULL) return word;
    int failed = prepare(whole, out, "SASLprep",
                         0); /* 0: a query, in which unassigned code points are allowed */
    saslprep_free(whole);
    return failed != 0 ? "saslprep" : NULL;
}

void saslprep_free(char *text)
{
    if (text != NULL) wipe(text, strlen(text));
    free(text);
}
