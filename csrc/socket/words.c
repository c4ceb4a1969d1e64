/* words.c - the words and sentences that say what went wrong. */
#include "socket.h"

#include <stdarg.h>
#include <stdio.h>

const char *words_say(char text[SOCKET_TEXT_MAX], const char *word, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, SOCKET_TEXT_MAX, format, arguments);
    va_end(arguments);
    return word;
}

const char *words_of_errno(int error, const char *word)
{
    switch (error) {
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS: return "system";
    default: return word;
    }
}
