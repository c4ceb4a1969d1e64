/* tls_session.c - sessions that servers gave us, to resume by: each context has its own, so that
 * what one has verified is never taken for what another one would. */
#include "tls.h"

#include <stdlib.h>

enum {
    KEPT_MAX = 256,     /* in a context */
    KEPT_OF_ONE_MAX = 8 /* under one key: as many connections can begin at once */
};

struct tls_session {
    struct tls_session *next;
    SSL_SESSION *session;
    int64_t until;
    unsigned char key[TLS_KEY_LEN];
};

static void drop(struct tls_session **at)
{
    struct tls_session *entry = *at;
    *at = entry->next;
    SSL_SESSION_free(entry->session);
    free(entry);
}

bool tls_session_keep(struct tls_context *c, const unsigned char key[TLS_KEY_LEN],
                      SSL_SESSION *session, int64_t until)
{
    struct tls_session *entry = c->ctx != NULL ? malloc(sizeof *entry) : NULL;
    if (entry == NULL) return false;
    entry->session = session;
    entry->until = until;
    memcpy(entry->key, key, TLS_KEY_LEN);
    entry->next = c->sessions;
    c->sessions = entry;
    int all = 0, of_one = 0;
    for (struct tls_session **at = &c->sessions; *at != NULL;) {
        bool same = memcmp((*at)->key, key, TLS_KEY_LEN) == 0;
        all++;
        of_one += same;
        if (all > KEPT_MAX || (same && of_one > KEPT_OF_ONE_MAX))
            drop(at);
        else
            at = &(*at)->next;
    }
    return true;
}

SSL_SESSION *tls_session_take(struct tls_context *c, const unsigned char key[TLS_KEY_LEN],
                              int64_t *until)
{
    for (struct tls_session **at = &c->sessions; *at != NULL; at = &(*at)->next) {
        SSL_SESSION *session = (*at)->session;
        if (memcmp((*at)->key, key, TLS_KEY_LEN) != 0 || !SSL_SESSION_is_resumable(session) ||
            (*at)->until <= (int64_t)time(NULL))
            continue;
        *until = (*at)->until;
        SSL_SESSION_up_ref(session);
        drop(at);
        return session;
    }
    return NULL;
}

void tls_session_forget(struct tls_context *c, const unsigned char *key)
{
    for (struct tls_session **at = &c->sessions; *at != NULL;) {
        if (key == NULL || memcmp((*at)->key, key, TLS_KEY_LEN) == 0)
            drop(at);
        else
            at = &(*at)->next;
    }
}
