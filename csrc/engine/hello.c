/* hello.c - the greeting, EHLO (LHLO) and HELO, NOOP and VRFY, QUIT. */
#include "session.h"

/* ---- greeting (RFC 5321 3.1) ---- */

step hear_greeting(struct smtp_session *s, const struct smtp_reply *r)
{
    if (r->code == 220) return s->opt.halt == SMTP_HALT_GREETING ? STEP_ready : STEP_ehlo;
    if (r->code == 421) return drop(s, SMTP_ERROR_GREETING_REFUSED, r);
    if (reply_class(r) >= 4) return give_up(s, SMTP_ERROR_GREETING_REFUSED, r);
    return drop(s, SMTP_ERROR_UNEXPECTED, r);
}

/* ---- EHLO, and HELO for servers that do not know it (RFC 5321 3.2) ---- */

/* TLS comes first, then AUTH, then mail. What was learned before TLS does not count after it. */
static step after_hello(struct smtp_session *s)
{
    if (s->opt.halt == SMTP_HALT_EHLO) return STEP_ready;
    return s->opt.tls == SMTP_SKIP || has_tls(s) ? auth_begin(s) : starttls_begin(s);
}

static step say_hello(struct smtp_session *s, const char *verb)
{
    extensions_forget(s);
    put_words(s, verb);
    put(s, s->opt.domain.data, s->opt.domain.len);
    return STEP_auth;
}

step say_ehlo(struct smtp_session *s)
{
    s->facts.ehlo_reply = NULL;
    return say_hello(s, s->opt.lmtp ? "LHLO " : "EHLO "); /* RFC 2033 4.1 */
}

step hear_ehlo(struct smtp_session *s, const struct smtp_reply *r)
{
    if (r->code == 250) {
        s->facts.esmtp = true;
        extensions_read(s, r);
        return after_hello(s);
    }
    bool unknown = r->code == 500 || r->code == 501 || r->code == 502 || r->code == 504;
    if (unknown && !s->opt.lmtp) {
        answer_take(&s->work->ehlo_reply, r);
        s->facts.ehlo_reply = &s->work->ehlo_reply;
        return STEP_helo;
    }
    if (r->code == 501) return give_up(s, SMTP_ERROR_LHLO_REFUSED, r);
    if (reply_class(r) >= 4) return give_up(s, SMTP_ERROR_GREETING_REFUSED, r);
    return drop(s, SMTP_ERROR_UNEXPECTED, r);
}

step say_helo(struct smtp_session *s)
{
    return say_hello(s, "HELO ");
}

step hear_helo(struct smtp_session *s, const struct smtp_reply *r)
{
    if (r->code == 250) {
        size_t len = smtp_printable(s->work->hello, sizeof s->work->hello, r->text, r->text_len);
        s->facts.server = (struct smtp_text){s->work->hello, len};
        return after_hello(s);
    }
    if (reply_class(r) >= 4) return give_up(s, SMTP_ERROR_HELO_REFUSED, r);
    return drop(s, SMTP_ERROR_UNEXPECTED, r);
}

/* ---- questions of the caller: NOOP, VRFY ---- */

step hear_asked(struct smtp_session *s, const struct smtp_reply *r)
{
    answer_take(&s->status.asked, r);
    return STEP_ready;
}

step say_vrfy(struct smtp_session *s)
{
    put_words(s, "VRFY ");
    put(s, s->argument.data, s->argument.len);
    return STEP_ready;
}

/* ---- QUIT: the conversation is over, whatever the server answers ---- */

step hear_quit(struct smtp_session *s, const struct smtp_reply *r)
{
    if (s->quit_crossing && reply_class(r) == 5) s->status.eager_failed = true;
    return STEP_over;
}
