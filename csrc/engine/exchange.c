/* exchange.c - the exchange of AUTH (RFC 4954 4): secrets, answers, challenges, and what each reply
 * means. auth.c chooses the mechanism. */
#include "../text/ascii.h"
#include "session.h"

static bool has_flag(const struct smtp_session *s, unsigned flag)
{
    return (s->opt.mechs[s->mech].flags & flag) != 0;
}

void exchange_reset(struct smtp_session *s)
{
    s->turn = 0;
    s->initial = s->no_initial = s->content = s->failed = s->has_answer = false;
}

/* ---- what comes from outside: secrets and answers ---- */

enum smtp_secret smtp_secret_wanted(const struct smtp_session *s)
{
    if (s->next != STEP_auth || s->due_count > 0) return SMTP_SECRET_NONE;
    const struct smtp_mechanism *m = auth_inside(s);
    return m == NULL || m->secret == s->secret_kind ? SMTP_SECRET_NONE : m->secret;
}

void smtp_secret(struct smtp_session *s, const char *data, size_t len)
{
    enum smtp_secret wanted = smtp_secret_wanted(s);
    if (wanted == SMTP_SECRET_NONE) return;
    s->secret = (struct smtp_text){data, len};
    s->secret_kind = wanted;
    dialogue_go_on(s);
}

bool auth_needs_answer(const struct smtp_session *s)
{
    bool turn = s->next == STEP_auth || s->next == STEP_answer;
    return turn && s->due_count == 0 && !s->has_answer && s->cancelled == SMTP_ERROR_NONE &&
           auth_inside(s) == NULL;
}

struct smtp_text smtp_challenge(const struct smtp_session *s, struct smtp_text *mechanism)
{
    *mechanism = s->opt.mechs[s->mech].name;
    if (s->next != STEP_answer) return (struct smtp_text){NULL, 0};
    return (struct smtp_text){s->work->challenge, s->challenge_len};
}

bool smtp_answer(struct smtp_session *s, const char *data, size_t len, bool content)
{
    unsigned turn = s->turn;
    if (!auth_needs_answer(s)) return false;
    s->content = content;
    if (s->closing && content) {
        s->facts.auth = SMTP_AUTH_DONE;
        s->next = dialogue_rest(s);
    } else if (s->closing) {
        s->next = give_up(s, SMTP_ERROR_AUTH_NOT_AUTHENTIC, NULL);
    } else {
        s->answer = (struct smtp_text){data, len};
        s->has_answer = true;
    }
    dialogue_go_on(s);
    return s->turn > turn;
}

/* The mechanism does not accept what the server sent. If that was its 235, the server has not
 * proven that it knows the password. */
void smtp_answer_refuse(struct smtp_session *s, enum smtp_error error)
{
    if (!auth_needs_answer(s)) return;
    if (s->next == STEP_answer && !s->closing)
        s->cancelled = error;
    else
        s->next = give_up(s, s->closing ? SMTP_ERROR_AUTH_NOT_AUTHENTIC : error, NULL);
    dialogue_go_on(s);
}

/* ---- the exchange ---- */

void append(char *message, size_t *len, struct smtp_text text)
{
    if (text.len > 0) memcpy(message + *len, text.data, text.len);
    *len += text.len;
}

void append_words(char *message, size_t *len, const char *words)
{
    append(message, len, text_of(words));
}

void put_bearer(struct smtp_session *s, char *message, size_t len)
{
    append_words(message, &len, "auth=Bearer ");
    append(message, &len, s->secret);
    append_words(message, &len, "\1\1");
    put_base64(s, message, len);
    wipe(message, len);
}

enum { AUTH_LINE_MAX = 510 }; /* without CRLF; longer ones break servers (RFC 4954 4) */

static void put_answer(struct smtp_session *s)
{
    const struct smtp_mechanism *m = auth_inside(s);
    if (m != NULL)
        m->answer(s, s->turn);
    else
        put_base64(s, s->answer.data, s->answer.len);
    s->has_answer = false;
}

