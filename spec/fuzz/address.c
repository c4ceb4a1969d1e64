/* address.c - whatever smtp_address_check accepts can stand in a command, and means itself.
 *
 *    make fuzz-address RUNS=1000000
 *
 * Input and output are in blocks of their exact size, so that an access of one byte too many is
 * detected. */
#include "../../csrc/text/text.h"

#include <stdlib.h>
#include <string.h>

#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) abort();                                                                 \
    } while (0)

static char *exact(const void *data, size_t len)
{
    char *copy = malloc(len);
    MUST(copy != NULL || len == 0);
    if (len > 0) memcpy(copy, data, len);
    return copy;
}

/* No octet that ends an address or a line, but within quotes, and there no control either. */
static void check_octets(const char *text, size_t len)
{
    bool quoted = false;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        MUST(c >= 0x20 && c != 0x7F);
        MUST(quoted || (c != ' ' && c != '<' && c != '>' && c != ',' && c != ';'));
        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
    }
    MUST(!quoted);
}

static void check_utf8(const char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t width = smtp_utf8_len(text + i, len - i);
        MUST(width > 0);
        MUST((unsigned char)text[i] != 0xC2 || (unsigned char)text[i + 1] >= 0xA0);
        i += width;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const char *why = NULL;
    char *in = exact(data, len), *out = exact(data, len), *again = exact(data, len);
    MUST(smtp_domain_check(in, len) != NULL || len <= 255);
    size_t out_len = smtp_address_check(in, len, out, &why);
    if (out_len == 0) {
        MUST(why != NULL);
    } else {
        MUST(out_len <= len && out_len <= 254);
        check_octets(out, out_len);
        check_utf8(out, out_len);
        MUST(smtp_address_check(out, out_len, again, &why) == out_len);
        MUST(memcmp(out, again, out_len) == 0);
    }
    free(in);
    free(out);
    free(again);
    return 0;
}
