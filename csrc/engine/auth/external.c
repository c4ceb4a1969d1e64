/* external.c - EXTERNAL (RFC 4422 A): the server knows the client from elsewhere, for example
 * from its certificate; an identity is said only to act as another user. */
#include "../session.h"

static void answer(struct smtp_session *s, unsigned turn)
{
    (void)turn;
    put_base64(s, s->opt.authzid.data, s->opt.authzid.len);
}

const struct smtp_mechanism smtp_external = {"EXTERNAL", SMTP_SECRET_NONE, true, 1, 1, answer};
