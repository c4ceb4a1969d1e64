/* auth.c - AUTH (RFC 4954): policy, choice, the exchange, and what each refusal means. */
#include "session.h"

/* Those answered here. Any other is answered from outside: smtp_answer. */
static const struct smtp_mechanism *const mechanisms[] = {
    &smtp_plain, &smtp_login, &smtp_external, &smtp_xoauth2, &smtp_oauthbearer, NULL};

enum {
    MECH_OUT = 1 /* in the place of a reply code: the mechanism cannot be used here */
};

static const struct smtp_mechanism *find_inside(struct smtp_text name)
{
    for (size_t i = 0; mechanisms[i] != NULL; i++)
        if (same_word(mechanisms[i]->name, name.data, name.len)) return mechanisms[i];
    return NULL;
}

/* The one in use, NULL where it is answered from outside. */
static const struct smtp_mechanism *inside(const struct smtp_session *s)
{
    return find_inside(s->opt.mechs[s->mech].name);
}

static bool has_flag(const struct smtp_session *s, unsigned flag)
{
    return (s->opt.mechs[s->mech].flags & flag) != 0;
}

/* ---- before anything is sent ---- */

static bool is_offered(const struct smtp_session *s, struct smtp_text name)
{
    for (size_t at = 0; at + name.len <= s->mechs_len; at++) {
        bool starts = at == 0 || s->mechs[at - 1] == ' ';
        bool ends = at + name.len == s->mechs_len || s->mechs[at + name.len] == ' ';
        if (starts && ends && memcmp(s->mechs + at, name.data, name.len) == 0) return true;
    }
    return false;
}

static bool is_weak(const struct smtp_session *s)
{
    for (size_t i = 0; i < s->opt.mech_count; i++)
        if (s->mech_code[i] == 534) return true;
    return false;
}

/* Does this library pass over a mechanism that is offered? It cannot be used here, or does not bind
 * where one that does was taken away. */
static bool is_our_choice(const struct smtp_session *s)
{
    for (size_t i = 0; i < s->opt.mech_count; i++)
        if (s->mech_code[i] == MECH_OUT ||
            (s->must_bind && s->mech_code[i] == 0 && is_offered(s, s->opt.mechs[i].name)))
            return true;
    return false;
}

/* The server cannot. What it offered and then refused us is another thing, and under prefer an
 * error as well; so is a choice of this library, and mechanisms that the user named. */
static step unavailable(struct smtp_session *s, enum smtp_error error, const struct smtp_reply *r)
{
    bool insists = error == SMTP_ERROR_AUTH_NO_COMMON && (s->opt.mechs_named || is_our_choice(s));
    if (is_weak(s)) {
        const struct smtp_answer kept = s->trouble.answer;
        struct smtp_reply weak = answer_reply(&kept);
        return give_up(s, SMTP_ERROR_AUTH_TOO_WEAK, &weak);
    }
    if (s->renewed) return give_up(s, SMTP_ERROR_AUTH_REJECTED, r);
    if (s->opt.auth == SMTP_REQUIRE || insists) return give_up(s, error, r);
    s->auth = SMTP_AUTH_UNAVAILABLE;
    s->auth_reason = error;
    return STEP_ready;
}

static bool shows_secret(const struct smtp_mech *mech)
{
    const struct smtp_mechanism *m = find_inside(mech->name);
    return m != NULL ? m->secret != SECRET_NONE : (mech->flags & SMTP_MECH_SHOWS_SECRET) != 0;
}

static bool may_show_secret(const struct smtp_session *s)
{
    bool sealed = s->tls_on && (s->tls_verified || s->opt.secret_unverified);
    return sealed || s->opt.secret_in_clear;
}

/* Can this mechanism be chosen (UNTRIED), and if not, why? If the mechanism that binds disappeared
 * from the offer, a man in the middle may have removed it: then nothing less is accepted. */
