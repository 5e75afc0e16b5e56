#include "engine/guard.h"

#include "base/text.h"

static bool is_listed(const struct plan_endpoint *at, struct bytes origin)
{
    for (size_t i = 0; i < at->origin_count; i++)
        if (bytes_equal(atom_bytes(at->origins[i]), origin)) return true;
    return false;
}

static bool is_open_to_all(const struct plan_endpoint *at)
{
    return is_listed(at, BYTES("*"));
}

/* An origin is scheme://host[:port]; the page is ours if that host is the one it asked. The
 * scheme is not compared: behind a proxy that ends TLS it differs. */
static bool is_same_origin(struct bytes origin, const struct http_request *request)
{
    const char *host = origin.data ? memmem(origin.data, origin.size, "://", 3) : NULL;
    if (!host) return false;
    host += 3;
    return text_equal_nocase(bytes_run(host, (size_t)(origin.data + origin.size - host)),
                             http_header_get(request, "host"));
}

/* Sec-Fetch-Site is the browser's own word, which no page can set and no proxy needs to change (W3C
 * Fetch Metadata). Where it is not sent - plain http, older browsers - the Origin has to do. */
static bool is_cross_site(const struct plan_endpoint *at, const struct http_request *request)
{
    const struct bytes origin = http_header_get(request, "origin");
    const struct bytes site = http_header_get(request, "sec-fetch-site");
    if (origin.data && is_listed(at, origin)) return false;
    if (site.data) return !bytes_is(site, "same-origin") && !bytes_is(site, "none");
    return origin.data && !is_same_origin(origin, request);
}

bool guard_admits(const struct plan_endpoint *at, const struct http_request *request)
{
    bool reads = bytes_is(request->method, "GET") || bytes_is(request->method, "HEAD");
    if ((!at->identity && reads) || is_open_to_all(at)) return true;
    return !is_cross_site(at, request);
}

/* May a page of the request's origin read the answer? */
static bool is_shared(const struct plan_endpoint *at, const struct http_request *request)
{
    const struct bytes origin = http_header_get(request, "origin");
    return is_open_to_all(at) || (origin.data && is_listed(at, origin));
}

void guard_headers(const struct plan_endpoint *at, const struct http_request *request,
                   struct answer_headers *headers)
{
    if (!at->origin_count) return;
    if (is_open_to_all(at)) {
        answer_header(headers, "access-control-allow-origin", BYTES("*"));
        return;
    }
    answer_header(headers, "vary", BYTES("Origin"));
    if (!is_shared(at, request)) return;
    answer_header(headers, "access-control-allow-origin", http_header_get(request, "origin"));
    answer_header(headers, "access-control-allow-credentials", BYTES("true"));
}

void guard_preflight(const struct plan_endpoint *at, struct bytes allow, struct exchange *exchange)
{
    struct answer_headers headers = {.count = 0};
    const struct http_request *request = &exchange->request;
    const struct bytes wanted = http_header_get(request, "access-control-request-headers");
    answer_header(&headers, "allow", allow);
    guard_headers(at, request, &headers);
    if (http_header_get(request, "access-control-request-method").data && is_shared(at, request)) {
        answer_header(&headers, "access-control-allow-methods", allow);
        if (wanted.data) answer_header(&headers, "access-control-allow-headers", wanted);
        answer_header(&headers, "access-control-max-age", BYTES("600"));
    }
    const struct http_response response = {
        .status = 204, .headers = headers.items, .header_count = headers.count};
    exchange->ops->respond(exchange, &response);
}
