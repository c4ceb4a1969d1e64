/* login.c - LOGIN: user name and password, each when asked, whatever the words of the question. */
#include "../session.h"

static void answer(struct smtp_session *s, unsigned turn)
{
    struct smtp_text word = turn == 0 ? s->opt.username : s->secret;
    put_base64(s, word.data, word.len);
}

/* Never an initial response: GNU SASL asks for the user name again, smtplib gets 535 there. */
const struct smtp_mechanism smtp_login = {"LOGIN", SMTP_SECRET_PASSWORD, false, 2, 2, answer};
