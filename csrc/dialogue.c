/* dialogue.c - whose turn it is. */
#include "session.h"

#pragma GCC visibility push(hidden)

enum turn { MUTE, WAIT, FLOW };

#define SPEAKER_WAIT(name) say_##name, hear_##name
#define SPEAKER_FLOW(name) say_##name, hear_##name
#define SPEAKER_MUTE(name) NULL, NULL

static const struct {
    step (*say)(struct smtp_session *);
    step (*hear)(struct smtp_session *, const struct smtp_reply *);
    enum turn turn;
    const char *stage;
} steps[] = {
#define X(name, turn, stage) [STEP_##name] = {SPEAKER_##turn(name), turn, stage},
    SMTP_STEPS(X)
#undef X
};

/* No command but AUTH and its answers is longer, and those are said into an empty buffer. */
enum { COMMAND_MAX = 1024 };

static struct smtp_run *run_at(struct smtp_session *s, size_t i)
{
    return &s->runs[(s->run_first + i) % SMTP_RUNS_MAX];
}

static bool is_flowing(const struct smtp_session *s)
{
    const struct smtp_run *newest = &s->runs[(s->run_first + s->run_count - 1) % SMTP_RUNS_MAX];
    if (!offers(s, SMTP_EXT_PIPELINING)) return false;
    if (steps[newest->said].turn != FLOW) return false;
    if (s->opt.window != 0 && s->due_count >= s->opt.window) return false;
    /* What was refused needs no more words. */
    if (s->mails->trouble.error != SMTP_ERROR_NONE) return false;
    /* All or nobody: there is no way back behind DATA. */
    return s->next != STEP_data || !s->mails->all || s->mails->to_count == 1;
}

static bool may_speak(const struct smtp_session *s)
{
    if (steps[s->next].turn == MUTE || wire_room(s) < COMMAND_MAX) return false;
    if (auth_needs_secret(s) || auth_needs_answer(s)) return false;
    if (s->due_count == 0) return true;
    return s->run_count < SMTP_RUNS_MAX && is_flowing(s);
}

static void remember(struct smtp_session *s, step said)
{
    s->due_count++;
    if (s->run_count > 0) {
        struct smtp_run *newest = run_at(s, s->run_count - 1);
        if (newest->said == said) {
            newest->count++;
            return;
        }
    }
    *run_at(s, s->run_count++) = (struct smtp_run){said, 1, s->said_len};
}

/* A command holds one line end, its own. The grammar checks of the callers see to that; should one
 * ever fail, nothing must leave. */
static bool is_one_line(const char *command, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (command[i] == '\r' || command[i] == '\n' || command[i] == '\0') return false;
    return true;
}

static void speak(struct smtp_session *s)
{
    step said = s->next;
    s->command_at = s->out_len;
    step then = steps[said].say(s);
    if (said != STEP_greeting && said != STEP_final) {
        if (!is_one_line(s->out + s->command_at, s->out_len - s->command_at)) {
            s->said_len -= s->out_len - s->command_at;
            s->out_len = s->command_at;
            s->next = drop(s, SMTP_ERROR_UNSAYABLE, NULL);
            return;
        }
        put_words(s, "\r\n");
    }
    remember(s, said);
    if (said == STEP_final) s->mails->end_at = s->said_len;
    s->next = then;
}

void dialogue_go_on(struct smtp_session *s)
{
    while (may_speak(s))
        speak(s);
}

bool dialogue_over(const struct smtp_session *s)
{
    return s->next == STEP_over && s->due_count == 0;
}

/* ---- outcomes ---- */

static const char *stage_of(const struct smtp_session *s)
{
    if (s->run_count > 0) return steps[s->runs[s->run_first].said].stage;
    return steps[s->next].stage;
}

/* What the EHLO reply lacks is missed by the step that would have come next. */
static const char *stage_for(const struct smtp_session *s, enum smtp_error error)
{
    if (error == SMTP_ERROR_TLS_NOT_OFFERED || error == SMTP_ERROR_TLS_HELO_ONLY)
        return steps[STEP_starttls].stage;
    if (error >= SMTP_ERROR_AUTH_NOT_OFFERED && error <= SMTP_ERROR_AUTH_INSECURE)
        return steps[STEP_auth].stage;
    return stage_of(s);
}

