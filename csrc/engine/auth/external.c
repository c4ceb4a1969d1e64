/* external.c - EXTERNAL (RFC 4422 A): who we are is known from elsewhere, as from a client
 * certificate; an identity is said only to act as somebody else. */
#include "../session.h"

static void answer(struct smtp_session *s, unsigned turn)
{
    (void)turn;
    put_base64(s, s->opt.authzid.data, s->opt.authzid.len);
}

const struct smtp_mechanism smtp_external = {"EXTERNAL", SECRET_NONE, true, 1, 1, answer};
