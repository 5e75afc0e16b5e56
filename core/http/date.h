/* date: HTTP's time stamps, IMF-fixdate (RFC 9110 section 5.6.7):
 * "Sun, 06 Nov 1994 08:49:37 GMT". */
#pragma once

#include <stdint.h>

#include "base/bytes.h"

enum { DATE_BYTES = 29 };

/* Writes DATE_BYTES characters, without NUL. */
void date_write(char *out, int64_t seconds);

/* Seconds since 1970 of an IMF-fixdate; -1 for anything else (the two obsolete forms too: a
 * recipient may take them as no date). */
int64_t date_read(struct bytes text);
