/* text.h - grammar and codecs: what SMTP and MIME say of characters, without a session.
 *
 * The functions of this room look at bytes and write bytes. They know no command and no reply, keep
 * nothing between calls except in the structs below, and allocate nothing. Lengths (_len) are
 * bytes. Input is borrowed for the call, needs no NUL at its end, and may be anything: it comes
 * from web forms and from servers. Where the input comes in pieces, the places of the cuts never
 * change the result.
 */
#ifndef SMTP_TEXT_H
#define SMTP_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

enum {
    SMTP_ADDRESS_LEN_MAX = 254, /* bytes of an address (RFC 5321 4.5.3.1.3, less "<" and ">") */
    SMTP_DOMAIN_LEN_MAX = 255,  /* bytes of a domain (RFC 5321 4.5.3.1.2) */
    SMTP_BODY_LINE_MAX = 998    /* bytes of a message's line without CRLF (RFC 5322 2.1.1) */
};

/** Bytes that belong to another owner. `data` may be NULL where `len` is 0. */
struct smtp_text {
    const char *data;
    size_t len;
};

/* ---- addresses (address.c) ---- */

/** Checks a Mailbox of RFC 5321 4.1.2 as RFC 6531 3.3 extends it: it may contain well-formed UTF-8
 *  other than control characters. Whether a domain outside ASCII is valid is for IDNA to decide
 *  (idna.h). Writes the canonical form (quotes only where they are needed) to `out`, which has room
 *  for `len` bytes, and returns its length; or returns 0 and sets `*why` to a sentence. */
size_t smtp_address_check(const char *data, size_t len, char *out, const char **why);

/** Checks a Domain in ASCII or an address literal (RFC 5321 4.1.2, 4.1.3). Returns NULL where it is
 *  valid, else a sentence that says why it is not. */
const char *smtp_domain_check(const char *data, size_t len);

/** An address as people write it, in parts of the text that was read. */
struct smtp_mailbox {
    struct smtp_text spec;   /* the address; whether it is valid is for smtp_address_check */
    struct smtp_text name;   /* without the quotation marks around it; empty where there is none */
    struct smtp_text beside; /* the character before "<" */
    bool quoted;             /* the name is a quoted string: a backslash belongs to the next byte */
    bool several;            /* the name contains another address: this is a list */
};

/** Reads "spec", "<spec>" or "name <spec>"; blanks around the parts do not count. Quotation marks
 *  around a part of the name are part of it. */
void smtp_mailbox_read(struct smtp_text text, struct smtp_mailbox *mailbox);

/** Writes the name without backslashes to `out`, which has room for `name.len` bytes. Returns its
 *  length. */
size_t smtp_mailbox_name(const struct smtp_mailbox *mailbox, char *out);

/** Checks a display name. Returns NULL where it is valid, or empty; "utf8": it is not well-formed;
 *  "control": it contains a control character, perhaps one of C1 (some programs take U+0085 for a
 *  line end); "invisible": readers see none of its characters. */
const char *smtp_name_check(struct smtp_text name);

/** Is it one address, with nothing wrong in its name or beside it? */
bool smtp_mailbox_is_plain(const struct smtp_mailbox *mailbox);

/* ---- header fields (field.c) ---- */

/** May the text be written as it is, in 7-bit lines? Readers drop the blanks at its ends; a word
 *  that looks like an encoded word, and a word of more than `room` bytes, must be encoded. */
bool smtp_is_plain(struct smtp_text text, size_t room);

/** Returns how much room the next two functions need for `len` bytes of text. */
static inline size_t smtp_field_max(size_t len)
{
    return 2 * len + 160;
}

/** Writes the text, UTF-8, as encoded words (RFC 2047), in the form that is shorter, or in base64.
 *  `column` is where the first one begins in its line. Returns the length. */
size_t smtp_words(struct smtp_text text, size_t column, bool base64, char *out);

/** Writes a display name (RFC 5322 3.2.5): atoms, a quoted string, or encoded words. Returns the
 *  length. */
size_t smtp_phrase(struct smtp_text name, char *out);

/** Writes a part of a field with line ends before some of its blanks, so that no line has over 78
 *  bytes where that is possible. `*column` is where it begins in its line, and then where it ends.
 *  Blanks at the end are left out. `out` has room for a sixteenth more than the text, and 16
 *  bytes. Returns the length. */
size_t smtp_fold(struct smtp_text text, size_t *column, char *out);

/* ---- characters (utf8.c, invisible.c, printable.c, saslname.c) ---- */

/** Is the text well-formed UTF-8 (RFC 3629 4)? */
bool smtp_utf8_check(const char *data, size_t len);

/** Checks a text that comes in pieces. A new one is zeroed; the members belong to utf8.c. */
struct smtp_utf8 {
    bool broken;
    size_t held_len; /* bytes of a character that the next piece has to end */
    char held[4];
};

/** Checks the next piece. */
void smtp_utf8_feed(struct smtp_utf8 *u, const char *data, size_t len);

