/* strptime and strftime would do, but for the locale: these names are fixed. */
#include "http/date.h"

#include <stdio.h>
#include <time.h>

static const char days[] = "SunMonTueWedThuFriSat";
static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

static void write_number(char *out, int number, int digits)
{
    while (digits--) {
        out[digits] = (char)('0' + number % 10);
        number /= 10;
    }
}

void date_write(char *out, int64_t seconds)
{
    struct tm utc;
    time_t time = (time_t)seconds;
    gmtime_r(&time, &utc);
    memcpy(out, "Sun, 06 Nov 1994 08:49:37 GMT", DATE_BYTES);
    memcpy(out, days + 3 * utc.tm_wday, 3);
    write_number(out + 5, utc.tm_mday, 2);
    memcpy(out + 8, months + 3 * utc.tm_mon, 3);
    write_number(out + 12, utc.tm_year + 1900, 4);
    write_number(out + 17, utc.tm_hour, 2);
    write_number(out + 20, utc.tm_min, 2);
    write_number(out + 23, utc.tm_sec, 2);
}

int64_t date_read(struct bytes text)
{
    char copy[DATE_BYTES + 1], back[DATE_BYTES], month[4];
    struct tm utc = {0};
    if (text.size != DATE_BYTES) return -1;
    memcpy(copy, text.data, DATE_BYTES);
    copy[DATE_BYTES] = '\0';
    if (sscanf(copy + 5, "%2d %3s %4d %2d:%2d:%2d", &utc.tm_mday, month, &utc.tm_year, &utc.tm_hour,
               &utc.tm_min, &utc.tm_sec) != 6)
        return -1;
    utc.tm_year -= 1900;
    while (utc.tm_mon < 12 && memcmp(months + 3 * utc.tm_mon, month, 3) != 0) utc.tm_mon++;
    if (utc.tm_mon == 12) return -1;
    int64_t seconds = timegm(&utc);
    if (seconds < 0) return -1;
    /* Whatever does not read back as itself was no such date. */
    date_write(back, seconds);
    return memcmp(back, copy, DATE_BYTES) == 0 ? seconds : -1;
}
