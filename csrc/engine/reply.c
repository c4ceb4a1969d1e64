/* reply.c - lines become replies (RFC 5321 4.2). */
#include "../text/ascii.h"
#include "session.h"

/* ---- words that a person may see ---- */

void smtp_hide(struct smtp_session *s, const struct smtp_text *words, size_t count)
{
    s->hidden_count = count < SMTP_HIDDEN_MAX ? count : SMTP_HIDDEN_MAX;
    memcpy(s->hidden, words, s->hidden_count * sizeof *words);
}

/* Returns the length of the hidden words that begin at `at`, 0 where none begin there. */
static size_t hidden_len(const struct smtp_reply *r, size_t at)
{
    for (size_t i = 0; i < r->hidden_count; i++) {
        struct smtp_text words = r->hidden[i];
        if (words.len > r->text_len - at || words.len == 0 || words.data[0] != r->text[at])
            continue;
        if (memcmp(words.data, r->text + at, words.len) == 0) return words.len;
    }
    return 0;
}

/* Writes the words from `*at` up to the next ones that are hidden, where `*at` then is. Returns the
 * length in `out`. */
static size_t copy_open(char *out, size_t room, const struct smtp_reply *r, size_t *at)
{
    size_t from = *at;
    if (r->hidden_count == 0) *at = r->text_len;
    while (*at < r->text_len && hidden_len(r, *at) == 0)
        ++*at;
    return smtp_printable(out, room, r->text + from, *at - from);
}

/* Writes the words of a reply in at most `max` octets. A text that was cut ends in SMTP_CUT_MARK: a
 * part of a secret may precede it. Returns the length. */
size_t copy_words(char *out, size_t max, const struct smtp_reply *r)
{
    static const char mask[] = "[secret]";
    const size_t mark_len = sizeof SMTP_CUT_MARK - 1, mask_len = sizeof mask - 1;
    size_t room = max > mark_len ? max - mark_len : 0, len = 0;
    bool cut = r->cut;
    if (room == 0) return 0;
    for (size_t from = 0, at = 0; from < r->text_len; from = at) {
        size_t copied = copy_open(out + len, room - len, r, &at);
        len += copied;
        bool full = copied < at - from || (at < r->text_len && room - len < mask_len);
        cut = cut || full;
        if (full || at == r->text_len) break;
        memcpy(out + len, mask, mask_len);
        len += mask_len;
        at += hidden_len(r, at);
    }
    if (!cut) return len;
    memcpy(out + len, SMTP_CUT_MARK, mark_len);
    return len + mark_len;
}

void answer_take(struct smtp_answer *answer, const struct smtp_reply *r)
{
    answer->code = r->code;
    memcpy(answer->enhanced, r->enhanced, sizeof answer->enhanced);
    answer->text_len = copy_words(answer->text, SMTP_TEXT_MAX, r);
}

/* Returns the reply that `answer` was taken from, as far as it was kept; it is borrowed from
 * `answer`. */
struct smtp_reply answer_reply(const struct smtp_answer *answer)
{
    const size_t mark_len = sizeof SMTP_CUT_MARK - 1;
    struct smtp_reply r = {
        .code = answer->code, .text = answer->text, .text_len = answer->text_len};
    memcpy(r.enhanced, answer->enhanced, sizeof r.enhanced);
    r.cut = r.text_len >= mark_len &&
            memcmp(r.text + r.text_len - mark_len, SMTP_CUT_MARK, mark_len) == 0;
    if (r.cut) r.text_len -= mark_len;
    return r;
}

/* ---- enhanced status codes (RFC 2034 4, RFC 3463 2) ---- */

static size_t read_part(const char *data, size_t len, uint16_t *part)
{
    size_t i = 0;
    *part = 0;
    while (i < len && i < 3 && is_digit(data[i]))
        *part = (uint16_t)(*part * 10 + (data[i++] - '0'));
    return i;
}

/* Reads the status at the beginning of `text`, if its class is that of `code`. Returns its length
 * with the space after it, or 0: a status of another class, or of a wrong form, is text. */
static size_t read_enhanced(uint16_t code, const char *text, size_t len, uint16_t status[3])
{
    if (len < 5 || text[1] != '.' || text[0] - '0' != code / 100) return 0;
    size_t subject = read_part(text + 2, len - 2, &status[1]);
    size_t at = 2 + subject;
    if (subject == 0 || at >= len || text[at] != '.') return 0;
    size_t detail = read_part(text + at + 1, len - at - 1, &status[2]);
    at += 1 + detail;
    if (detail == 0 || (at < len && text[at] != ' ')) return 0;
    status[0] = (uint16_t)(text[0] - '0');
    return at < len ? at + 1 : at;
}

/* Some servers give a status whose class does not fit the code: it stays in the text, and still
 * says what the refusal is about. */
static void read_any_status(const struct smtp_reply *r, uint16_t status[3])
{
    memcpy(status, r->enhanced, sizeof r->enhanced);
    if (status[0] != 0 || r->text_len == 0) return;
    uint16_t own_class = (uint16_t)(r->text[0] - '0');
    if (own_class != 4 && own_class != 5) return;
    if (read_enhanced((uint16_t)(own_class * 100), r->text, r->text_len, status) == 0)
        memset(status, 0, sizeof r->enhanced);
}

