/* oauthbearer.c - OAUTHBEARER (RFC 7628). The answer to an error challenge is %x01 (3.2.3); then
 * the server refuses. */
#include "../session.h"

static void answer(struct smtp_session *s, unsigned turn)
{
    char message[3 * SMTP_SECRET_LEN_MAX + SMTP_TOKEN_LEN_MAX + SMTP_HOST_LEN_MAX + 64];
    size_t len = 0;
    if (turn > 0) {
        put_base64(s, "\1", 1);
        return;
    }
    append_words(message, &len, "n,a=");
    len += smtp_saslname(message + len, s->opt.username);
    append_words(message, &len, ",\1");
    if (s->opt.host.len > 0) {
        append_words(message, &len, "host=");
        append(message, &len, s->opt.host);
        append_words(message, &len, "\1port=");
        len += smtp_decimal(message + len, s->opt.port);
        append_words(message, &len, "\1");
    }
    put_bearer(s, message, len);
}

const struct smtp_mechanism smtp_oauthbearer = {"OAUTHBEARER", SMTP_SECRET_TOKEN, true, 1, 2,
                                                answer};
