/* saslname.c - names in SASL messages (RFC 5801 4). */
#include "text.h"

size_t smtp_saslname(char *out, struct smtp_text name)
{
    size_t len = 0;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];
        bool special = c == ',' || c == '=';
        out[len++] = special ? '=' : c;
        if (!special) continue;
        out[len++] = c == ',' ? '2' : '3';
        out[len++] = c == ',' ? 'C' : 'D';
    }
    return len;
}
