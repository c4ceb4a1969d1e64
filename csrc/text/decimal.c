/* decimal.c - numbers as digits, without printf and its locale. */
#include "text.h"

#include <string.h>

size_t smtp_decimal(char out[SMTP_DECIMAL_MAX], uint64_t number)
{
    char digits[SMTP_DECIMAL_MAX];
    size_t at = sizeof digits;
    if (number < 10) { /* as most are */
        *out = (char)('0' + number);
        return 1;
    }
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    memcpy(out, digits + at, sizeof digits - at);
    return sizeof digits - at;
}
