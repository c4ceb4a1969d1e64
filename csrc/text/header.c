/* header.c - what the header of a message must not contain: Bcc and Resent-Bcc, the line "From …"
 * of an mbox file, a byte order mark. */
#include "octets.h"
#include "text.h"

#include <string.h>

/* Where in a line of the header the search is. */
enum {
    LEAD,  /* of the first line: nothing that can be part of a name came yet */
    START, /* of any other line: nothing came yet */
    SPLIT, /* the same, after a line that holds one of the names and no colon */
    NAME,  /* in one of the names */
    COLON, /* after the whole name */
    REST   /* in what does not matter */
};

static const struct smtp_text names[] = {{"bcc", 3}, {"resent-bcc", 10}};

/* Is it a blank, a part of a byte order mark, or any other octet that a field name cannot contain?
 */
static bool is_outside_names(char c)
{
    return c <= ' ' || c > '~' || (c & 0x80);
}

static bool begins_name(struct smtp_header *h, char c)
{
    h->name = (c | 0x20) == 'r';
    h->name_len = 1;
    return (c | 0x20) == names[h->name].data[0];
}

static int name_goes_on(struct smtp_header *h, char c)
{
    if ((c | 0x20) != names[h->name].data[h->name_len]) return REST;
    return ++h->name_len == names[h->name].len ? COLON : NAME;
}

static int place_after(struct smtp_header *h, char c)
{
    bool is_blank = c == ' ' || c == '\t';
    switch (h->place) {
    case SPLIT:
    case START:
        if (is_blank) return h->place == SPLIT ? COLON : REST;
        /* fall through */
    case LEAD:
        if (is_outside_names(c)) return LEAD;
        return begins_name(h, c) ? NAME : REST;
    case NAME: return name_goes_on(h, c);
    case COLON:
        if (c == ':') h->fault = "bcc";
        return is_outside_names(c) ? COLON : REST;
    default: return REST;
    }
}

/* CR, LF and CR LF are one line end each, and an empty line ends the header. Where octets go out as
 * they are, a server may see either: a name counts after any of them, and CR LF CR LF alone ends
 * the header. */
static void end_line(struct smtp_header *h, char c)
{
    bool second = c == '\n' && h->after_cr, bare = second ? false : h->after_cr || c == '\n';
    h->after_cr = c == '\r';
    if (!second) h->place = h->place == COLON ? SPLIT : START;
    if (h->octets && bare) h->in_line = true;
    if (second != h->octets) return;
    h->over = !h->in_line;
    h->in_line = false;
}

/* ---- the beginning ---- */

static bool begins_with(const struct smtp_header *h, const char *text)
{
    return h->lead_len == strlen(text) && memcmp(h->lead, text, h->lead_len) == 0;
}

/* "From " begins the line of an mbox file (RFC 4155), ">From " the same line as a mail program
 * quotes it, unless the rest of it is blanks and a colon: that is the field From in its obsolete
 * form (RFC 5322 4.5). */
static void look_at_lead(struct smtp_header *h, char c)
{
    if (h->lead_len == 0 && c == '>') return;
    if (h->lead_len == 0 && c != 'F' && (unsigned char)c < 0xEF) {
        h->led = true;
    } else if (h->lead_len < sizeof h->lead) {
        h->lead[h->lead_len++] = c;
        bool is_utf16 = begins_with(h, "\xFE\xFF") || begins_with(h, "\xFF\xFE");
        if (is_utf16 || begins_with(h, "\xEF\xBB\xBF")) h->fault = "byte_order_mark";
        h->led = h->lead_len == sizeof h->lead && !begins_with(h, "From ");
    } else if (c != ' ' && c != '\t') {
        if (c != ':') h->fault = "mbox";
        h->led = true;
    }
}

size_t smtp_header_look(struct smtp_header *h, const char *data, size_t len)
{
    size_t at = 0;
    for (size_t i = 0; i < len && !h->led; i++)
        look_at_lead(h, data[i]);
    for (; at < len && !h->over; at++) {
        if (is_line_end(data[at])) {
            end_line(h, data[at]);
            continue;
        }
        h->in_line = true;
        h->after_cr = false;
        h->place = place_after(h, data[at]);
        if (h->place == REST) at += plain_len(data + at + 1, len - at - 1, true);
    }
    return at;
}
