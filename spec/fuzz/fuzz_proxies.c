/* Whatever stands in front of what a trusted proxy wrote, the client's address is the one that it wrote, or
 * the proxy's: never one of the client's choice. */
#include "http/proxies.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *header, struct bytes forged, const char *own, const char *sure)
{
    struct proxies proxies = PROXIES_NONE;
    struct buf line = BUF_EMPTY, error = BUF_EMPTY;
    char client[PROXIES_ADDRESS_BYTES];
    proxies.header = header;
    CHECK(proxies_add(&proxies, "10.0.0.0/8", &error));
    buf_add_bytes(&line, forged);
    buf_add_text(&line, own);
    const struct http_header headers[] = {{bytes_of(header), buf_bytes(&line)}};
    const struct http_request request = {
        .address = BYTES("10.0.0.1"), .headers = headers, .header_count = 1};
    bool secure;
    proxies_client(&proxies, &request, client, &secure);
    CHECK(!secure);
    const bool quoted = strcmp(header, "forwarded") == 0; /* then what is not well-formed says nothing */
    CHECK(strcmp(client, sure) == 0 || (quoted && strcmp(client, "10.0.0.1") == 0));
    buf_destroy(&line);
    buf_destroy(&error);
    proxies_destroy(&proxies);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct bytes forged = bytes_run((const char *)data, size);
    check("x-forwarded-for", forged, ",9.9.9.9", "9.9.9.9");
    check("forwarded", forged, ",for=9.9.9.9", "9.9.9.9");
    check("forwarded", forged, ", for=\"9.9.9.9:80\";by=\"10.0.0.1\"", "9.9.9.9");
    CHECK(alloc_live() == 0);
    return 0;
}