static void note(struct smtp_session *s, struct smtp_trouble *trouble, enum smtp_error error,
                 const struct smtp_reply *r)
{
    trouble->error = error;
    trouble->stage = stage_for(s, error);
    trouble->answer = (struct smtp_answer){0};
    if (r != NULL) answer_take(&trouble->answer, r);
}

/* Recipients accepted so far share the fate of the message. */
static void decide(struct smtp_mail *m, enum smtp_verdict verdict)
{
    for (size_t i = 0; i < m->to_heard; i++)
        if (m->to[i].verdict == SMTP_ACCEPTED) m->to[i].verdict = verdict;
    m->settled = true;
}

void refuse(struct smtp_session *s, enum smtp_error error, const struct smtp_reply *r)
{
    struct smtp_mail *m = s->mails;
    if (m->trouble.error != SMTP_ERROR_NONE) return; /* the first one is the cause */
    note(s, &m->trouble, error, r);
    enum smtp_verdict verdict = SMTP_UNSENT;
    if (error == SMTP_ERROR_DATA_REFUSED)
        verdict = reply_class(r) == 4 ? SMTP_DEFERRED : SMTP_REFUSED;
    decide(m, verdict);
}

static void break_mail(struct smtp_session *s, struct smtp_mail *m)
{
    if (m->trouble.error == SMTP_ERROR_NONE && !m->settled) {
        m->trouble = s->trouble;
        decide(m, m->end_at != 0 && s->sent_len >= m->end_at ? SMTP_UNKNOWN : SMTP_UNSENT);
    }
    m->settled = true;
}

static void end_all(struct smtp_session *s, enum smtp_error error, const struct smtp_reply *r)
{
    if (s->trouble.error == SMTP_ERROR_NONE) note(s, &s->trouble, error, r);
    for (struct smtp_mail *m = s->mails; m != NULL; m = m->next)
        break_mail(s, m);
    s->mails = s->mails_last = NULL;
}

/* The session is over, but the server is sane: say QUIT (RFC 5321 4.1.1.10). */
step give_up(struct smtp_session *s, enum smtp_error error, const struct smtp_reply *r)
{
    end_all(s, error, r);
    return STEP_quit;
}

/* The session is over at once. Trouble at QUIT is no trouble. */
step drop(struct smtp_session *s, enum smtp_error error, const struct smtp_reply *r)
{
    if (s->run_count == 0 || s->runs[s->run_first].said != STEP_quit) end_all(s, error, r);
    s->run_count = s->due_count = 0;
    if (s->out_secret) wipe(s->out, s->out_len);
    s->out_at = s->out_len = 0;
    return STEP_over;
}

/* ---- listening ---- */

static void leave_mail(struct smtp_session *s)
{
    s->mails = s->mails->next;
    if (s->mails == NULL) s->mails_last = NULL;
}

/* Between transactions: the next mail, QUIT where it is wanted, or rest. */
step dialogue_rest(struct smtp_session *s)
{
    while (s->mails != NULL && !envelope_allowed(s))
        leave_mail(s);
    if (s->mails != NULL) return STEP_mail;
    return s->quit_wanted ? STEP_quit : STEP_ready;
}

static step settle(struct smtp_session *s, step next)
{
    if (s->mails != NULL && s->mails->settled && next != STEP_final) leave_mail(s);
    if (next == STEP_rset && s->quit_wanted && s->mails == NULL) return STEP_quit;
    return next == STEP_ready ? dialogue_rest(s) : next;
}

/* The server speaks before it can have heard us. Only 421, and a refusal while the message is on
 * its way, have a meaning then. */
