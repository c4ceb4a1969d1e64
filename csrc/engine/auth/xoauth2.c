/* xoauth2.c - XOAUTH2, Google's forerunner of OAUTHBEARER. The answer to an error challenge is
 * empty; then the server refuses. */
#include "../session.h"

static void answer(struct smtp_session *s, unsigned turn)
{
    char message[SMTP_SECRET_LEN_MAX + SMTP_TOKEN_LEN_MAX + 32];
    size_t len = 0;
    if (turn > 0) return;
    append_words(message, &len, "user=");
    append(message, &len, s->opt.username);
    append_words(message, &len, "\1");
    put_bearer(s, message, len);
}

const struct smtp_mechanism smtp_xoauth2 = {"XOAUTH2", SMTP_SECRET_TOKEN, true, 1, 2, answer};
