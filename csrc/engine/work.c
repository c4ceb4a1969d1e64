/* work.c - the working memory of a session: it has one while something is under way, and gives it
 * back while it rests and when it is over. */
#include "session.h"

size_t smtp_work_size(size_t buffer_len)
{
    return sizeof(struct smtp_work) + buffer_len;
}

bool smtp_session_works(const struct smtp_session *s)
{
    return s->work != NULL;
}

void smtp_session_work(struct smtp_session *s, void *memory, size_t buffer_len)
{
    s->work = memory;
    s->out = s->work->out;
    s->out_max = buffer_len;
}

/* Without room for output, nothing can be said. */
static void *take_work(struct smtp_session *s)
{
    void *memory = s->work;
    s->work = NULL;
    s->out = s->kept;
    s->out_max = s->out_at = s->out_len = 0;
    return memory;
}

/* Copies the text to `at`, where it then is. */
static char *keep(char *at, struct smtp_text *text)
{
    if (text->len > 0) memcpy(at, text->data, text->len);
    text->data = at;
    return at + text->len;
}

/* Moves the facts out of the working memory. Returns false where they do not fit. */
static bool keep_facts(struct smtp_session *s)
{
    struct smtp_facts *f = &s->facts;
    if (s->facts_kept) return true;
    if (f->ehlo_reply != NULL || f->challenge.len > 0) return false;
    if (f->server.len + f->capabilities.len + f->mechanisms.len + f->mechanisms_before_tls.len >
        sizeof s->kept)
        return false;
    char *at = keep(s->kept, &f->server);
    at = keep(at, &f->capabilities);
    at = keep(at, &f->mechanisms);
    keep(at, &f->mechanisms_before_tls);
    s->facts_kept = true;
    return true;
}

void *smtp_session_rest(struct smtp_session *s)
{
    bool rests = s->next == STEP_ready || s->next == STEP_over;
    if (s->work == NULL || !rests || !session_is_quiet(s) || !keep_facts(s)) return NULL;
    return take_work(s);
}

/* Whatever was under way is forgotten: the working memory describes it. */
void *smtp_session_end(struct smtp_session *s)
{
    wire_wipe(s);
    s->next = STEP_over;
    s->transactions = s->transactions_last = s->spoken = NULL;
    s->run_count = s->due_count = s->line_len = s->text_len = s->reply_lines = 0;
    s->lent.len = 0;
    s->gathering = s->parting = false;
    s->held = NULL;
    s->facts.server = s->facts.capabilities = s->facts.challenge = (struct smtp_text){NULL, 0};
    s->facts.mechanisms = s->facts.mechanisms_before_tls = s->facts.server;
    s->facts.ehlo_reply = NULL;
    return take_work(s);
}
