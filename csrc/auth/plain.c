/* plain.c - PLAIN (RFC 4616): identity, NUL, user name, NUL, password. */
#include "../session.h"

#pragma GCC visibility push(hidden)

static bool answer(struct smtp_session *s, unsigned turn)
{
    char message[3 * SMTP_SECRET_LEN_MAX + 2];
    const struct smtp_text parts[] = {s->opt.authzid, s->opt.username, s->secret};
    size_t len = 0;
    if (turn > 0) return false;
    for (size_t i = 0; i < 3; i++) {
        if (i > 0) message[len++] = '\0';
        if (parts[i].len > 0) memcpy(message + len, parts[i].data, parts[i].len);
        len += parts[i].len;
    }
    put_base64(s, message, len);
    wipe(message, len);
    return true;
}

const struct smtp_mechanism smtp_plain = {"PLAIN", true, 1, answer};

#pragma GCC visibility pop
