/* url: what a URL of ours points at, by curl's own parser, so that what is
 * judged is what is asked. */
#pragma once

#include <stdbool.h>

/* An absolute http or https URL with a host, and nothing in it that a URL cannot have. */
bool url_is_good(const char *url);

/* Where a Location leads from here (RFC 9110, 10.2.2); xfree it. NULL if that is not good. */
char *url_resolve(const char *base, const char *location);

/* The same scheme, host and port (RFC 6454, 5). False if either is not good. */
bool url_same_origin(const char *a, const char *b);

/* A copy without user name and password; xfree it. `url` must be good. */
char *url_without_user(const char *url);
