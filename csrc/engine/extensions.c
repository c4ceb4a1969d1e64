/* extensions.c - what the server offers in its EHLO reply (RFC 5321 4.1.1.1). */
#include "../text/ascii.h"
#include "session.h"

/* ---- the parameters of each keyword ---- */

/* Reads digits, for a number of at most `max`. Returns false where the word is anything else. */
static bool read_number(struct smtp_text word, uint64_t max, uint64_t *number)
{
    uint64_t read = 0;
    for (size_t i = 0; i < word.len; i++) {
        unsigned digit = (unsigned)(word.data[i] - '0');
        if (digit > 9 || digit > max || read > (max - digit) / 10) return false;
        read = read * 10 + digit;
    }
    *number = read;
    return word.len > 0;
}

/* The number may be missing, and 0 means that there is no limit (RFC 1870 4). Anything that is not
 * a number means the same. */
static void read_size(struct smtp_session *s, struct smtp_text rest)
{
    read_number(next_word(&rest), UINT64_MAX, &s->facts.size_max);
}

/* Reads the minimum for the mode R, which may be missing (RFC 2852 4). */
static void read_deliverby(struct smtp_session *s, struct smtp_text rest)
{
    uint64_t seconds;
    if (read_number(next_word(&rest), SMTP_SECONDS_MAX, &seconds)) s->by_min = (uint32_t)seconds;
}

/* Is it of the form "2026-11-24T12:00:00Z"? */
static bool is_date(struct smtp_text text)
{
    static const char form[SMTP_DATE_LEN + 1] = "0000-00-00T00:00:00Z";
    if (text.len != SMTP_DATE_LEN) return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (form[i] == '0' ? !is_digit(c) : to_upper(c) != form[i]) return false;
    }
    return true;
}

/* Reads how long, and until when, a message may be held (RFC 4865 4). A date in another form is
 * ignored: the server checks it. */
static void read_futurerelease(struct smtp_session *s, struct smtp_text rest)
{
    uint64_t seconds;
    if (read_number(next_word(&rest), SMTP_SECONDS_MAX, &seconds)) s->hold_max = (uint32_t)seconds;
    struct smtp_text date = next_word(&rest);
    for (size_t i = 0; i < SMTP_DATE_LEN && is_date(date); i++)
        s->hold_until_max[i] = to_upper(date.data[i]);
}

/* One limit, "RCPTMAX=100". An unknown one, RCPTDOMAINMAX, which servers apply by themselves, and
 * one without a valid value are ignored (RFC 9422 3.1); 0 is not valid (4). */
static void read_limit(struct smtp_session *s, struct smtp_text limit)
{
    const struct {
        const char *name;
        uint32_t *max;
    } known[] = {{"RCPTMAX", &s->facts.rcpt_max}, {"MAILMAX", &s->facts.mail_max}};
    const char *equal = limit.len > 0 ? memchr(limit.data, '=', limit.len) : NULL;
    if (equal == NULL) return;
    const struct smtp_text name = {limit.data, (size_t)(equal - limit.data)};
    const struct smtp_text value = {equal + 1, limit.len - name.len - 1};
    uint64_t number;
    if (value.len > 6 || !read_number(value, 999999, &number) || number == 0) return;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (is_word(name, known[i].name)) *known[i].max = (uint32_t)number;
}

static void read_limits(struct smtp_session *s, struct smtp_text rest)
{
    for (struct smtp_text word = next_word(&rest); word.len > 0; word = next_word(&rest))
        read_limit(s, word);
}

bool offers_mechanism(const struct smtp_session *s, struct smtp_text name)
{
    struct smtp_text list = s->facts.mechanisms;
    for (struct smtp_text word = next_word(&list); word.len > 0; word = next_word(&list))
        if (is_same(word, name)) return true;
    return false;
}

/* RFC 4954 3. Lists of several lines add up; a name that does not fit whole is left out. */
static void read_auth(struct smtp_session *s, struct smtp_text rest)
{
    for (struct smtp_text word = next_word(&rest); word.len > 0; word = next_word(&rest)) {
        size_t at = s->facts.mechanisms.len, gap = at > 0;
        char *name = s->work->mechs + at + gap;
        if (word.len + 1 > SMTP_MECHANISMS_MAX - at) return;
        for (size_t i = 0; i < word.len; i++)
            name[i] = word.data[i] > ' ' && word.data[i] < 0x7F ? to_upper(word.data[i]) : '?';
        if (offers_mechanism(s, (struct smtp_text){name, word.len})) continue;
        if (gap > 0) s->work->mechs[at] = ' ';
        s->facts.mechanisms = (struct smtp_text){s->work->mechs, at + gap + word.len};
    }
}

