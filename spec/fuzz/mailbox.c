/* mailbox.c - whatever is read as an address with a name is a part of the text, and whatever header
 * text is made of it is 7-bit, in short words, and fits into its room.
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

static bool is_within(struct smtp_text part, const char *data, size_t len)
{
    return part.len == 0 || (part.data >= data && part.data + part.len <= data + len);
}

/* Printable ASCII, in words of at most 75 bytes where they are encoded. */
static void check_words(const char *text, size_t len, bool encoded)
{
    size_t word = 0;
    for (size_t i = 0; i < len; i++) {
        MUST((text[i] >= ' ' && text[i] <= '~') || (text[i] == '\t' && !encoded));
        word = text[i] == ' ' || text[i] == '\t' ? 0 : word + 1;
        MUST(!encoded || word <= 75);
    }
}

static void check_fold(const char *data, size_t len, size_t column)
{
    char *out = malloc(len + len / 16 + 16), *back = malloc(len + 1);
    size_t stop = column, n = smtp_fold((struct smtp_text){data, len}, &stop, out), kept = 0;
    MUST(n <= len + len / 16 + 16 && stop <= column + len);
    for (size_t i = 0; i < n; i++) {
        bool end = i + 2 < n && memcmp(out + i, "\r\n", 2) == 0 &&
                   (kept >= len || data[kept] != '\r' || out[i + 2] == ' ' || out[i + 2] == '\t');
        if (end && (kept >= len || data[kept] == ' ' || data[kept] == '\t')) {
            i++;
            continue;
        }
        MUST(kept < len && out[i] == data[kept]);
        back[kept++] = out[i];
    }
    for (size_t i = kept; i < len; i++)
        MUST(data[i] == ' ' || data[i] == '\t');
    free(out);
    free(back);
}

static void check_name(const char *data, size_t len)
{
    struct smtp_text name = {data, len};
    char *out = malloc(smtp_field_max(len));
    size_t n = smtp_words(name, len % 90, false, out);
    MUST(n <= smtp_field_max(len));
    check_words(out, n, true);
    n = smtp_words(name, len % 90, true, out);
    MUST(n <= smtp_field_max(len));
    check_words(out, n, true);
    n = smtp_phrase(name, out);
    MUST(n <= smtp_field_max(len));
    check_words(out, n, false);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct smtp_mailbox mailbox;
    uint32_t number;
    char *in = exact(data, len);
    smtp_mailbox_read((struct smtp_text){in, len}, &mailbox);
    MUST(is_within(mailbox.spec, in, len) && is_within(mailbox.name, in, len));
    MUST(is_within(mailbox.beside, in, len) && mailbox.beside.len <= 4);
    char *name = malloc(mailbox.name.len);
    size_t name_len = smtp_mailbox_name(&mailbox, name);
    MUST(name_len <= mailbox.name.len);
    const char *trouble = smtp_name_check((struct smtp_text){name, name_len});
    MUST(trouble != NULL || smtp_utf8_check(name, name_len));
    MUST(smtp_invisible(in, len, &number) == NULL || number > 0x7F);
    check_name(in, len);
    check_fold(in, len, len % 80);
    free(name);
    free(in);
    return 0;
}
