#include "stamp.h"

#include <string.h>

static const uint64_t wrap_ns = 10000000000000000u; /* 16 digits: 115 days */

void stamp_write(char *digits, uint64_t ns)
{
    for (int i = STAMP_DIGITS - 1; i >= 0; i--) {
        digits[i] = (char)('0' + ns % 10);
        ns /= 10;
    }
}

const char *stamp_find(const char *text, size_t length)
{
    const char *mark = memmem(text, length, "t=", 2);

    if (!mark || (size_t)(text + length - mark) < 2 + STAMP_DIGITS) return NULL;
    return mark + 2;
}

uint64_t stamp_age_ns(const char *digits, uint64_t now_ns)
{
    uint64_t written_ns = 0;

    for (int i = 0; i < STAMP_DIGITS; i++)
        written_ns = written_ns * 10 + (uint64_t)(digits[i] - '0');
    return (now_ns % wrap_ns + wrap_ns - written_ns) % wrap_ns;
}