/** Were the pieces together well-formed UTF-8? */
bool smtp_utf8_is_whole(const struct smtp_utf8 *u);

/** Returns the length in bytes of the character at `data`, or 0 where it is not well-formed. `len`
 *  is at least 1. */
size_t smtp_utf8_len(const char *data, size_t len);

/** Returns the name of the first character that readers do not see, such as "a zero-width space",
 *  and its number; NULL where there is none. */
const char *smtp_invisible(const char *data, size_t len, uint32_t *number);

/** Writes the text as a terminal may show it. A tab becomes a space. Control characters other than
 *  LF, characters that change the direction of text, and broken UTF-8 become '?'. What does not fit
 *  into `out_max` bytes is cut off between two characters. `out` may be `data`. Applying the
 *  function twice gives the same result as once. Returns the length in `out`. */
size_t smtp_printable(char *out, size_t out_max, const char *data, size_t len);

/** Writes a name as SASL mechanisms send it (RFC 5801 4, RFC 5802 5.1): comma and equals sign are
 *  escaped. `out` has room for 3 bytes for each one. Returns the length. */
size_t smtp_saslname(char *out, struct smtp_text name);

/* ---- numbers (decimal.c) ---- */

enum { SMTP_DECIMAL_MAX = 20 }; /* digits of the largest number */

/** Writes a number in decimal digits, without a NUL. Returns how many digits there are. */
size_t smtp_decimal(char out[SMTP_DECIMAL_MAX], uint64_t number);

/* ---- base64 (base64.c) ---- */

/** Writes base64 without line ends (RFC 4648 4). `out` has room for 4 bytes for each 3 begun.
 *  Returns the length. */
size_t smtp_base64_encode(const char *data, size_t len, char *out);

enum { SMTP_BASE64_LINE_LEN = 57 }; /* bytes of a line of 76 characters (RFC 2045 6.8) */

/** Writes so many whole lines of base64, 76 characters and CRLF each, of the 57 bytes of each. */
void smtp_base64_lines(const char *data, size_t count, char *out);

/** Decodes strictly: padded, one form for each value, no other character. `out` has room for 3
 *  bytes for each 4. Returns false where the text is not base64. */
bool smtp_base64_decode(const char *data, size_t len, char *out, size_t *out_len);

/* ---- transfer encodings (transfer.c) ---- */

/** How a body is written so that it is 7-bit with short lines (RFC 2045 6). */
enum smtp_encoding {
    SMTP_7BIT,             /* as it is; CR, LF and CRLF all become CRLF */
    SMTP_QUOTED_PRINTABLE, /* for text; line ends as for 7BIT */
    SMTP_BASE64,           /* for any bytes; the last line ends with CRLF too */
    SMTP_TEXT_BASE64       /* for text: line ends as for 7BIT, and then base64 */
};

/** Encodes a body that comes in pieces. Lines of quoted-printable and base64 have at most 76 bytes.
 *  In quoted-printable no escape, and no character of UTF-8, is split over two lines, and no line
 *  ends in a space or a tab or begins with "." or "From ". A new encoder is zeroed except for
 * `encoding`. The other members belong to transfer.c. */
struct smtp_encoder {
    enum smtp_encoding encoding;
    size_t column; /* bytes on the line being written */
    bool after_cr;
    size_t held_len; /* bytes that cannot be written until the next one is known */
    char held[8];
};

/** Returns the value of Content-Transfer-Encoding (RFC 2045 6.1). */
const char *smtp_encoding_word(enum smtp_encoding encoding);

/** Returns how much room the next call needs for `len` bytes of input. For smtp_encode_end, ask
 *  with `len` 0. */
size_t smtp_encode_max(const struct smtp_encoder *e, size_t len);

/** Encodes the next piece. Returns the number of bytes in `out` that count, which may be 0. */
size_t smtp_encode(struct smtp_encoder *e, const char *data, size_t len, char *out);

/** Ends the body. The encoder is then as new, for another body. */
size_t smtp_encode_end(struct smtp_encoder *e, char *out);

/* ---- what a message contains (lines.c, header.c, scan.c) ---- */

/** What the lines of a text may contain, and what those that were taken do contain. */
struct smtp_lines {
    bool eightbit, dots;         /* octets over 127, and a dot at the beginning, may be there */
    bool has_eightbit, has_dots; /* such ones are there; set beforehand where that is known */
};

/** Returns the length of the lines, from the beginning of the text, that may be sent as they are:
 *  CRLF ends each, none is over SMTP_BODY_LINE_MAX, and none contains a NUL, another CR or LF, or
 *  what `lines` does not allow. */
size_t smtp_lines_take(const char *data, size_t len, struct smtp_lines *lines);

