/* plain.c - PLAIN (RFC 4616): identity, NUL, user name, NUL, password. */
#include "../session.h"

static void answer(struct smtp_session *s, unsigned turn)
{
    char message[3 * SMTP_SECRET_LEN_MAX + 2];
    size_t len = 0;
    (void)turn;
    append(message, &len, s->opt.authzid);
    message[len++] = '\0';
    append(message, &len, s->opt.username);
    message[len++] = '\0';
    append(message, &len, s->secret);
    put_base64(s, message, len);
    wipe(message, len);
}

const struct smtp_mechanism smtp_plain = {"PLAIN", SMTP_SECRET_PASSWORD, true, 1, 1, answer};