step say_auth(struct smtp_session *s)
{
    const struct smtp_mechanism *m = auth_inside(s);
    s->out_secret = true;
    s->facts.mechanism = s->opt.mechs[s->mech].name;
    s->facts.bound = s->facts.bound || has_flag(s, SMTP_MECH_BINDS);
    put_words(s, "AUTH ");
    put(s, s->facts.mechanism.data, s->facts.mechanism.len);
    s->initial = !s->no_initial && (m != NULL ? m->initial : s->answer.data != NULL);
    if (!s->initial) {
        s->has_answer = s->content = false;
        return STEP_answer;
    }
    size_t bare_at = s->out_len;
    put_words(s, " ");
    put_answer(s);
    if (s->out_len == bare_at + 1) put_words(s, "="); /* an empty initial response (RFC 4954 4) */
    s->turn = 1;
    if (s->out_len - s->command_at > AUTH_LINE_MAX) {
        wipe(s->out + bare_at, s->out_len - bare_at);
        take_back(s, bare_at);
        s->turn = 0;
        s->initial = s->content = false;
    }
    return STEP_answer;
}

step say_answer(struct smtp_session *s)
{
    s->out_secret = true;
    if (s->cancelled != SMTP_ERROR_NONE) {
        put_words(s, "*");
        return STEP_answer;
    }
    put_answer(s);
    s->turn++;
    return STEP_answer;
}

static step try_next(struct smtp_session *s, const struct smtp_reply *r)
{
    if (s->status.token_renewed) return give_up(s, SMTP_ERROR_AUTH_REJECTED, r);
    s->mech_code[s->mech] = r->code;
    if (r->code == 534) answer_take(&s->status.trouble.answer, r); /* it may decide in the end */
    return auth_next(s, r);
}

/* Decodes `text` and keeps it as the challenge. Returns false where it is not base64. */
static bool keep_challenge(struct smtp_session *s, const char *text, size_t len)
{
    s->challenge_len = 0;
    s->facts.challenge = (struct smtp_text){NULL, 0};
    if (len > sizeof s->work->challenge / 3 * 4) return false;
    return smtp_base64_decode(text, len, s->work->challenge, &s->challenge_len);
}

/* Keeps an error challenge of OAuth in any form, for a person to read (RFC 7628 3.2.2). */
static void keep_failure(struct smtp_session *s, const struct smtp_reply *r)
{
    bool coded = keep_challenge(s, r->text, r->text_len);
    const char *text = coded ? s->work->challenge : r->text;
    size_t len = smtp_printable(s->work->challenge, sizeof s->work->challenge, text,
                                coded ? s->challenge_len : r->text_len);
    s->failed = true;
    s->facts.challenge = (struct smtp_text){s->work->challenge, len};
}

static bool is_in_turn(struct smtp_session *s, const struct smtp_reply *r)
{
    const struct smtp_mechanism *m = auth_inside(s);
    for (size_t i = 0; i < r->text_len; i++)
        if ((unsigned char)r->text[i] < ' ') return false;
    if (m != NULL) return s->turn < m->answers;
    if (s->content || s->turn >= SMTP_AUTH_TURNS_MAX) return false;
    return keep_challenge(s, r->text, r->text_len);
}

static step challenged(struct smtp_session *s, const struct smtp_reply *r)
{
    const struct smtp_mechanism *m = auth_inside(s);
    if (!is_in_turn(s, r))
        s->cancelled = SMTP_ERROR_AUTH_PROTOCOL;
    else if (m != NULL && s->turn >= m->enough)
        keep_failure(s, r);
    return STEP_answer;
}

static step succeeded(struct smtp_session *s, const struct smtp_reply *r)
{
    const struct smtp_mechanism *m = auth_inside(s);
    bool mutual = has_flag(s, SMTP_MECH_MUTUAL);
    if (m != NULL ? s->turn == m->enough && !s->failed : s->content) {
        s->facts.auth = SMTP_AUTH_DONE;
        s->secret = (struct smtp_text){0};
        return STEP_ready;
    }
    /* Some servers send their proof with the 235, against RFC 4954 4. */
    s->closing =
        mutual && s->turn > 0 && r->text_len > 0 && keep_challenge(s, r->text, r->text_len);
    if (s->closing) return STEP_answer;
    return give_up(s, mutual ? SMTP_ERROR_AUTH_NOT_AUTHENTIC : SMTP_ERROR_AUTH_PROTOCOL, r);
}