static enum smtp_mech_state state_of(const struct smtp_session *s, size_t i)
{
    const struct smtp_mech *mech = &s->opt.mechs[i];
    bool binds = (mech->flags & SMTP_MECH_BINDS) != 0;
    if (s->mech_code[i] != 0)
        return s->mech_code[i] == MECH_OUT ? SMTP_MECH_UNUSABLE : SMTP_MECH_ANSWERED;
    if (binds && !s->tls_on) return SMTP_MECH_NEEDS_TLS;
    if (!binds && s->must_bind) return SMTP_MECH_UNBOUND;
    if (may_show_secret(s) || !shows_secret(mech)) return SMTP_MECH_UNTRIED;
    return s->tls_on ? SMTP_MECH_UNVERIFIED : SMTP_MECH_IN_CLEAR;
}

/* The next mechanism that the server offers, the user allows, and that was not turned down. Returns
 * whether there is one, and in *insecure whether there would be one inside verified TLS. */
static bool choose(struct smtp_session *s, bool *insecure)
{
    *insecure = false;
    for (size_t i = 0; i < s->opt.mech_count; i++) {
        if (!is_offered(s, s->opt.mechs[i].name)) continue;
        enum smtp_mech_state state = state_of(s, i);
        if (state == SMTP_MECH_UNTRIED) {
            s->mech = i;
            return true;
        }
        if (state == SMTP_MECH_IN_CLEAR || state == SMTP_MECH_UNVERIFIED) *insecure = true;
    }
    return false;
}

static enum smtp_error why_unavailable(const struct smtp_session *s)
{
    if (!s->esmtp) return SMTP_ERROR_AUTH_HELO_ONLY;
    if (!offers(s, SMTP_EXT_AUTH))
        return s->auth_before_tls ? SMTP_ERROR_AUTH_GONE : SMTP_ERROR_AUTH_NOT_OFFERED;
    return s->mechs_len == 0 ? SMTP_ERROR_AUTH_EMPTY : SMTP_ERROR_AUTH_NO_COMMON;
}

static void begin_exchange(struct smtp_session *s)
{
    s->turn = 0;
    s->initial = s->no_initial = s->content = s->failed = s->has_answer = false;
}

/* The next mechanism, or the end of them: because it was too weak, encryption is lacking, or
 * because none is left. */
static step begin_next(struct smtp_session *s, const struct smtp_reply *r)
{
    bool insecure;
    begin_exchange(s);
    if (choose(s, &insecure)) return STEP_auth;
    enum smtp_error why = s->tls_on ? SMTP_ERROR_AUTH_UNVERIFIED : SMTP_ERROR_AUTH_INSECURE;
    if (insecure && !is_weak(s)) return give_up(s, why, r);
    return unavailable(s, why_unavailable(s), r);
}

step auth_begin(struct smtp_session *s)
{
    return s->opt.auth == SMTP_SKIP ? STEP_ready : begin_next(s, NULL);
}

/* ---- what comes from outside: secrets and answers ---- */

static enum smtp_secret secret_wanted(const struct smtp_session *s)
{
    if (s->next != STEP_auth || s->due_count > 0) return SECRET_NONE;
    const struct smtp_mechanism *m = inside(s);
    return m == NULL || m->secret == s->secret_kind ? SECRET_NONE : m->secret;
}

bool auth_needs_secret(const struct smtp_session *s)
{
    return secret_wanted(s) != SECRET_NONE;
}

const char *smtp_secret_kind(const struct smtp_session *s)
{
    return secret_wanted(s) == SECRET_TOKEN ? "token" : "password";
}

bool smtp_secret_renewed(const struct smtp_session *s)
{
    return s->renewed;
}

void smtp_secret(struct smtp_session *s, const char *data, size_t len)
{
    enum smtp_secret wanted = secret_wanted(s);
    if (wanted == SECRET_NONE) return;
    s->secret = (struct smtp_text){data, len};
    s->secret_kind = wanted;
    dialogue_go_on(s);
}

bool auth_needs_answer(const struct smtp_session *s)
{
    bool turn = s->next == STEP_auth || s->next == STEP_answer;
    return turn && s->due_count == 0 && !s->has_answer && s->cancelled == SMTP_ERROR_NONE &&
           inside(s) == NULL;
}

