/* auth.c - AUTH (RFC 4954): whether to authenticate, by which mechanism, and what became of each.
 * exchange.c has what is said. */
#include "../text/ascii.h"
#include "session.h"

/* The mechanisms that are answered here. Any other one is answered from outside: smtp_answer. */
static const struct smtp_mechanism *const mechanisms[] = {
    &smtp_plain, &smtp_login, &smtp_external, &smtp_xoauth2, &smtp_oauthbearer, NULL};

enum {
    MECH_OUT = 1 /* in the place of a reply code: the mechanism cannot be used here */
};

static const struct smtp_mechanism *find_inside(struct smtp_text name)
{
    for (size_t i = 0; mechanisms[i] != NULL; i++)
        if (is_word(name, mechanisms[i]->name)) return mechanisms[i];
    return NULL;
}

const struct smtp_mechanism *auth_inside(const struct smtp_session *s)
{
    return find_inside(s->opt.mechs[s->mech].name);
}

/* ---- the choice ---- */

static bool shows_secret(const struct smtp_mech *mech)
{
    const struct smtp_mechanism *m = find_inside(mech->name);
    return m != NULL ? m->secret != SMTP_SECRET_NONE : (mech->flags & SMTP_MECH_SHOWS_SECRET) != 0;
}

static bool may_show_secret(const struct smtp_session *s)
{
    bool sealed = has_tls(s) && (s->facts.tls_verified || s->opt.secret_unverified);
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
    if (binds && !has_tls(s)) return SMTP_MECH_NEEDS_TLS;
    if (!binds && s->facts.bound) return SMTP_MECH_UNBOUND;
    if (may_show_secret(s) || !shows_secret(mech)) return SMTP_MECH_UNTRIED;
    return has_tls(s) ? SMTP_MECH_UNVERIFIED : SMTP_MECH_IN_CLEAR;
}

/* What can be done with the mechanisms that the user allows. */
struct choice {
    bool found;    /* `mech` is the next one that the server offers and has not turned down */
    size_t mech;   /* its index in the options */
    bool insecure; /* another one could be used if TLS were on and verified */
    bool weak;     /* the server found one too weak */
    bool ours;     /* this library passes over one that is offered */
};

static struct choice choose(const struct smtp_session *s)
{
    struct choice choice = {0};
    for (size_t i = s->opt.mech_count; i-- > 0;) {
        enum smtp_mech_state state = state_of(s, i);
        if (s->mech_code[i] == 534) choice.weak = true;
        if (state == SMTP_MECH_UNUSABLE) choice.ours = true;
        if (!offers_mechanism(s, s->opt.mechs[i].name)) continue;
        if (state == SMTP_MECH_UNBOUND) choice.ours = true;
        if (state == SMTP_MECH_IN_CLEAR || state == SMTP_MECH_UNVERIFIED) choice.insecure = true;
        if (state != SMTP_MECH_UNTRIED) continue;
        choice.found = true;
        choice.mech = i;
    }
    return choice;
}

static enum smtp_error why_unavailable(const struct smtp_session *s)
{
    if (!s->facts.esmtp) return SMTP_ERROR_AUTH_HELO_ONLY;
    if (!offers(s, SMTP_EXT_AUTH))
        return s->auth_before_tls ? SMTP_ERROR_AUTH_GONE : SMTP_ERROR_AUTH_NOT_OFFERED;
    return s->facts.mechanisms.len == 0 ? SMTP_ERROR_AUTH_EMPTY : SMTP_ERROR_AUTH_NO_COMMON;
}

/* Under prefer it is not an error that the server cannot authenticate. It is one that the server
 * refused what it had offered, that this library passed over a mechanism, and that the server does
 * not offer a mechanism that the user named. */
step auth_unavailable(struct smtp_session *s, enum smtp_error error, const struct smtp_reply *r)
{
    struct choice choice = choose(s);
    bool insists = error == SMTP_ERROR_AUTH_NO_COMMON && (s->opt.mechs_named || choice.ours);
    if (choice.weak) {
        const struct smtp_answer kept = s->status.trouble.answer;
        struct smtp_reply weak = answer_reply(&kept);
        return give_up(s, SMTP_ERROR_AUTH_TOO_WEAK, &weak);
    }
    if (s->status.token_renewed) return give_up(s, SMTP_ERROR_AUTH_REJECTED, r);
    if (s->opt.auth == SMTP_REQUIRE || insists) return give_up(s, error, r);
    s->facts.auth = SMTP_AUTH_UNAVAILABLE;
    s->facts.auth_reason = error;
    return STEP_ready;
}

step auth_next(struct smtp_session *s, const struct smtp_reply *r)
{
    struct choice choice = choose(s);
    exchange_reset(s);
    if (choice.found) {
        s->mech = choice.mech;
        return STEP_auth;
    }
    enum smtp_error why = has_tls(s) ? SMTP_ERROR_AUTH_UNVERIFIED : SMTP_ERROR_AUTH_INSECURE;
    if (choice.insecure && !choice.weak) return give_up(s, why, r);
    return auth_unavailable(s, why_unavailable(s), r);
}

step auth_begin(struct smtp_session *s)
{
    return s->opt.auth == SMTP_SKIP ? STEP_ready : auth_next(s, NULL);
}

void smtp_mechanism_out(struct smtp_session *s)
{
    if (!auth_needs_answer(s) || s->next != STEP_auth) return;
    s->mech_code[s->mech] = MECH_OUT;
    s->next = auth_next(s, NULL);
    if (s->next == STEP_ready) s->next = dialogue_rest(s);
    dialogue_go_on(s);
}

/* ---- what became of each mechanism ---- */

const struct smtp_mech_words smtp_mech_states[] = {
#define X(name, word, text) {word, text},
    SMTP_MECH_STATES(X)
#undef X
};

/* Returns the reply that ended the session before AUTH was over; 0: none did. */
static uint16_t ending_code(const struct smtp_session *s)
{
    return s->facts.auth == SMTP_AUTH_SKIPPED ? s->status.trouble.answer.code : 0;
}

static void judge(const struct smtp_session *s, struct smtp_offer *offer)
{
    bool said = is_same(offer->name, s->facts.mechanism);
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
        offer->state = s->facts.auth == SMTP_AUTH_DONE ? SMTP_MECH_USED : SMTP_MECH_FAILED;
    }
}

bool smtp_offer_next(const struct smtp_session *s, struct smtp_text *rest, struct smtp_offer *offer)
{
    *offer = (struct smtp_offer){.name = next_word(rest)};
    if (offer->name.len == 0) return false;
    judge(s, offer);
    return true;
}