/* ---- tokens that are over (RFC 7628 3.2.2; Google's XOAUTH2 says 400 or 401) ---- */

/* Returns "status" of the JSON in the error challenge; it is empty where there is none. */
static struct smtp_text read_status(const struct smtp_session *s)
{
    static const struct smtp_text key = {"\"status\"", 8};
    struct smtp_text rest = s->facts.challenge;
    while (rest.len > key.len && memcmp(rest.data, key.data, key.len) != 0)
        rest.data++, rest.len--;
    if (rest.len <= key.len) return (struct smtp_text){NULL, 0};
    const char *at = rest.data + key.len, *end = rest.data + rest.len;
    while (at < end && strchr(" \t\r\n:\"", *at) != NULL)
        at++;
    struct smtp_text status = {at, 0};
    while (at < end && strchr(" \t\r\n\",}", *at++) == NULL)
        status.len++;
    return status;
}

/* Does the server say that the token has expired? A server that gives no status may mean that, too.
 */
static bool is_token_over(const struct smtp_session *s)
{
    struct smtp_text status = read_status(s);
    return status.len == 0 || is_same(status, text_of("invalid_token")) ||
           is_same(status, text_of("401")) || is_same(status, text_of("400"));
}

/* ---- what a reply means ---- */

static step rejected(struct smtp_session *s, const struct smtp_reply *r)
{
    bool again =
        s->opt.token_renewable && !s->status.token_renewed && s->secret_kind == SMTP_SECRET_TOKEN;
    if (!again || r->code != 535 || auth_inside(s) == NULL || !is_token_over(s))
        return give_up(s, SMTP_ERROR_AUTH_REJECTED, r);
    s->status.token_renewed = true;
    s->secret_kind = SMTP_SECRET_NONE;
    exchange_reset(s);
    return STEP_auth;
}

/* Google's 534 with one of these codes says that another password is needed; no other mechanism
 * helps. */
static step too_weak(struct smtp_session *s, const struct smtp_reply *r)
{
    bool of_password = reply_is(r, 5, 7, 9) || reply_is(r, 5, 7, 14);
    return of_password ? give_up(s, SMTP_ERROR_AUTH_REJECTED, r) : try_next(s, r);
}

static step hear_exchange(struct smtp_session *s, const struct smtp_reply *r)
{
    if (r->code == 235) return succeeded(s, r);
    if (r->code == 334) return challenged(s, r);
    if (r->code == 421) return drop(s, SMTP_ERROR_AUTH_TEMPORARY, r);
    if (reply_class(r) < 4) return drop(s, SMTP_ERROR_UNEXPECTED, r);
    if (reply_class(r) == 4) return give_up(s, SMTP_ERROR_AUTH_TEMPORARY, r);
    if (s->initial && (r->code == 500 || r->code == 501) && reply_is(r, 5, 5, 6)) {
        exchange_reset(s);
        s->no_initial = true;
        return STEP_auth;
    }
    if (r->code == 534) return too_weak(s, r);
    if (r->code == 538) return give_up(s, SMTP_ERROR_AUTH_ENCRYPT, r);
    if (r->code == 530) return give_up(s, required_first(s, r, false), r);
    return rejected(s, r);
}

/* 504 and its dialects mean that the server does not know this mechanism (RFC 4954 6). After a
 * challenge it does know it. */
step hear_auth(struct smtp_session *s, const struct smtp_reply *r)
{
    bool unknown = r->code == 500 || r->code == 502 || r->code == 503;
    bool too_long = s->initial && r->code == 500 && reply_is(r, 5, 5, 6);
    if (r->code == 504 || ((r->code == 501 || r->code == 503) && reply_is(r, 5, 5, 4)))
        return try_next(s, r);
    if (unknown && !too_long) return auth_unavailable(s, SMTP_ERROR_AUTH_UNKNOWN, r);
    return hear_exchange(s, r);
}

step hear_answer(struct smtp_session *s, const struct smtp_reply *r)
{
    if (s->cancelled == SMTP_ERROR_NONE) return hear_exchange(s, r);
    return r->code == 421 ? drop(s, s->cancelled, r) : give_up(s, s->cancelled, r);
}
