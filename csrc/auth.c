/* auth.c - AUTH (RFC 4954): policy, choice, the exchange, and what each refusal means. */
#include "session.h"

#pragma GCC visibility push(hidden)

static const struct smtp_mechanism *const mechanisms[SMTP_MECH_COUNT] = {
    [SMTP_MECH_PLAIN] = &smtp_plain,
    [SMTP_MECH_LOGIN] = &smtp_login,
};

const struct smtp_mechanism *auth_mechanism(size_t mech)
{
    return mechanisms[mech];
}

/* ---- before anything is sent ---- */

static bool is_offered(const struct smtp_session *s, const char *name)
{
    size_t name_len = strlen(name);
    for (size_t at = 0; at + name_len <= s->mechs_len; at++) {
        bool starts = at == 0 || s->mechs[at - 1] == ' ';
        bool ends = at + name_len == s->mechs_len || s->mechs[at + name_len] == ' ';
        if (starts && ends && memcmp(s->mechs + at, name, name_len) == 0) return true;
    }
    return false;
}

/* The server cannot. Where the user named mechanisms, he meant them: prefer does not go on. */
static step unavailable(struct smtp_session *s, enum smtp_error error, const struct smtp_reply *r)
{
    bool insists = s->opt.mechs_named && error == SMTP_ERROR_AUTH_NO_COMMON;
    if (s->opt.auth == SMTP_REQUIRE || insists) return give_up(s, error, r);
    s->auth = SMTP_AUTH_UNAVAILABLE;
    s->auth_reason = error;
    return STEP_ready;
}

/* The next mechanism that the server offers, the user allows, and that was not turned down. All of
 * them show the secret to whoever listens. Returns whether there is one, and in *insecure whether
 * there would be one on a link with TLS. */
static bool choose(struct smtp_session *s, bool *insecure)
{
    *insecure = false;
    for (size_t i = 0; i < s->opt.mech_count; i++) {
        size_t mech = s->opt.mechs[i];
        if (s->mech_code[mech] != 0 || !is_offered(s, mechanisms[mech]->name)) continue;
        if (s->tls_on || s->opt.secret_in_clear) {
            s->mech = mech;
            return true;
        }
        *insecure = true;
    }
    return false;
}

static enum smtp_error why_unavailable(const struct smtp_session *s)
{
    if (!s->esmtp) return SMTP_ERROR_AUTH_HELO_ONLY;
    if (!(s->ext & EXT_AUTH))
        return s->auth_before_tls ? SMTP_ERROR_AUTH_GONE : SMTP_ERROR_AUTH_NOT_OFFERED;
    return s->mechs_len == 0 ? SMTP_ERROR_AUTH_EMPTY : SMTP_ERROR_AUTH_NO_COMMON;
}

static void begin_exchange(struct smtp_session *s)
{
    s->turn = 0;
    s->initial = s->no_initial = false;
}

step auth_begin(struct smtp_session *s)
{
    bool insecure;
    if (s->opt.auth == SMTP_SKIP || s->opt.username.len == 0) return STEP_ready;
    begin_exchange(s);
    if (choose(s, &insecure)) return STEP_auth;
    if (insecure) return give_up(s, SMTP_ERROR_AUTH_INSECURE, NULL);
    return unavailable(s, why_unavailable(s), NULL);
}

bool auth_needs_secret(const struct smtp_session *s)
{
    return s->next == STEP_auth && s->due_count == 0 && !s->has_secret;
}

void smtp_secret(struct smtp_session *s, const char *data, size_t len)
{
    s->secret = (struct smtp_text){data, len};
    s->has_secret = true;
    dialogue_go_on(s);
}

/* ---- the exchange ---- */

enum { AUTH_LINE_MAX = 510 }; /* without CRLF; longer ones break servers (RFC 4954 4) */

step say_auth(struct smtp_session *s)
{
    const struct smtp_mechanism *m = mechanisms[s->mech];
    s->out_secret = true;
    put_words(s, "AUTH ");
    put_words(s, m->name);
    if (!m->initial || s->no_initial) return STEP_answer;
    size_t bare_at = s->out_len;
    put_words(s, " ");
    m->answer(s, 0);
    s->initial = s->out_len - s->command_at <= AUTH_LINE_MAX;
    s->turn = s->initial ? 1 : 0;
    if (!s->initial) {
        wipe(s->out + bare_at, s->out_len - bare_at);
        s->said_len -= s->out_len - bare_at;
        s->out_len = bare_at;
    }
    return STEP_answer;
}

