/* lletter.c - what a composed message has that no option gives: its date, its identifier; and short
 * texts, composed in one step. */
#include "../port.h"
#include "lsmtp.h"

#include <string.h>
#include <time.h>

/** core.date(seconds) -> a time since 1970 as RFC 5322 3.3 has it, in UTC; nil where the year has
 *  more than four digits, or is before 1970 */
static int core_date(lua_State *L)
{
    const lua_Number year_10000 = 253402300800.0;
    char date[SMTP_MAIL_DATE_LEN];
    lua_Number seconds = luaL_checknumber(L, 1);
    if (!(seconds >= 0 && seconds < year_10000)) return 0; /* NaN neither */
    smtp_date_write(date, (int64_t)seconds);
    lua_pushlstring(L, date, sizeof date);
    return 1;
}

enum { RANDOM_LEN = 16, ID_MAX = 2 * RANDOM_LEN + 3 + SMTP_DOMAIN_LEN_MAX };

/* Writes a message identifier (RFC 5322 3.6.4). Returns its length; 0 where this system has no
 * random bytes. */
static size_t write_id(struct smtp_text domain, char out[ID_MAX])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char bytes[RANDOM_LEN];
    char *to = out;
    if (domain.len > SMTP_DOMAIN_LEN_MAX || !port_random(bytes, sizeof bytes)) return 0;
    *to++ = '<';
    for (size_t i = 0; i < sizeof bytes; i++) {
        *to++ = digits[bytes[i] >> 4];
        *to++ = digits[bytes[i] & 15];
    }
    *to++ = '@';
    memcpy(to, domain.data, domain.len);
    to += domain.len;
    *to++ = '>';
    return (size_t)(to - out);
}

/** core.message_id(domain) -> "<…@domain>", of random bytes; nil where this system has none */
static int core_message_id(lua_State *L)
{
    char id[ID_MAX];
    size_t len = write_id(text_arg(L, 1), id);
    if (len == 0) return 0;
    lua_pushlstring(L, id, len);
    return 1;
}

static struct smtp_text domain_of(struct smtp_text address)
{
    size_t at = address.len;
    while (at > 0 && address.data[at - 1] != '@')
        at--;
    return (struct smtp_text){address.data + at, address.len - at};
}

bool push_letter(lua_State *L, struct smtp_letter *letter, struct smtp_text from,
                 struct smtp_text *text)
{
    char out[SMTP_LETTER_MAX], id[ID_MAX], date[SMTP_MAIL_DATE_LEN];
    time_t now = letter->date.len == 0 ? time(NULL) : 0;
    if (now < 0) return false;
    if (letter->date.len == 0) {
        smtp_date_write(date, now);
        letter->date = (struct smtp_text){date, sizeof date};
    }
    letter->id = (struct smtp_text){id, write_id(domain_of(from), id)};
    size_t len = letter->id.len == 0 ? 0 : smtp_letter_write(letter, out);
    if (len == 0) return false;
    size_t id_at = (size_t)(letter->id.data - out);
    lua_pushlstring(L, out, len);
    *text = text_arg(L, -1);
    letter->id.data = text->data + id_at;
    return true;
}

static const luaL_Reg functions[] = {METHOD(core, date), METHOD(core, message_id), {NULL, NULL}};

void lletter_open(lua_State *L)
{
    lcompat_setfuncs(L, functions);
}
