/* extensions.c - what the server offers in its EHLO reply (RFC 5321 4.1.1.1). */
#include "session.h"

#pragma GCC visibility push(hidden)

/* ASCII only: strcasecmp follows the locale, and fails under tr_TR. */
static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

/* Is data the whole of `word` (in upper case), in any case? */
bool same_word(const char *word, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (word[i] == '\0' || upper(data[i]) != word[i]) return false;
    return word[len] == '\0';
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

/* The next word of a line, and the rest behind it. */
static struct smtp_text next_word(struct smtp_text *line)
{
    while (line->len > 0 && is_space(*line->data))
        line->data++, line->len--;
    struct smtp_text word = {line->data, 0};
    while (line->len > 0 && !is_space(*line->data))
        line->data++, line->len--, word.len++;
    return word;
}

/* ---- the parameters of each keyword ---- */

/* RFC 1870 4: the number may be missing, 0 is no limit; what is no number is no limit either. */
static void read_size(struct smtp_session *s, struct smtp_text rest)
{
    struct smtp_text word = next_word(&rest);
    uint64_t size = 0;
    for (size_t i = 0; i < word.len; i++) {
        unsigned digit = (unsigned)(word.data[i] - '0');
        if (digit > 9 || size > (UINT64_MAX - digit) / 10) return;
        size = size * 10 + digit;
    }
    s->size_max = size;
}

static bool has_mechanism(const struct smtp_session *s, struct smtp_text name)
{
    struct smtp_text list = {s->mechs, s->mechs_len};
    while (list.len > 0) {
        struct smtp_text word = next_word(&list);
        if (word.len == name.len && memcmp(word.data, name.data, word.len) == 0) return true;
    }
    return false;
}

/* RFC 4954 3. Lists of several lines add up; a name that does not fit whole is left out. */
static void read_auth(struct smtp_session *s, struct smtp_text rest)
{
    for (struct smtp_text word = next_word(&rest); word.len > 0; word = next_word(&rest)) {
        char *name = s->mechs + s->mechs_len + (s->mechs_len > 0);
        if (word.len + 1 > SMTP_MECHANISMS_MAX - s->mechs_len) return;
        for (size_t i = 0; i < word.len; i++)
            name[i] = word.data[i] > ' ' && word.data[i] < 0x7F ? upper(word.data[i]) : '?';
        if (has_mechanism(s, (struct smtp_text){name, word.len})) continue;
        if (s->mechs_len > 0) s->mechs[s->mechs_len++] = ' ';
        s->mechs_len += word.len;
    }
}

static const struct {
    const char *keyword;
    unsigned ext;
    void (*read)(struct smtp_session *s, struct smtp_text rest);
} extensions[] = {
    {"PIPELINING", EXT_PIPELINING, NULL}, /* RFC 2920 */
    {"8BITMIME", EXT_8BITMIME, NULL},     /* RFC 6152 */
    {"SIZE", EXT_SIZE, read_size},        /* RFC 1870 */
    {"STARTTLS", EXT_STARTTLS, NULL},     /* RFC 3207 */
    {"AUTH", EXT_AUTH, read_auth},        /* RFC 4954 */
    {"SMTPUTF8", EXT_SMTPUTF8, NULL},     /* RFC 6531 */
};

static void read_line(struct smtp_session *s, struct smtp_text line)
{
    if (line.len == 0 || is_space(*line.data)) return;
    /* "AUTH=PLAIN LOGIN", from before RFC 2554. */
    if (line.len >= 5 && same_word("AUTH", line.data, 4) && line.data[4] == '=') {
        s->ext |= EXT_AUTH;
        read_auth(s, (struct smtp_text){line.data + 5, line.len - 5});
        return;
    }
    struct smtp_text word = next_word(&line);
    for (size_t i = 0; i < sizeof extensions / sizeof *extensions; i++) {
        if (word.len != strlen(extensions[i].keyword)) continue;
        if (!same_word(extensions[i].keyword, word.data, word.len)) continue;
        bool again = (s->ext & extensions[i].ext) != 0;
        s->ext |= extensions[i].ext;
        /* Said twice: lists of mechanisms add up, else the first counts. */
        if (extensions[i].read != NULL && (!again || extensions[i].ext == EXT_AUTH))
            extensions[i].read(s, line);
    }
}

void extensions_forget(struct smtp_session *s)
{
    if (s->ext & EXT_AUTH) s->auth_before_tls = true;
    if (s->mechs_len > 0) memcpy(s->mechs_before, s->mechs, s->mechs_len);
    s->mechs_before_len = s->mechs_len;
    s->ext = 0;
    s->size_max = 0;
    s->mechs_len = s->hello_len = s->server_len = 0;
    s->esmtp = false;
}

/* A last line that may be cut within a word does not count. */
static size_t whole_lines_len(const struct smtp_reply *r)
{
    size_t len = r->text_len;
    while (r->cut && len > 0 && r->text[--len] != '\n')
        ;
    return len;
}

/* What is kept of the reply gives the same when it is read again: smtp_session_resume. */
void extensions_read(struct smtp_session *s, const struct smtp_reply *r)
{
    size_t len = whole_lines_len(r);
    const char *at = r->text, *end = r->text + len;
    bool first = true; /* the server's name */
    while (at <= end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        if (!first)
            read_line(s, (struct smtp_text){at, (size_t)((stop != NULL ? stop : end) - at)});
        first = false;
        if (stop == NULL) break;
        at = stop + 1;
    }
    if (s->ext & EXT_STARTTLS) s->starttls_seen = true;
    s->hello_len = make_printable(s->hello, sizeof s->hello, r->text, len);
    const char *line_end = memchr(s->hello, '\n', s->hello_len);
    s->server_len = line_end != NULL ? (size_t)(line_end - s->hello) : s->hello_len;
}

#pragma GCC visibility pop
