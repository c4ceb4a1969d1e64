/* saslname.c - names in SASL messages (RFC 5801 4). */
#include "text.h"

#include <string.h>

size_t smtp_saslname(char *out, struct smtp_text name)
{
    size_t len = 0;
    for (size_t i = 0; i < name.len; i++) {
        bool special = name.data[i] == ',' || name.data[i] == '=';
        if (special) memcpy(out + len, name.data[i] == ',' ? "=2C" : "=3D", 3);
        if (!special) out[len] = name.data[i];
        len += special ? 3 : 1;
    }
    return len;
}