/** Searches a message's header for what must not leave. `fault` is then the reason of the error:
 *  "bcc" for a Bcc or Resent-Bcc field, which every recipient would see (the names count in any
 *  case, with blanks before the colon, folded or not, and after octets that are in no name); "mbox"
 *  for a first line "From …", which separates messages in a mailbox; "byte_order_mark" for one at
 *  the beginning, with which servers do not read the first field. Zero the struct first; set
 *  `octets` where the message is sent as it is, line ends included. `over`: the header has ended.
 *  The other members belong to header.c. */
struct smtp_header {
    bool octets, over;
    const char *fault; /* NULL: none came yet */
    bool led, in_line, after_cr;
    int place;
    size_t name, name_len, lead_len;
    char lead[5];
};

/** Searches the next piece. Returns how much of it belongs to the header. */
size_t smtp_header_look(struct smtp_header *h, const char *data, size_t len);

/** What a message contains, and how long it becomes on the wire. Zero the struct first, feed it in
 *  pieces, end it. `ready`: the message is to be sent as it is, so `special`, `control`,
 *  `from_line`, `boundary` and `utf8` are not needed, and the header is searched for what must not
 *  leave. */
struct smtp_scan {
    bool ready;
    uint64_t len;       /* bytes that it was fed */
    uint64_t wire_len;  /* bytes with every line end as CRLF; doubled dots are not counted */
    uint64_t line_max;  /* bytes of the longest line, without its line end; where `ready`, the line
                         * counts if it is over SMTP_BODY_LINE_MAX */
    uint64_t special;   /* bytes that quoted-printable has to escape in every place */
    bool nul, eightbit; /* there is a NUL; there is a byte over 127 */
    bool control;       /* a control character other than tab, CR and LF: NUL, DEL, … */
    bool bare;          /* a CR or an LF that is not part of CRLF */
    bool from_line;     /* a line that begins with "From ", which mailboxes change (RFC 4155) */
    bool dotted;        /* a line that begins with a dot */
    bool boundary;      /* a text that may begin a boundary of the composer */
    bool open;          /* the last line has no line end */
    bool framed;        /* nothing bare or dotted, and CRLF at the end: DATA sends it as it is */
    struct smtp_utf8 utf8;
    struct smtp_header header; /* searched where `ready` */
    bool odd_header;           /* where `ready`: a NUL or a bare line end is in the header */
    bool in_body, after_cr;
    size_t line_len, from_len, last_len;
    char last[3];
};

/** Looks at the next piece. */
void smtp_scan(struct smtp_scan *scan, const char *data, size_t len);

/** Ends the message: an unfinished last line counts as a line. */
void smtp_scan_end(struct smtp_scan *scan);

/** May the message be sent as text: no NUL, no line over SMTP_BODY_LINE_MAX, no fault in its header
 *  (where `ready`)? */
bool smtp_scan_is_sendable(const struct smtp_scan *scan);

/** Returns the encoding that makes a text 7-bit and shortest. Not where `ready`. */
enum smtp_encoding smtp_scan_encoding(const struct smtp_scan *scan);

/** Returns "utf8" or "nul": why it is not text; NULL where it is. Not where `ready`. */
const char *smtp_scan_why_no_text(const struct smtp_scan *scan);

/* ---- dates (date.c) ---- */

enum { SMTP_MAIL_DATE_LEN = 31 }; /* Tue, 24 Nov 2026 12:00:00 +0000 */

/** Writes a time, in seconds from 1970 to 9999, as RFC 5322 3.3 has it, in UTC. */
void smtp_date_write(char out[SMTP_MAIL_DATE_LEN], int64_t seconds);

/** Is it a date of this form, in any zone? RFC 5322 allows other forms, too. */
bool smtp_date_check(struct smtp_text text);

/* ---- short texts (letter.c) ---- */

enum {
    SMTP_LETTER_TEXT_MAX = 4096,
    SMTP_LETTER_SUBJECT_MAX = 256,
    SMTP_LETTER_NAME_MAX = 128,                       /* bytes of a display name */
    SMTP_LETTER_MAX = 8192 + 4 * SMTP_LETTER_TEXT_MAX /* a header; a text in any encoding */
};

/** Addresses and their names, as a header has them: Ann <ann@example.org>, bob@example.org. A new
 *  list is zeroed. */
struct smtp_mailboxes {
    size_t len;
    char data[1024];
};

/** Adds an address in its canonical form; an empty name is none. Returns false where there may be
 * no room. */
bool smtp_mailboxes_add(struct smtp_mailboxes *list, struct smtp_text name,
                        struct smtp_text address);

/** The commonest of composed messages. `subject`, UTF-8 without control characters other than TAB,
 *  has a NULL as data where there is none. */
struct smtp_letter {
    struct smtp_mailboxes from, to;
    struct smtp_text date, subject, id, text;
};

/** Writes the message, of at most SMTP_LETTER_MAX bytes, with the identifier `id`, which is then
 *  found in `out`. Returns its length; 0 where the text is not text. */
size_t smtp_letter_write(struct smtp_letter *letter, char *out);

#pragma GCC visibility pop

#endif
