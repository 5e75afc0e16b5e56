#include "peers/url.h"

#include <curl/curl.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"

static CURLU *parse(const char *url)
{
    CURLU *parsed = curl_url();
    CHECK(parsed);
    if (curl_url_set(parsed, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK)
        return parsed;
    curl_url_cleanup(parsed);
    return NULL;
}

/* NULL where there is none; curl_free it. */
static char *part(CURLU *parsed, CURLUPart which)
{
    char *text = NULL;
    curl_url_get(parsed, which, &text, CURLU_DEFAULT_PORT);
    return text;
}

static bool same_part(CURLU *a, CURLU *b, CURLUPart which)
{
    char *of_a = part(a, which), *of_b = part(b, which);
    bool same = of_a && of_b && curl_strequal(of_a, of_b);
    curl_free(of_a);
    curl_free(of_b);
    return same;
}

bool url_is_good(const char *url)
{
    CURLU *parsed = parse(url);
    if (!parsed) return false;
    char *scheme = part(parsed, CURLUPART_SCHEME), *host = part(parsed, CURLUPART_HOST);
    bool http = scheme && (!strcmp(scheme, "http") || !strcmp(scheme, "https"));
    bool good = http && host && *host;
    curl_free(scheme);
    curl_free(host);
    curl_url_cleanup(parsed);
    return good;
}

/* The whole as text of our own, and the end of the parsed one. */
static char *take(CURLU *parsed)
{
    char *text = NULL;
    CHECK(curl_url_get(parsed, CURLUPART_URL, &text, 0) == CURLUE_OK);
    char *copy = xstrdup(text);
    curl_free(text);
    curl_url_cleanup(parsed);
    return copy;
}

char *url_resolve(const char *base, const char *location)
{
    CURLU *parsed = parse(base);
    CHECK(parsed);
    /* What servers write there is often not encoded; curl's own redirects are as lenient. */
    unsigned lenient = CURLU_NON_SUPPORT_SCHEME | CURLU_URLENCODE | CURLU_ALLOW_SPACE;
    if (curl_url_set(parsed, CURLUPART_URL, location, lenient) != CURLUE_OK) {
        curl_url_cleanup(parsed);
        return NULL;
    }
    char *url = take(parsed);
    if (url_is_good(url)) return url;
    xfree(url);
    return NULL;
}

bool url_same_origin(const char *a, const char *b)
{
    if (!url_is_good(a) || !url_is_good(b)) return false;
    CURLU *of_a = parse(a), *of_b = parse(b);
    bool same = same_part(of_a, of_b, CURLUPART_SCHEME) && same_part(of_a, of_b, CURLUPART_HOST) &&
                same_part(of_a, of_b, CURLUPART_PORT);
    curl_url_cleanup(of_a);
    curl_url_cleanup(of_b);
    return same;
}

char *url_without_user(const char *url)
{
    CURLU *parsed = parse(url);
    CHECK(parsed);
    curl_url_set(parsed, CURLUPART_USER, NULL, 0);
    curl_url_set(parsed, CURLUPART_PASSWORD, NULL, 0);
    return take(parsed);
}
