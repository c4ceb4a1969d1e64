/* transcript.c - what was said and heard, for people: the newest lines, without secrets and without
 * the octets of messages.
 *
 * A ring of octets holds them as they came, "C: EHLO me" behind "S: 220 mx", each ended by LF. What
 * no terminal should see is replaced only where somebody wants to read it. */
#include "session.h"

enum { LINE_SHOWN_MAX = 1024, TOLD_MAX = 64 };

static void keep(struct smtp_session *s, const char *data, size_t len)
{
    while (len > 0) {
        size_t at = (size_t)(s->shown_len % SMTP_TRANSCRIPT_MAX);
        size_t some = SMTP_TRANSCRIPT_MAX - at < len ? SMTP_TRANSCRIPT_MAX - at : len;
        memcpy(s->shown + at, data, some);
        s->shown_len += some;
        data += some;
        len -= some;
    }
}

static char octet_at(const struct smtp_session *s, uint64_t at)
{
    return s->shown[at % SMTP_TRANSCRIPT_MAX];
}

/* Returns the length. */
static size_t tell_octets(char out[TOLD_MAX], uint64_t count)
{
    static const char before[] = "C: (", behind[] = " bytes of the message)\n";
    size_t len = sizeof before - 1;
    memcpy(out, before, len);
    len += smtp_decimal(out + len, count);
    memcpy(out + len, behind, sizeof behind - 1);
    return len + sizeof behind - 1;
}

static void end_line(struct smtp_session *s)
{
    if (s->shown_side == '\0') return;
    if (s->shown_line_len > LINE_SHOWN_MAX + (s->shown_cr ? 1u : 0u))
        keep(s, SMTP_CUT_MARK, sizeof SMTP_CUT_MARK - 1);
    keep(s, "\n", 1);
    s->shown_side = '\0';
    s->shown_whole = s->shown_len;
}

/* Octets of a message are told once, before whatever comes behind them. */
static void begin_line(struct smtp_session *s, char side)
{
    char head[] = {side, ':', ' '}, told[TOLD_MAX];
    if (s->shown_side == side) return;
    end_line(s);
    if (s->shown_octets > 0) {
        keep(s, told, tell_octets(told, s->shown_octets));
        s->shown_octets = 0;
    }
    keep(s, head, sizeof head);
    s->shown_side = side;
    s->shown_line_len = 0;
    s->shown_cr = false;
}

/* Up to and with the next line end. Returns how many bytes were taken. */
static size_t show_line(struct smtp_session *s, char side, const char *data, size_t len)
{
    const char *end = memchr(data, '\n', len);
    size_t line_len = end == NULL ? len : (size_t)(end - data);
    begin_line(s, side);
    size_t room = s->shown_line_len < LINE_SHOWN_MAX ? LINE_SHOWN_MAX - s->shown_line_len : 0;
    keep(s, data, line_len < room ? line_len : room);
    s->shown_line_len += line_len;
    if (line_len > 0) s->shown_cr = data[line_len - 1] == '\r';
    if (end == NULL) return line_len;
    end_line(s);
    return line_len + 1;
}

/* "AUTH PLAIN [secret]"; an answer is all secret, but for the one that cancels (RFC 4954 4). */
static void show_secret(struct smtp_session *s, const char *data, size_t len)
{
    bool auth = len > 5 && memcmp(data, "AUTH ", 5) == 0;
    size_t name_len = 0;
    begin_line(s, 'C');
    if (auth) {
        while (data[5 + name_len] > ' ')
            name_len++;
        keep(s, data, 5 + name_len);
        if (data[5 + name_len] == ' ') keep(s, " [secret]", 9);
    } else if (len == 3 && *data == '*') {
        keep(s, data, 1);
    } else {
        keep(s, "[secret]", 8);
    }
    end_line(s);
}

/* Behind "BDAT n" stand n octets of a message. */
static uint64_t octets_behind(const char *command)
{
    uint64_t count = 0;
    if (memcmp(command, "BDAT ", 5) != 0) return 0;
    for (command += 5; *command >= '0' && *command <= '9'; command++)
        count = 10 * count + (uint64_t)(*command - '0');
    return count;
}

/* The command that begins to leave, in front of all that is unsent. Returns its length. */
static size_t show_command(struct smtp_session *s, const char *data, size_t len)
{
    if (s->out_secret) {
        show_secret(s, data, len);
        return len;
    }
    if (len > 5) s->octets_left = octets_behind(data);
    return show_line(s, 'C', data, len);
}

static size_t take_up_to(uint64_t *count, size_t len)
{
    size_t taken = *count < len ? (size_t)*count : len;
    *count -= taken;
    return taken;
}

/* So many of the octets that are unsent leave now. A command is shown whole once its first octet
 * has left. */
void transcript_said(struct smtp_session *s, size_t len)
{
    const char *at = s->out + s->out_at, *end = s->out + s->out_len;
    while (len > 0) {
        size_t taken = take_up_to(&s->shown_ahead, len);
        if (taken == 0) {
            taken = take_up_to(&s->octets_left, len);
            s->shown_octets += taken;
            s->octets_said += taken;
        }
        if (taken == 0) s->shown_ahead = show_command(s, at, (size_t)(end - at));
        at += taken;
        len -= taken;
    }
}

void transcript_heard(struct smtp_session *s, const char *data, size_t len)
{
    while (len > 0) {
        size_t taken = show_line(s, 'S', data, len);
        data += taken;
        len -= taken;
    }
}

void transcript_note(struct smtp_session *s, const char *words)
{
    begin_line(s, '*');
    keep(s, words, strlen(words));
    end_line(s);
}

/* ---- for a reader ---- */

/* The octets at `at` and behind, printable. Returns the length in `out`. */
static size_t copy_lines(const struct smtp_session *s, uint64_t at, uint64_t end, char *out)
{
    char *to = out;
    for (; at < end; at++) {
        char c = octet_at(s, at);
        if (c != '\r' || (at + 1 < end && octet_at(s, at + 1) != '\n')) *to++ = c;
    }
    return smtp_printable(out, (size_t)(to - out), out, (size_t)(to - out));
}

bool smtp_transcript_open(const struct smtp_session *s)
{
    return s->shown_side != '\0';
}

size_t smtp_transcript(const struct smtp_session *s, uint64_t *mark, char *out)
{
    uint64_t at = mark == NULL ? 0 : *mark, end = mark == NULL ? s->shown_len : s->shown_whole;
    if (s->shown_len > at + SMTP_TRANSCRIPT_MAX) {
        at = s->shown_len - SMTP_TRANSCRIPT_MAX;
        while (at < end && octet_at(s, at++) != '\n')
            continue;
    }
    size_t len = copy_lines(s, at, end, out);
    if (mark != NULL) {
        *mark = end;
        return len;
    }
    if (s->shown_side != '\0') out[len++] = '\n';
    if (s->shown_octets > 0) len += tell_octets(out + len, s->shown_octets);
    return len;
}