static step hear_unasked(struct smtp_session *s, const struct smtp_reply *r)
{
    bool sending = s->next == STEP_body || (s->run_count > 0 && run_at(s, 0)->said == STEP_final);
    if (r->code == 421) return drop(s, SMTP_ERROR_SHUTTING_DOWN, r);
    if (!sending || reply_class(r) < 4) return drop(s, SMTP_ERROR_UNASKED, r);
    refuse(s, SMTP_ERROR_DATA_REFUSED, r);
    return drop(s, SMTP_ERROR_DATA_REFUSED, r);
}

/* 421 may come at any time (RFC 5321 3.8); what it means in the greeting and in AUTH, and that it
 * means nothing at QUIT, those steps know themselves. */
static bool is_goodbye(step asked, const struct smtp_reply *r)
{
    return r->code == 421 && asked != STEP_greeting && asked != STEP_auth && asked != STEP_answer &&
           asked != STEP_quit;
}

void dialogue_hear(struct smtp_session *s, const struct smtp_reply *r)
{
    s->reply_count++;
    if (s->due_count == 0 || s->reply_unasked) {
        s->next = hear_unasked(s, r);
        return;
    }
    struct smtp_run *oldest = run_at(s, 0);
    step asked = oldest->said;
    step next =
        is_goodbye(asked, r) ? drop(s, SMTP_ERROR_SHUTTING_DOWN, r) : steps[asked].hear(s, r);
    if (next == STEP_over) {
        s->run_count = s->due_count = 0;
        s->next = next;
        return;
    }
    s->due_count--;
    oldest->end_at = 0;
    if (--oldest->count == 0) {
        s->run_first = (s->run_first + 1) % SMTP_RUNS_MAX;
        s->run_count--;
    }
    if (s->due_count == 0) s->next = settle(s, next);
}

/* ---- what a driver sees ---- */

unsigned smtp_wants(const struct smtp_session *s)
{
    unsigned wants = 0;
    if (s->out_len > s->out_at) wants |= SMTP_WANT_SEND;
    if (dialogue_over(s)) return SMTP_WANT_NOTHING;
    if (s->due_count > 0) return wants | SMTP_WANT_RECV;
    if (auth_needs_secret(s)) return wants | SMTP_WANT_SECRET;
    if (auth_needs_answer(s)) return wants | SMTP_WANT_ANSWER;
    if (s->next == STEP_tls) return wants | SMTP_WANT_TLS;
    if (s->next == STEP_ready) return wants | SMTP_WANT_READY;
    if (s->next == STEP_body) {
        wants |= SMTP_WANT_RECV;
        if (wire_room(s) >= COMMAND_MAX) wants |= SMTP_WANT_BODY;
    }
    return wants;
}

const char *smtp_session_stage(const struct smtp_session *s)
{
    return stage_of(s);
}

void smtp_break(struct smtp_session *s, enum smtp_error error, const char *text, size_t len)
{
    struct smtp_reply r = {.text = text, .text_len = len};
    s->next = drop(s, error, &r);
}

void smtp_mail_add(struct smtp_session *s, struct smtp_mail *mail)
{
    mail->next = NULL;
    if (s->mails == NULL)
        s->mails = mail;
    else
        s->mails_last->next = mail;
    s->mails_last = mail;
    if (s->next == STEP_over || s->next == STEP_quit) {
        if (s->trouble.error == SMTP_ERROR_NONE) note(s, &s->trouble, SMTP_ERROR_CLOSED, NULL);
        end_all(s, SMTP_ERROR_CLOSED, NULL);
    }
    if (s->next == STEP_ready) s->next = dialogue_rest(s);
    dialogue_go_on(s);
}

void smtp_quit(struct smtp_session *s)
{
    s->quit_wanted = true;
    if (s->next == STEP_ready) s->next = dialogue_rest(s);
    dialogue_go_on(s);
}

void smtp_ask(struct smtp_session *s, enum smtp_question question, struct smtp_text argument)
{
    static const step asks[] = {
        [SMTP_ASK_RSET] = STEP_rset, [SMTP_ASK_NOOP] = STEP_noop, [SMTP_ASK_VRFY] = STEP_vrfy};
    if (s->next != STEP_ready) return;
    s->argument = argument;
    s->next = asks[question];
    dialogue_go_on(s);
}

#pragma GCC visibility pop