static const struct {
    const char *keyword;
    unsigned ext;
    enum smtp_error missing;
    void (*read)(struct smtp_session *s, struct smtp_text rest);
} extensions[] = {
#define E(X, name, keyword, reason, read) {keyword, SMTP_EXT_##name, SMTP_ERROR_NO_##name, read},
    SMTP_EXTENSIONS(E, )
#undef E
        {"STARTTLS", SMTP_EXT_STARTTLS, SMTP_ERROR_NONE, NULL}, /* RFC 3207 */
    {"AUTH", SMTP_EXT_AUTH, SMTP_ERROR_NONE, read_auth},        /* RFC 4954 */
};

enum { EXTENSION_COUNT = sizeof extensions / sizeof *extensions };

static size_t find(struct smtp_text keyword)
{
    size_t i = 0;
    while (i < EXTENSION_COUNT && !is_word(keyword, extensions[i].keyword))
        i++;
    return i;
}

unsigned smtp_extension_find(const char *keyword, size_t len)
{
    size_t i = find((struct smtp_text){keyword, len});
    return i < EXTENSION_COUNT ? extensions[i].ext : 0;
}

/* Returns the error for the first of the wanted extensions that cannot be used. */
enum smtp_error extensions_missing(const struct smtp_session *s, unsigned wanted)
{
    for (size_t i = 0; i < EXTENSION_COUNT; i++)
        if ((wanted & extensions[i].ext) && !offers(s, extensions[i].ext))
            return extensions[i].missing;
    return SMTP_ERROR_NONE;
}

static void read_line(struct smtp_session *s, struct smtp_text line)
{
    if (line.len == 0 || is_blank(*line.data)) return;
    /* "AUTH=PLAIN LOGIN", from before RFC 2554. */
    if (line.len >= 5 && is_word((struct smtp_text){line.data, 4}, "AUTH") && line.data[4] == '=') {
        s->ext |= SMTP_EXT_AUTH;
        read_auth(s, (struct smtp_text){line.data + 5, line.len - 5});
        return;
    }
    size_t i = find(next_word(&line));
    if (i == EXTENSION_COUNT) return;
    bool again = (s->ext & extensions[i].ext) != 0;
    s->ext |= extensions[i].ext;
    /* Of a keyword that comes twice the first parameters count; only lists of mechanisms add up. */
    if (extensions[i].read != NULL && (!again || extensions[i].ext == SMTP_EXT_AUTH))
        extensions[i].read(s, line);
}

void extensions_forget(struct smtp_session *s)
{
    if (s->ext & SMTP_EXT_AUTH) s->auth_before_tls = true;
    s->facts.mechanisms_before_tls =
        keep_text(s->work->mechs_before, sizeof s->work->mechs_before, s->facts.mechanisms);
    s->facts_kept = false;
    s->ext = 0;
    s->facts.size_max = 0;
    s->facts.rcpt_max = s->facts.mail_max = 0;
    s->by_min = s->hold_max = 0;
    s->hold_until_max[0] = '\0';
    s->facts.mechanisms = s->facts.server = s->facts.capabilities = (struct smtp_text){NULL, 0};
    s->facts.esmtp = false;
}

/* Returns the length without a last line that may be cut within a word. */
static size_t whole_lines_len(const struct smtp_reply *r)
{
    size_t len = r->text_len;
    while (r->cut && len > 0 && r->text[--len] != '\n')
        ;
    return len;
}

/* What is kept of the reply gives the same when it is read again: see smtp_session_init. */
void extensions_read(struct smtp_session *s, const struct smtp_reply *r)
{
    size_t len = whole_lines_len(r);
    struct smtp_text rest = {r->text, len};
    next_line(&rest); /* the server's name */
    while (rest.len > 0)
        read_line(s, next_line(&rest));
    if (s->ext & SMTP_EXT_STARTTLS) s->facts.starttls_offered = true;
    char *hello = s->work->hello;
    s->facts.capabilities =
        (struct smtp_text){hello, smtp_printable(hello, SMTP_HELLO_MAX, r->text, len)};
    s->facts.server = next_line(&s->facts.capabilities);
}