struct smtp_challenge smtp_challenge(const struct smtp_session *s)
{
    return (struct smtp_challenge){.mechanism = s->opt.mechs[s->mech].name,
                                   .begun = s->next == STEP_answer,
                                   .data = {s->challenge, s->challenge_len}};
}

bool smtp_answer(struct smtp_session *s, const char *data, size_t len, bool content)
{
    unsigned turn = s->turn;
    if (!auth_needs_answer(s)) return false;
    s->content = content;
    if (s->closing && content) {
        s->auth = SMTP_AUTH_DONE;
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

/* A 235 that proves nothing, in whatever way, leaves the server unproven. */
void smtp_answer_refuse(struct smtp_session *s, enum smtp_error error)
{
    if (!auth_needs_answer(s)) return;
    if (s->closing)
        s->next = give_up(s, SMTP_ERROR_AUTH_NOT_AUTHENTIC, NULL);
    else if (s->next == STEP_answer)
        s->cancelled = error;
    else
        s->next = give_up(s, error, NULL);
    dialogue_go_on(s);
}

void smtp_mechanism_out(struct smtp_session *s)
{
    if (!auth_needs_answer(s) || s->next != STEP_auth) return;
    s->mech_code[s->mech] = MECH_OUT;
    s->next = begin_next(s, NULL);
    if (s->next == STEP_ready) s->next = dialogue_rest(s);
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
    append(message, len, (struct smtp_text){words, strlen(words)});
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
    const struct smtp_mechanism *m = inside(s);
    if (m != NULL)
        m->answer(s, s->turn);
    else
        put_base64(s, s->answer.data, s->answer.len);
    s->has_answer = false;
}

static bool has_initial(const struct smtp_session *s)
{
    const struct smtp_mechanism *m = inside(s);
    if (s->no_initial) return false;
    return m != NULL ? m->initial : s->answer.data != NULL;
}

step say_auth(struct smtp_session *s)
{
    s->out_secret = true;
    s->mech_said = s->opt.mechs[s->mech].name;
    s->must_bind = s->must_bind || has_flag(s, SMTP_MECH_BINDS);
    put_words(s, "AUTH ");
    put(s, s->mech_said.data, s->mech_said.len);
    s->initial = has_initial(s);
    if (!s->initial) {
        s->has_answer = s->content = false;
        return STEP_answer;
    }
    size_t bare_at = s->out_len;
    put_words(s, " ");
    put_answer(s);
    if (s->out_len == bare_at + 1) put_words(s, "="); /* nothing is something (RFC 4954 4) */
    s->turn = 1;
    if (s->out_len - s->command_at > AUTH_LINE_MAX) {
        wipe(s->out + bare_at, s->out_len - bare_at);
        s->said_len -= s->out_len - bare_at;
        s->out_len = bare_at;
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

/* 504 and its dialects: this mechanism is not known (RFC 4954 6). After a challenge it was. */
static bool is_unknown(const struct smtp_reply *r)
{
    return r->code == 504 || ((r->code == 501 || r->code == 503) && reply_is(r, 5, 5, 4));
}

static step try_next(struct smtp_session *s, const struct smtp_reply *r)
{
    if (s->renewed) return give_up(s, SMTP_ERROR_AUTH_REJECTED, r);
    s->mech_code[s->mech] = r->code;
    if (r->code == 534) answer_take(&s->trouble.answer, r); /* it may decide in the end */
    return begin_next(s, r);
}

/* Keeps what `text` holds, decoded. */
static bool keep_challenge(struct smtp_session *s, const char *text, size_t len)
{
    s->challenge_len = 0;
    s->told_why = false;
    if (len > sizeof s->challenge / 3 * 4) return false;
    return smtp_base64_decode(text, len, s->challenge, &s->challenge_len);
}

/* An error challenge of OAuth is kept in any form, for a person to read (RFC 7628 3.2.2). */
static void keep_failure(struct smtp_session *s, const struct smtp_reply *r)
{
    bool coded = keep_challenge(s, r->text, r->text_len);
    const char *text = coded ? s->challenge : r->text;
    s->failed = s->told_why = true;
    s->challenge_len = smtp_printable(s->challenge, sizeof s->challenge, text,
                                      coded ? s->challenge_len : r->text_len);
}

static bool is_in_turn(struct smtp_session *s, const struct smtp_reply *r)
{
    const struct smtp_mechanism *m = inside(s);
    for (size_t i = 0; i < r->text_len; i++)
        if ((unsigned char)r->text[i] < ' ') return false;
    if (m != NULL) return s->turn < m->answers;
    if (s->content || s->turn >= SMTP_AUTH_TURNS_MAX) return false;
    return keep_challenge(s, r->text, r->text_len);
}

static step challenged(struct smtp_session *s, const struct smtp_reply *r)
{
    const struct smtp_mechanism *m = inside(s);
    if (!is_in_turn(s, r))
        s->cancelled = SMTP_ERROR_AUTH_PROTOCOL;
    else if (m != NULL && s->turn >= m->enough)
        keep_failure(s, r);
    return STEP_answer;
}

static bool is_content(const struct smtp_session *s)
{
    const struct smtp_mechanism *m = inside(s);
    return m != NULL ? s->turn == m->enough && !s->failed : s->content;
}

static step succeeded(struct smtp_session *s, const struct smtp_reply *r)
{
    bool mutual = has_flag(s, SMTP_MECH_MUTUAL);
    if (is_content(s)) {
        s->auth = SMTP_AUTH_DONE;
        s->secret = (struct smtp_text){0};
        return STEP_ready;
    }
    /* What the server has to prove may ride on its 235, against RFC 4954 4. */
    s->closing =
        mutual && s->turn > 0 && r->text_len > 0 && keep_challenge(s, r->text, r->text_len);
    if (s->closing) return STEP_answer;
    return give_up(s, mutual ? SMTP_ERROR_AUTH_NOT_AUTHENTIC : SMTP_ERROR_AUTH_PROTOCOL, r);
}

/* ---- tokens that are over (RFC 7628 3.2.2; Google's XOAUTH2 says 400 or 401) ---- */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The value of "status" in the error challenge's JSON. */
static struct smtp_text read_status(const struct smtp_session *s)
{
    static const char key[] = "\"status\"";
    const char *end = s->challenge + s->challenge_len;
    for (const char *at = s->challenge; end - at >= (ptrdiff_t)sizeof key; at++) {
        if (memcmp(at, key, sizeof key - 1) != 0) continue;
        at += sizeof key - 1;
        while (at < end && (is_space(*at) || *at == ':' || *at == '"'))
            at++;
        const char *from = at;
        while (at < end && *at != '"' && *at != ',' && *at != '}' && !is_space(*at))
            at++;
        return (struct smtp_text){from, (size_t)(at - from)};
    }
    return (struct smtp_text){NULL, 0};
}

static bool is_text(struct smtp_text text, const char *word)
{
    return text.len == strlen(word) && memcmp(text.data, word, text.len) == 0;
}

/* A server that gives no status may mean this one as well. */
static bool is_token_over(const struct smtp_session *s)
{
    struct smtp_text status = s->told_why ? read_status(s) : (struct smtp_text){NULL, 0};
    return status.len == 0 || is_text(status, "invalid_token") || is_text(status, "401") ||
           is_text(status, "400");
}

/* ---- what a reply means ---- */

static step rejected(struct smtp_session *s, const struct smtp_reply *r)
{
    bool again = s->opt.token_renewable && !s->renewed && s->secret_kind == SECRET_TOKEN;
    if (!again || r->code != 535 || inside(s) == NULL || !is_token_over(s))
        return give_up(s, SMTP_ERROR_AUTH_REJECTED, r);
    s->renewed = true;
    s->secret_kind = SECRET_NONE;
    begin_exchange(s);
    return STEP_auth;
}

/* Google's 534 with these says that another password is needed, and no other mechanism helps. */
static step too_weak(struct smtp_session *s, const struct smtp_reply *r)
{
    if (reply_is(r, 5, 7, 9)) return give_up(s, SMTP_ERROR_AUTH_APP_PASSWORD, r);
    if (reply_is(r, 5, 7, 14)) return give_up(s, SMTP_ERROR_AUTH_BROWSER, r);
    return try_next(s, r);
}

static step hear_exchange(struct smtp_session *s, const struct smtp_reply *r)
{
    if (r->code == 235) return succeeded(s, r);
    if (r->code == 334) return challenged(s, r);
    if (r->code == 421) return drop(s, SMTP_ERROR_AUTH_TEMPORARY, r);
    if (reply_class(r) < 4) return drop(s, SMTP_ERROR_UNEXPECTED, r);
    if (reply_class(r) == 4) return give_up(s, SMTP_ERROR_AUTH_TEMPORARY, r);
    if (s->initial && (r->code == 500 || r->code == 501) && reply_is(r, 5, 5, 6)) {
        begin_exchange(s);
        s->no_initial = true;
        return STEP_auth;
    }
    if (r->code == 534) return too_weak(s, r);
    if (r->code == 538) return give_up(s, SMTP_ERROR_AUTH_ENCRYPT, r);
    if (r->code == 530) return give_up(s, required_first(s, r, false), r);
    return rejected(s, r);
}

step hear_auth(struct smtp_session *s, const struct smtp_reply *r)
{
    bool unknown = r->code == 500 || r->code == 502 || r->code == 503;
    bool too_long = s->initial && r->code == 500 && reply_is(r, 5, 5, 6);
    if (is_unknown(r)) return try_next(s, r);
    if (unknown && !too_long) return unavailable(s, SMTP_ERROR_AUTH_UNKNOWN, r);
    return hear_exchange(s, r);
}

step hear_answer(struct smtp_session *s, const struct smtp_reply *r)
{
    if (s->cancelled == SMTP_ERROR_NONE) return hear_exchange(s, r);
    return r->code == 421 ? drop(s, s->cancelled, r) : give_up(s, s->cancelled, r);
}

/* ---- what became of each mechanism ---- */

static const struct {
    const char *word, *text;
} states[] = {
#define X(name, word, text) {word, text},
    SMTP_MECH_STATES(X)
#undef X
};

const char *smtp_mech_word(enum smtp_mech_state state)
{
    return states[state].word;
}

const char *smtp_mech_text(enum smtp_mech_state state)
{
    return states[state].text;
}

static bool is_same(struct smtp_text a, struct smtp_text b)
{
    return a.len == b.len && a.len > 0 && memcmp(a.data, b.data, a.len) == 0;
}

/* The reply that ended the session before AUTH was over; 0: none did. */
static uint16_t ending_code(const struct smtp_session *s)
{
    return s->auth == SMTP_AUTH_SKIPPED ? s->trouble.answer.code : 0;
}

static void judge(const struct smtp_session *s, struct smtp_offer *offer)
{
    bool said = is_same(offer->name, s->mech_said);
    size_t i = 0;
    while (i < s->opt.mech_count && !is_same(offer->name, s->opt.mechs[i].name))
        i++;
    offer->state = i < s->opt.mech_count ? state_of(s, i) : SMTP_MECH_UNLISTED;
    if (offer->state == SMTP_MECH_ANSWERED) {
        offer->code = s->mech_code[i];
    } else if (said && ending_code(s) != 0) {
        offer->state = SMTP_MECH_ANSWERED;
        offer->code = ending_code(s);
    } else if (said && offer->state != SMTP_MECH_UNUSABLE) {
        offer->state = s->auth == SMTP_AUTH_DONE ? SMTP_MECH_USED : SMTP_MECH_FAILED;
    }
}

bool smtp_offer_next(const struct smtp_session *s, size_t *at, struct smtp_offer *offer)
{
    size_t from = *at;
    while (from < s->mechs_len && s->mechs[from] == ' ')
        from++;
    size_t to = from;
    while (to < s->mechs_len && s->mechs[to] != ' ')
        to++;
    *at = to;
    if (from == to) return false;
    *offer = (struct smtp_offer){.name = {s->mechs + from, to - from}};
    judge(s, offer);
    return true;
}
