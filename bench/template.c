#include "template.h"

#include <stdio.h>
#include <string.h>

#include "die.h"
#include "stamp.h"

enum { FIELD_MAX = 2 + STAMP_DIGITS + 1 };

static size_t write_field(char letter, unsigned number, uint64_t stamp_ns, char *out)
{
    switch (letter) {
    case 'd':
        return (size_t)sprintf(out, "%u", number);
    case 't':
        memcpy(out, "t=", 2);
        stamp_write(out + 2, stamp_ns);
        return 2 + STAMP_DIGITS;
    case '%':
        *out = '%';
        return 1;
    default:
        die("a template knows %%d, %%t and %%%%, not %%%c", letter);
    }
}

size_t template_expand(const char *text, unsigned number, uint64_t stamp_ns, char *out, size_t size)
{
    size_t length = 0;

    for (; *text; text++) {
        if (length + FIELD_MAX > size) die("a template gives more than %zu bytes", size);
        if (*text == '%')
            length += write_field(*++text, number, stamp_ns, out + length);
        else
            out[length++] = *text;
    }
    out[length] = '\0';
    return length;
}
