/* login.c - LOGIN: user name and password, each when asked, whatever the words of the question. */
#include "../session.h"

#pragma GCC visibility push(hidden)

static bool answer(struct smtp_session *s, unsigned turn)
{
    const struct smtp_text *words[] = {&s->opt.username, &s->secret};
    if (turn >= 2) return false;
    put_base64(s, words[turn]->data, words[turn]->len);
    return true;
}

/* Never an initial response: GNU SASL asks for the user name again, smtplib gets 535 there. */
const struct smtp_mechanism smtp_login = {"LOGIN", false, 2, answer};

#pragma GCC visibility pop
