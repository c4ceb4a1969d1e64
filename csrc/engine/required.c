/* required.c - refusals that ask for STARTTLS or AUTH first (RFC 3207 4, RFC 4954 6).
 *
 * The code for that is 530, but many servers use other codes. Then only their words show it, and
 * these are read with care: not within addresses and links, and not where the server judges the
 * message (SPF, DKIM, DMARC). */
#include "../text/ascii.h"
#include "session.h"

enum {
    NAMES_STARTTLS = 0x01,
    NAMES_TLS = 0x02,
    NAMES_AUTH = 0x04,
    DEMANDS = 0x08,
    DENIES = 0x10, /* "not authenticated" demands, "STARTTLS not available" does not */
    NAMES_OTHER = 0x20
};

static const struct {
    const char *word;
    unsigned sense;
} words[] = {
    {"STARTTLS", NAMES_STARTTLS | NAMES_TLS},
    {"TLS", NAMES_TLS},
    {"SSL", NAMES_TLS},
    {"ENCRYPT", NAMES_TLS},
    {"AUTHENTICAT", NAMES_AUTH},
    {"LOGIN", NAMES_AUTH},
    {"LOGGED", NAMES_AUTH},
    {"REQUIRE", DEMANDS},
    {"MUST", DEMANDS},
    {"NEED", DEMANDS},
    {"FIRST", DEMANDS},
    {"ISSUE", DEMANDS},
    {"PLEASE", DEMANDS},
    {"ONLY", DEMANDS},
    {"MANDATORY", DEMANDS},
    {"NOT", DENIES},
    {"UNAUTHENTICATED", DENIES},
    {"SPF", NAMES_OTHER},
    {"DKIM", NAMES_OTHER},
    {"DMARC", NAMES_OTHER},
    {"PASS", NAMES_OTHER},
    {"MEET", NAMES_OTHER},
};

/* Is AUTH there as a word of its own, which AUTHORIZED is not? */
static bool has_auth(struct smtp_text text)
{
    for (; text.len >= 4; text.data++, text.len--)
        if (is_word((struct smtp_text){text.data, 4}, "AUTH") &&
            (text.len == 4 || !is_letter(text.data[4])))
            return true;
    return false;
}

/* Returns the senses of a run of text without spaces. */
static unsigned sense_of(struct smtp_text text)
{
    unsigned sense = has_auth(text) ? NAMES_AUTH : 0;
    if (has_word(text, "@") || has_word(text, "://")) return 0;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (has_word(text, words[i].word)) sense |= words[i].sense;
    return sense;
}

static unsigned read_sense(const struct smtp_reply *r)
{
    unsigned sense = has_word((struct smtp_text){r->text, r->text_len}, "LOG IN") ? NAMES_AUTH : 0;
    for (size_t at = 0, end; at < r->text_len; at = end + 1) {
        end = at;
        while (end < r->text_len && r->text[end] != ' ' && r->text[end] != '\n')
            end++;
        sense |= sense_of((struct smtp_text){r->text + at, end - at});
    }
    return sense;
}

static bool has(unsigned sense, unsigned wanted)
{
    return (sense & wanted) == wanted;
}

/* Does the reply demand TLS? X.7.10 is "encryption needed" (RFC 5248 2.4). */
static bool demands_tls(const struct smtp_reply *r, unsigned sense, bool of_message)
{
    bool of_security = r->enhanced[0] == 0 || r->enhanced[1] == 7;
    if (r->enhanced[1] == 7 && r->enhanced[2] == 10) return true;
    if (r->code == 530) return (sense & NAMES_TLS) != 0;
    if (has(sense, NAMES_STARTTLS | DEMANDS)) return true;
    return !of_message && of_security && has(sense, NAMES_TLS | DEMANDS);
}

/* Does the reply demand AUTH? X.7.20 to X.7.29 are about the authentication of messages (RFC 7372,
 * RFC 8616). */
static bool demands_auth(const struct smtp_reply *r, unsigned sense, bool of_message)
{
    bool plain = r->code == 503 || r->code == 505 || r->code == 535;
    if (r->code == 530) return true;
    if (reply_class(r) != 5 || !(sense & NAMES_AUTH) || (sense & NAMES_OTHER)) return false;
    if (r->enhanced[1] == 7 && r->enhanced[2] / 10 == 2) return false;
    return plain || (!of_message && (sense & (DEMANDS | DENIES)) != 0);
}

/* Returns what is required first, NONE where the refusal has another cause. `of_message`: the
 * server has received the message. */
enum smtp_error required_first(const struct smtp_session *s, const struct smtp_reply *r,
                               bool of_message)
{
    if (reply_class(r) < 4 || (has_tls(s) && s->facts.auth == SMTP_AUTH_DONE))
        return SMTP_ERROR_NONE;
    unsigned sense = read_sense(r);
    if (!has_tls(s) && demands_tls(r, sense, of_message)) return SMTP_ERROR_TLS_REQUIRED;
    bool unused = s->facts.auth != SMTP_AUTH_DONE && (r->code == 530 || offers(s, SMTP_EXT_AUTH));
    return unused && demands_auth(r, sense, of_message) ? SMTP_ERROR_AUTH_REQUIRED
                                                        : SMTP_ERROR_NONE;
}
