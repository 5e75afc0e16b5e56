/* files: static files as answers. The engine knows which request means which
 * directory; how a file is found, typed and sent is the adapter's. */
#pragma once

#include "base/bytes.h"
#include "ports/exchange.h"

struct files {
    /* Answers a GET or HEAD with the file `path` (still percent-encoded, relative) below
     * `directory`: 200, 304, or 404. `cache_control` may be NULL: revalidate always. */
    void (*serve)(struct files *files, const char *directory, struct bytes path,
                  const char *cache_control, struct exchange *exchange);
};
