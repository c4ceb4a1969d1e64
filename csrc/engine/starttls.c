/* starttls.c - STARTTLS (RFC 3207). */
#include "session.h"

step starttls_begin(struct smtp_session *s)
{
    if (offers(s, SMTP_EXT_STARTTLS)) return STEP_starttls;
    if (s->opt.tls == SMTP_PREFER) return auth_begin(s);
    return give_up(s, s->facts.esmtp ? SMTP_ERROR_TLS_NOT_OFFERED : SMTP_ERROR_TLS_HELO_ONLY, NULL);
}

/* A refusal of what was offered is an error under prefer too, because an attacker could cause it.
 */
step hear_starttls(struct smtp_session *s, const struct smtp_reply *r)
{
    if (r->code == 220) return STEP_tls;
    if (reply_class(r) >= 4) return give_up(s, SMTP_ERROR_STARTTLS_REFUSED, r);
    return drop(s, SMTP_ERROR_UNEXPECTED, r);
}
