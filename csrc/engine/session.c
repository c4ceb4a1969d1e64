/* session.c - how a session begins, its facts, and the words of errors. */
#include "session.h"

const struct smtp_error_words smtp_errors[] = {
#define X(name, a_kind, a_reason, ...)                                                             \
    {.kind = a_kind, .reason = a_reason, .sentence = __VA_ARGS__},
    SMTP_ERRORS(X)
#undef X
};

enum smtp_error smtp_error_find(const char *kind, const char *reason)
{
    for (size_t i = 1; i < sizeof smtp_errors / sizeof *smtp_errors; i++)
        if (strcmp(smtp_errors[i].kind, kind) == 0 && strcmp(smtp_errors[i].reason, reason) == 0)
            return (enum smtp_error)i;
    return SMTP_ERROR_NONE;
}

size_t smtp_session_size(void)
{
    return sizeof(struct smtp_session);
}

static enum smtp_tls_state first_tls_state(const struct smtp_options *options)
{
    if (options->tls_on) return SMTP_TLS_ON;
    return options->tls == SMTP_PREFER ? SMTP_TLS_UNAVAILABLE : SMTP_TLS_SKIPPED;
}

struct smtp_text keep_text(char *out, size_t out_max, struct smtp_text text)
{
    size_t len = text.len < out_max ? text.len : out_max;
    if (len > 0) memcpy(out, text.data, len);
    return (struct smtp_text){out, len};
}

/* Goes on where another session stopped: the reply to EHLO, as the facts keep it, is read again. */
static void resume(struct smtp_session *s, const struct smtp_facts *facts)
{
    struct smtp_work *w = s->work;
    s->facts = *facts;
    size_t len = keep_text(w->text, sizeof w->text - 1, facts->server).len;
    w->text[len++] = '\n';
    len += keep_text(w->text + len, sizeof w->text - len, facts->capabilities).len;
    const struct smtp_reply hello = {.code = 250, .text = w->text, .text_len = len};
    s->facts.mechanisms = s->facts.server = s->facts.capabilities = (struct smtp_text){NULL, 0};
    if (s->facts.esmtp)
        extensions_read(s, &hello);
    else
        s->facts.server = keep_text(w->hello, sizeof w->hello, facts->server);
    s->facts.mechanisms_before_tls =
        keep_text(w->mechs_before, sizeof w->mechs_before, facts->mechanisms_before_tls);
    if (facts->ehlo_reply != NULL) {
        w->ehlo_reply = *facts->ehlo_reply;
        s->facts.ehlo_reply = &w->ehlo_reply;
    }
    s->next = STEP_ready;
}

struct smtp_session *smtp_session_init(void *memory, void *work, size_t buffer_len,
                                       const struct smtp_options *options,
                                       const struct smtp_facts *facts)
{
    struct smtp_session *s = memory;
    memset(s, 0, offsetof(struct smtp_session, hidden));
    s->opt = *options;
    smtp_session_work(s, work, buffer_len);
    s->next = STEP_greeting;
    s->status.grade = options->lmtp ? SMTP_SAFE : options->grade;
    s->facts.tls = first_tls_state(options);
    s->facts.tls_verified = options->tls_on && options->tls_verified;
    if (has_tls(s)) transcript_note(s, "TLS");
    if (facts != NULL)
        resume(s, facts);
    else
        dialogue_go_on(s);
    return s;
}

bool session_is_quiet(const struct smtp_session *s)
{
    return s->due_count == 0 && s->out_len == s->out_at && s->lent.len == 0 && s->line_len == 0 &&
           s->reply_lines == 0;
}

bool smtp_session_rests(const struct smtp_session *s)
{
    return s->next == STEP_ready && session_is_quiet(s);
}

void smtp_tls_started(struct smtp_session *s, bool verified)
{
    if (s->next != STEP_tls) return;
    s->facts.tls = SMTP_TLS_ON;
    s->facts.tls_verified = verified;
    s->next = s->opt.halt == SMTP_HALT_TLS ? STEP_ready : STEP_ehlo;
    transcript_note(s, "TLS");
    dialogue_go_on(s);
}

const struct smtp_facts *smtp_session_facts(const struct smtp_session *s)
{
    return &s->facts;
}

const struct smtp_status *smtp_session_status(const struct smtp_session *s)
{
    return &s->status;
}
