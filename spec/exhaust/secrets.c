/* secrets.c - no secret stays in a session's memory once it was said, or the session broke.
 *
 * Sends AUTH through a session in a block of memory, and looks for the secret in all of it, raw and
 * in base64. Prints how many ways were tried, or where a secret was found. */
#include "../../csrc/smtp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char password[] = "sesame-street-42";
static const char coded[] = "AGFubgBzZXNhbWUtc3RyZWV0LTQy"; /* \0 ann \0 the password */

static char *memory, *work;
static size_t memory_len, work_len;
static int ways;

static struct smtp_session *begin(const char *mechanism)
{
    struct smtp_options o = {
        .domain = {"me.example", 10},
        .auth = SMTP_REQUIRE,
        .username = {"ann", 3},
        .secret_in_clear = true,
        .mechs = {{{mechanism, strlen(mechanism)}, 0}},
        .mech_count = 1,
    };
    char hello[128];
    memory_len = smtp_session_size();
    memory = calloc(1, memory_len);
    work_len = smtp_work_size(SMTP_BUFFER_LEN_MIN);
    work = calloc(1, work_len);
    if (memory == NULL || work == NULL) exit(2);
    struct smtp_session *s = smtp_session_init(memory, work, SMTP_BUFFER_LEN_MIN, &o, NULL);
    smtp_recv(s, "220 hi\r\n", 8);
    smtp_send_ack(s, smtp_send_buf(s).len);
    int len = snprintf(hello, sizeof hello, "250-mx\r\n250 AUTH %s\r\n", mechanism);
    smtp_recv(s, hello, (size_t)len);
    smtp_secret(s, password, sizeof password - 1);
    return s;
}

static int holds(const char *text)
{
    return memmem(memory, memory_len, text, strlen(text)) != NULL ||
           memmem(work, work_len, text, strlen(text)) != NULL;
}

static void end(void)
{
    free(memory);
    free(work);
}

static void look(const char *where, int wanted)
{
    int found = holds(password) || holds(coded) || holds("c2VzYW1lLXN0cmVldC00Mg");
    ways++;
    if (found != wanted) {
        printf("%s: a secret %s\n", where, found ? "was found" : "should be there");
        exit(1);
    }
}

int main(void)
{
    struct smtp_session *s = begin("PLAIN");
    look("before it is sent", 1); /* else this finds nothing anywhere */
    smtp_send_ack(s, smtp_send_buf(s).len);
    look("after it was sent", 0);
    end();

    s = begin("PLAIN");
    for (size_t left = smtp_send_buf(s).len; left > 0; left--)
        smtp_send_ack(s, 1);
    look("after it was sent octet by octet", 0);
    end();

    s = begin("PLAIN");
    smtp_send_ack(s, 5);
    smtp_break(s, SMTP_ERROR_TIMEOUT, "", 0);
    look("after the session broke", 0);
    end();

    s = begin("PLAIN");
    smtp_session_end(s);
    look("after it was given up", 0);
    end();

    s = begin("LOGIN");
    smtp_send_ack(s, smtp_send_buf(s).len);
    for (int i = 0; i < 2; i++) {
        smtp_recv(s, "334 eA==\r\n", 10);
        smtp_send_ack(s, smtp_send_buf(s).len);
    }
    look("after LOGIN", 0);
    end();

    printf("%d ways\n", ways);
    return 0;
}
