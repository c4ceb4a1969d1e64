/* mailbox.c - addresses as people write them: Ann Ö <ann@example.org>. */
#include "ascii.h"

static struct smtp_text trim(struct smtp_text text)
{
    while (text.len > 0 && is_blank(text.data[text.len - 1]))
        text.len--;
    while (text.len > 0 && is_blank(*text.data))
        text.data++, text.len--;
    return text;
}

/* Returns the place of the quotation mark that ends the quoted string at `from`; `text.len` where
 * it has no end. */
static size_t quoted_end(struct smtp_text text, size_t from)
{
    for (size_t at = from + 1; at < text.len; at++) {
        if (text.data[at] == '"') return at;
        if (text.data[at] == '\\') at++;
    }
    return text.len;
}

/* Returns the place of the first < outside quoted strings; `text.len` where there is none. A
 * quotation mark without an end begins no string. */
static size_t angle_at(struct smtp_text text)
{
    bool quotes = true;
    for (size_t at = 0; at < text.len; at++) {
        if (text.data[at] == '<') return at;
        if (text.data[at] != '"' || !quotes) continue;
        size_t end = quoted_end(text, at);
        quotes = end < text.len;
        if (quotes) at = end;
    }
    return text.len;
}

static bool has_several(struct smtp_text name)
{
    bool sign = false, separator = false;
    for (size_t i = 0; i < name.len; i++) {
        sign = sign || name.data[i] == '@';
        separator = separator || name.data[i] == ',' || name.data[i] == ';';
    }
    return sign && separator;
}

static struct smtp_text last_character(const char *data, size_t len)
{
    size_t from = len;
    while (from > 0 && len - from < 3 && (data[from - 1] & 0xC0) == 0x80)
        from--;
    if (from > 0) from--;
    return (struct smtp_text){data + from, len - from};
}

void smtp_mailbox_read(struct smtp_text text, struct smtp_mailbox *mailbox)
{
    text = trim(text);
    *mailbox = (struct smtp_mailbox){.spec = text, .name = {"", 0}, .beside = {"", 0}};
    size_t angle = angle_at(text);
    if (angle == text.len || text.data[text.len - 1] != '>') return;
    struct smtp_text name = trim((struct smtp_text){text.data, angle});
    mailbox->spec = trim((struct smtp_text){text.data + angle + 1, text.len - angle - 2});
    mailbox->beside = last_character(text.data, angle);
    mailbox->quoted = name.len > 1 && name.data[0] == '"' && quoted_end(name, 0) == name.len - 1;
    mailbox->several = !mailbox->quoted && has_several(name);
    if (mailbox->quoted) name = (struct smtp_text){name.data + 1, name.len - 2};
    mailbox->name = name;
}

size_t smtp_mailbox_name(const struct smtp_mailbox *mailbox, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < mailbox->name.len; i++) {
        if (mailbox->quoted && mailbox->name.data[i] == '\\' && i + 1 < mailbox->name.len) i++;
        out[n++] = mailbox->name.data[i];
    }
    return n;
}

static bool is_unseen(struct smtp_text name)
{
    uint32_t number;
    for (size_t at = 0; at < name.len;) {
        size_t width = smtp_utf8_len(name.data + at, name.len - at);
        if (name.data[at] != ' ' && smtp_invisible(name.data + at, width, &number) == NULL)
            return false;
        at += width;
    }
    return name.len > 0;
}

const char *smtp_name_check(struct smtp_text name)
{
    bool ascii = true, control = false;
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.data[i],
                      last = i > 0 ? (unsigned char)name.data[i - 1] : 0;
        ascii = ascii && c < 0x80;
        control = control || c < ' ' || c == 0x7F || (last == 0xC2 && c >= 0x80 && c < 0xA0);
    }
    if (!ascii && !smtp_utf8_check(name.data, name.len)) return "utf8";
    if (control) return "control";
    return !ascii && is_unseen(name) ? "invisible" : NULL;
}

bool smtp_mailbox_is_plain(const struct smtp_mailbox *mailbox)
{
    uint32_t number;
    if (mailbox->several || smtp_name_check(mailbox->name) != NULL) return false;
    return smtp_invisible(mailbox->beside.data, mailbox->beside.len, &number) == NULL;
}