step say_answer(struct smtp_session *s)
{
    s->out_secret = true;
    if (s->cancelled)
        put_words(s, "*");
    else
        mechanisms[s->mech]->answer(s, s->turn++);
    return STEP_answer;
}

/* 504 and its dialects: this mechanism is not known. 534: it is too weak. RFC 4954 6. */
static bool turns_down(const struct smtp_reply *r)
{
    return r->code == 504 || r->code == 534 ||
           ((r->code == 501 || r->code == 503) && reply_is(r, 5, 5, 4));
}

static step try_next(struct smtp_session *s, const struct smtp_reply *r)
{
    bool insecure, weak = false;
    s->mech_code[s->mech] = r->code;
    begin_exchange(s);
    if (choose(s, &insecure)) return STEP_auth;
    for (size_t i = 0; i < SMTP_MECH_COUNT; i++)
        weak = weak || s->mech_code[i] == 534;
    if (weak) return give_up(s, SMTP_ERROR_AUTH_TOO_WEAK, r);
    return unavailable(s, SMTP_ERROR_AUTH_NO_COMMON, r);
}

/* 530 says what the server wants first: TLS (RFC 3207 4) or AUTH (RFC 4954 6). */
enum smtp_error required_first(const struct smtp_session *s, const struct smtp_reply *r)
{
    if (!s->tls_on && answer_mentions(r, "STARTTLS")) return SMTP_ERROR_TLS_REQUIRED;
    return SMTP_ERROR_AUTH_REQUIRED;
}

static step challenged(struct smtp_session *s, const struct smtp_reply *r)
{
    bool odd = false;
    for (size_t i = 0; i < r->text_len; i++)
        odd = odd || (unsigned char)r->text[i] < ' ';
    s->cancelled = odd || s->turn >= mechanisms[s->mech]->answers;
    return STEP_answer;
}

static step succeeded(struct smtp_session *s, const struct smtp_reply *r)
{
    if (s->turn < mechanisms[s->mech]->answers) return give_up(s, SMTP_ERROR_AUTH_PROTOCOL, r);
    s->auth = SMTP_AUTH_DONE;
    s->secret = (struct smtp_text){0};
    return STEP_ready;
}

static step hear_exchange(struct smtp_session *s, const struct smtp_reply *r)
{
    if (r->code == 235) return succeeded(s, r);
    if (r->code == 334) return challenged(s, r);
    if (r->code == 421) return drop(s, SMTP_ERROR_AUTH_TEMPORARY, r);
    if (reply_class(r) < 4) return drop(s, SMTP_ERROR_UNEXPECTED, r);
    if (reply_class(r) == 4) return give_up(s, SMTP_ERROR_AUTH_TEMPORARY, r);
    if (s->initial && (r->code == 500 || r->code == 501) && reply_is(r, 5, 5, 6)) {
        s->initial = false;
        s->no_initial = true;
        s->turn = 0;
        return STEP_auth;
    }
    if (turns_down(r)) return try_next(s, r);
    if (r->code == 538) return give_up(s, SMTP_ERROR_AUTH_ENCRYPT, r);
    if (r->code == 530) return give_up(s, required_first(s, r), r);
    return give_up(s, SMTP_ERROR_AUTH_REJECTED, r);
}

step hear_auth(struct smtp_session *s, const struct smtp_reply *r)
{
    bool unknown = r->code == 500 || r->code == 502 || r->code == 503;
    bool too_long = s->initial && r->code == 500 && reply_is(r, 5, 5, 6);
    if (unknown && !too_long && !turns_down(r)) return unavailable(s, SMTP_ERROR_AUTH_UNKNOWN, r);
    return hear_exchange(s, r);
}

step hear_answer(struct smtp_session *s, const struct smtp_reply *r)
{
    if (!s->cancelled) return hear_exchange(s, r);
    return r->code == 421 ? drop(s, SMTP_ERROR_AUTH_PROTOCOL, r)
                          : give_up(s, SMTP_ERROR_AUTH_PROTOCOL, r);
}

#pragma GCC visibility pop
