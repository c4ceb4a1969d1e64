/* session.c - beginnings, facts and the words of errors. */
#include "session.h"

static const struct {
    const char *kind, *reason, *sentence;
} errors[] = {
#define X(name, kind, reason, sentence) [SMTP_ERROR_##name] = {kind, reason, sentence},
    SMTP_ERRORS(X)
#undef X
};

const char *smtp_error_kind(enum smtp_error error)
{
    return errors[error].kind;
}

const char *smtp_error_reason(enum smtp_error error)
{
    return errors[error].reason;
}

const char *smtp_error_sentence(enum smtp_error error)
{
    return errors[error].sentence;
}

enum smtp_error smtp_error_find(const char *kind, const char *reason)
{
    for (size_t i = 1; i < sizeof errors / sizeof *errors; i++)
        if (strcmp(errors[i].kind, kind) == 0 && strcmp(errors[i].reason, reason) == 0)
            return (enum smtp_error)i;
    return SMTP_ERROR_NONE;
}

size_t smtp_session_size(size_t buffer_len)
{
    return sizeof(struct smtp_session) + buffer_len;
}

static struct smtp_session *begin(void *memory, size_t buffer_len,
                                  const struct smtp_options *options)
{
    struct smtp_session *s = memory;
    memset(s, 0, offsetof(struct smtp_session, runs));
    s->opt = *options;
    s->out = (char *)memory + sizeof *s;
    s->out_max = buffer_len;
    s->grade = options->lmtp ? SMTP_SAFE : options->grade;
    s->tls_on = options->tls_on;
    s->tls_verified = options->tls_verified;
    if (s->tls_on) transcript_note(s, "TLS");
    return s;
}

struct smtp_session *smtp_session_init(void *memory, size_t buffer_len,
                                       const struct smtp_options *options)
{
    struct smtp_session *s = begin(memory, buffer_len, options);
    s->next = STEP_greeting;
    dialogue_go_on(s);
    return s;
}

/* One copy of `text`, cut to what there is room for. */
static size_t keep_text(char *out, size_t out_max, struct smtp_text text)
{
    size_t len = text.len < out_max ? text.len : out_max;
    if (len > 0) memcpy(out, text.data, len);
    return len;
}

/* The reply to EHLO is read once more, as the facts have kept it. */
struct smtp_session *smtp_session_resume(void *memory, size_t buffer_len,
                                         const struct smtp_options *options,
                                         const struct smtp_facts *facts)
{
    struct smtp_session *s = begin(memory, buffer_len, options);
    struct smtp_reply hello = {.code = 250, .text = s->text};
    s->tls_on = facts->tls == SMTP_TLS_ON;
    s->tls_verified = facts->tls_verified;
    s->esmtp = facts->esmtp;
    hello.text_len = keep_text(s->text, sizeof s->text - 1, facts->server);
    s->text[hello.text_len++] = '\n';
    hello.text_len +=
        keep_text(s->text + hello.text_len, sizeof s->text - hello.text_len, facts->capabilities);
    if (s->esmtp) extensions_read(s, &hello);
    s->mechs_before_len =
        keep_text(s->mechs_before, sizeof s->mechs_before, facts->mechanisms_before_tls);
    s->starttls_seen = facts->starttls_offered;
    s->ehlo_refused = facts->ehlo_reply != NULL;
    if (s->ehlo_refused) s->ehlo_reply = *facts->ehlo_reply;
    s->auth = facts->auth;
    s->auth_reason = facts->auth_reason;
    s->mech_said = facts->mechanism;
    s->next = STEP_ready;
    return s;
}

bool smtp_session_rests(const struct smtp_session *s)
{
    return s->next == STEP_ready && s->due_count == 0 && s->out_len == s->out_at &&
           s->line_len == 0 && s->reply_lines == 0;
}

void smtp_tls_started(struct smtp_session *s, bool verified)
{
    if (s->next != STEP_tls) return;
    s->tls_on = true;
    s->tls_verified = verified;
    s->next = STEP_ehlo;
    transcript_note(s, "TLS");
    dialogue_go_on(s);
}

const struct smtp_answer *smtp_asked(const struct smtp_session *s)
{
    return &s->asked;
}

const struct smtp_trouble *smtp_session_trouble(const struct smtp_session *s)
{
    return &s->trouble;
}

uint64_t smtp_session_replies(const struct smtp_session *s)
{
    return s->reply_count;
}

uint64_t smtp_session_octets(const struct smtp_session *s)
{
    return s->octets_said;
}

static enum smtp_tls_state tls_state(const struct smtp_session *s)
{
    if (s->tls_on) return SMTP_TLS_ON;
    return s->opt.tls == SMTP_PREFER ? SMTP_TLS_UNAVAILABLE : SMTP_TLS_SKIPPED;
}

struct smtp_facts smtp_session_facts(const struct smtp_session *s)
{
    size_t rest = s->server_len < s->hello_len ? s->server_len + 1 : s->hello_len;
    return (struct smtp_facts){
        .esmtp = s->esmtp,
        .tls_verified = s->tls_on && s->tls_verified,
        .tls = tls_state(s),
        .auth = s->auth,
        .auth_reason = s->auth_reason,
        .mechanism = s->mech_said,
        .challenge = {s->challenge, s->told_why ? s->challenge_len : 0},
        .ehlo_reply = s->ehlo_refused ? &s->ehlo_reply : NULL,
        .bound = s->must_bind,
        .starttls_offered = s->starttls_seen,
        .size_max = s->size_max,
        .rcpt_max = s->rcpt_max,
        .mail_max = s->mail_max,
        .server = {s->hello, s->server_len},
        .capabilities = {s->hello + rest, s->hello_len - rest},
        .mechanisms = {s->mechs, s->mechs_len},
        .mechanisms_before_tls = {s->mechs_before, s->mechs_before_len},
    };
}
