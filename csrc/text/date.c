/* date.c - dates of header fields (RFC 5322 3.3). */
#include "text.h"

#include <string.h>

static const char days[] = "SunMonTueWedThuFriSat";
static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

enum { DAY_SECONDS = 86400, ERA_DAYS = 146097, BEFORE_1970 = 719468 };

/* Days are counted from 1 March of the year 0, so that a leap day ends a year of 400 in each era,
 * and the months have the lengths 31 30 31 30 31 31 30 31 30 31 31 28. */
struct date {
    int64_t year;
    unsigned month, day; /* from 1 on */
};

static struct date date_of(int64_t day_count)
{
    int64_t since = day_count + BEFORE_1970, era = since / ERA_DAYS, in_era = since % ERA_DAYS;
    int64_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    unsigned in_year = (unsigned)(in_era - (365 * year + year / 4 - year / 100));
    unsigned month = (5 * in_year + 2) / 153;
    struct date d = {.day = in_year - (153 * month + 2) / 5 + 1,
                     .month = month < 10 ? month + 3 : month - 9};
    d.year = era * 400 + year + (d.month <= 2);
    return d;
}

static int64_t days_of(struct date d)
{
    int64_t years = d.year - (d.month <= 2), era = years / 400, year = years % 400;
    int64_t month = d.month > 2 ? d.month - 3 : d.month + 9;
    int64_t in_year = (153 * month + 2) / 5 + d.day - 1;
    return era * ERA_DAYS + year * 365 + year / 4 - year / 100 + in_year - BEFORE_1970;
}

static char *put(char *out, const char *text, size_t len)
{
    memcpy(out, text, len);
    return out + len;
}

static char *put_number(char *out, int64_t number, size_t width)
{
    for (size_t i = width; i > 0; i--, number /= 10)
        out[i - 1] = (char)('0' + number % 10);
    return out + width;
}

void smtp_date_write(char out[SMTP_MAIL_DATE_LEN], int64_t seconds)
{
    int64_t day_count = seconds / DAY_SECONDS, second = seconds % DAY_SECONDS;
    struct date d = date_of(day_count);
    out = put(out, days + 3 * ((day_count + 4) % 7), 3);
    out = put_number(put(out, ", ", 2), d.day, 2);
    out = put(put(out, " ", 1), months + (size_t)3 * (d.month - 1), 3);
    out = put_number(put(out, " ", 1), d.year, 4);
    out = put_number(put(out, " ", 1), second / 3600, 2);
    out = put_number(put(out, ":", 1), second / 60 % 60, 2);
    out = put_number(put(out, ":", 1), second % 60, 2);
    put(out, " +0000", 6);
}

static int64_t number_at(const char *text, size_t width)
{
    int64_t number = 0;
    for (size_t i = 0; i < width; i++) {
        if (text[i] < '0' || text[i] > '9') return -1;
        number = number * 10 + (text[i] - '0');
    }
    return number;
}

static unsigned month_at(const char *text)
{
    for (unsigned i = 0; i < 12; i++)
        if (memcmp(months + (size_t)3 * i, text, 3) == 0) return i + 1;
    return 0;
}

bool smtp_date_check(struct smtp_text text)
{
    enum { DAY = 5, MONTH = 8, YEAR = 12, HOUR = 17, MINUTE = 20, SECOND = 23, ZONE = 25 };
    char again[SMTP_MAIL_DATE_LEN];
    if (text.len != SMTP_MAIL_DATE_LEN) return false;
    const char *in = text.data;
    int64_t year = number_at(in + YEAR, 4), day = number_at(in + DAY, 2);
    int64_t hour = number_at(in + HOUR, 2), minute = number_at(in + MINUTE, 2);
    int64_t second = number_at(in + SECOND, 2);
    struct date d = {.year = year, .month = month_at(in + MONTH), .day = (unsigned)day};
    if (year < 1970 || day < 1 || d.month == 0 || hour < 0 || minute < 0 || second < 0)
        return false;
    smtp_date_write(again, ((days_of(d) * 24 + hour) * 60 + minute) * 60 + second);
    if (memcmp(again, in, ZONE) != 0) return false; /* 31 February, or another day of the week */
    int64_t zone = number_at(in + ZONE + 2, 4);
    return in[ZONE] == ' ' && (in[ZONE + 1] == '+' || in[ZONE + 1] == '-') && zone >= 0 &&
           zone % 100 < 60;
}
