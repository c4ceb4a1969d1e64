/* letter.c - the commonest of composed messages: a short text to few recipients. */
#include "text.h"

#include <string.h>

static char *put(char *out, const char *data, size_t len)
{
    memcpy(out, data, len);
    return out + len;
}

static char *put_string(char *out, const char *text)
{
    return put(out, text, strlen(text));
}

bool smtp_mailboxes_add(struct smtp_mailboxes *list, struct smtp_text name,
                        struct smtp_text address)
{
    char *at = list->data + list->len;
    if (sizeof list->data - list->len < smtp_field_max(name.len) + address.len + 5) return false;
    if (list->len > 0) at = put_string(at, ", ");
    if (name.len > 0) at = put_string(at + smtp_phrase(name, at), " <");
    at = put(at, address.data, address.len);
    if (name.len > 0) at = put_string(at, ">");
    list->len = (size_t)(at - list->data);
    return true;
}

/* ---- all of it ---- */

static char *put_field(char *out, const char *name, struct smtp_text value)
{
    size_t column = strlen(name) + 2;
    out = put_string(put_string(out, name), ": ");
    return put_string(out + smtp_fold(value, &column, out), "\r\n");
}

static char *put_subject(char *out, struct smtp_text subject)
{
    enum { COLUMN = 9, LINE = 78 };
    char words[2 * SMTP_LETTER_SUBJECT_MAX + 160]; /* smtp_field_max */
    if (!smtp_is_plain(subject, LINE - COLUMN)) {
        subject.len = smtp_words(subject, COLUMN, false, words);
        subject.data = words;
    }
    return put_field(out, "Subject", subject);
}

static char *put_body(char *out, struct smtp_text text, const struct smtp_scan *scan)
{
    struct smtp_encoder e = {.encoding = smtp_scan_encoding(scan)};
    out += smtp_encode(&e, text.data, text.len, out);
    out += smtp_encode_end(&e, out);
    bool ends = !scan->open || e.encoding == SMTP_TEXT_BASE64;
    return ends ? out : put_string(out, "\r\n");
}

size_t smtp_letter_write(struct smtp_letter *letter, char *out)
{
    const struct smtp_text from = {letter->from.data, letter->from.len};
    const struct smtp_text to = {letter->to.data, letter->to.len};
    struct smtp_scan scan = {0};
    char *at = out;
    smtp_scan(&scan, letter->text.data, letter->text.len);
    smtp_scan_end(&scan);
    if (smtp_scan_why_no_text(&scan) != NULL) return 0;
    at = put_field(at, "Date", letter->date);
    at = put_field(at, "From", from);
    at = put_field(at, "To", to);
    if (letter->subject.data != NULL) at = put_subject(at, letter->subject);
    at = put_field(at, "Message-ID", letter->id);
    letter->id.data = at - letter->id.len - 2;
    at = put_string(at, "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
                        "Content-Transfer-Encoding: ");
    at = put_string(at, smtp_encoding_word(smtp_scan_encoding(&scan)));
    return (size_t)(put_body(put_string(at, "\r\n\r\n"), letter->text, &scan) - out);
}