bool reply_has_status(const struct smtp_reply *r)
{
    uint16_t status[3];
    read_any_status(r, status);
    return status[0] != 0;
}

/* Is X.subject.detail the reply's status (RFC 3463 3)? */
bool reply_is_about(const struct smtp_reply *r, unsigned subject, unsigned detail)
{
    uint16_t status[3];
    read_any_status(r, status);
    return status[0] != 0 && status[1] == subject && status[2] == detail;
}

/* Does the reply say that the message is too large, by code (RFC 1870 6) or status (RFC
 * 3463 3.3, 3.4)? */
bool reply_says_size(const struct smtp_reply *r)
{
    if (r->code != 552) return r->code == 523;
    return !reply_has_status(r) || reply_is_about(r, 3, 4) || reply_is_about(r, 2, 3);
}

/* ---- lines ---- */

static void keep(struct smtp_session *s, const char *data, size_t len)
{
    if (len > SMTP_KEPT_MAX - s->text_len) {
        len = SMTP_KEPT_MAX - s->text_len;
        s->text_cut = true;
    }
    memcpy(s->work->text + s->text_len, data, len);
    s->text_len += len;
}

/* Returns text that is not a reply, but may be shown. */
static struct smtp_reply words_of(const struct smtp_session *s, const char *text, size_t len)
{
    return (struct smtp_reply){
        .text = text, .text_len = len, .hidden = s->hidden, .hidden_count = s->hidden_count};
}

static struct smtp_reply whole(struct smtp_session *s)
{
    char *text = s->work->text;
    struct smtp_reply r = {.code = s->reply_code, .text = text, .cut = s->text_cut};
    r.hidden = s->hidden;
    r.hidden_count = s->hidden_count;
    uint16_t status[3] = {0};
    size_t first = 0, skipped = read_enhanced(r.code, text, s->text_len, status);
    /* Each line of a reply repeats the status (RFC 2034 4): only the words are kept. */
    if (skipped > 0) {
        memcpy(r.enhanced, status, sizeof r.enhanced);
        for (size_t i = skipped; i < s->text_len; i++) {
            text[first++] = text[i];
            if (text[i] == '\n')
                i += read_enhanced(r.code, text + i + 1, s->text_len - i - 1, status);
        }
        s->text_len = first;
    }
    r.text_len = s->text_len;
    return r;
}

static void finish(struct smtp_session *s)
{
    struct smtp_reply r = whole(s);
    dialogue_hear(s, &r);
    s->text_len = s->reply_len = s->reply_lines = 0;
    s->text_cut = false;
}

static void fail(struct smtp_session *s, enum smtp_error error, const char *line, size_t len)
{
    struct smtp_reply r = words_of(s, line, len);
    s->next = drop(s, error, &r);
}

static bool is_shaped(const char *line, size_t len)
{
    return len >= 3 && line[0] >= '2' && line[0] <= '5' && is_digit(line[1]) && is_digit(line[2]) &&
           (len == 3 || line[3] == ' ' || line[3] == '-') && memchr(line, '\0', len) == NULL;
}

static uint16_t read_code(const char *line)
{
    return (uint16_t)((line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0'));
}

/* Makes a reply of what had come when the connection ended. A 421 that lacks only its end is a
 * reply, because some servers leave the end out; of any other reply the words are kept. Returns
 * false where nothing had come. */
bool reply_cut(struct smtp_session *s, struct smtp_reply *r)
{
    size_t len = s->line_len;
    if (len == 0 && s->reply_lines == 0) return false;
    const char *line = s->work->line;
    if (len > 0 && line[len - 1] == '\r') len--;
    bool shaped = is_shaped(line, len) && (s->reply_lines == 0 || read_code(line) == s->reply_code);
    if (s->reply_lines == 0 && !(shaped && read_code(line) == 421)) {
        *r = words_of(s, line, len);
        return true;
    }
    if (shaped) s->reply_code = read_code(line);
    if (shaped && s->reply_lines > 0) keep(s, "\n", 1);
    if (shaped && len > 4) keep(s, line + 4, len - 4);
    *r = whole(s);
    if (r->code != 421) *r = words_of(s, r->text, r->text_len);
    return true;
}

/* Takes one whole line. LF alone ends it too, because some servers send that. A CR elsewhere is
 * text. */
void reply_line(struct smtp_session *s, const char *line, size_t line_len)
{
    size_t len = line_len - 1;
    if (len > 0 && line[len - 1] == '\r') len--;
    if (!is_shaped(line, len)) {
        fail(s, SMTP_ERROR_MALFORMED, line, len);
        return;
    }
    uint16_t code = read_code(line);
    if (s->reply_lines > 0 && code != s->reply_code) {
        fail(s, SMTP_ERROR_MIXED_CODES, line, len);
        return;
    }
    s->reply_code = code;
    s->reply_len += line_len;
    if (++s->reply_lines > SMTP_REPLY_LINES_MAX || s->reply_len > SMTP_REPLY_MAX) {
        fail(s, SMTP_ERROR_TOO_LONG, line, 0);
        return;
    }
    if (s->reply_lines > 1) keep(s, "\n", 1);
    if (len > 4) keep(s, line + 4, len - 4);
    if (len == 3 || line[3] == ' ') finish(s);
}
