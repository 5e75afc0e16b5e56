/* static: files of a directory as answers, the adapter behind the port files.
 * Meant for the pages and scripts of examples and small apps: whole files, read
 * when they are asked for, up to a bound; no ranges, no compression, no listings.
 *
 *   - 200 with type, strong ETag (of the content) and Last-Modified; 304 where
 *     If-None-Match or If-Modified-Since allow it (RFC 9110 section 13);
 *   - a path that ends with '/' is its index.html; a directory without it is 301;
 *   - 404 for everything else: nothing outside of the directory, no symbolic links
 *     below it, no name that begins with a dot, no devices. */
#pragma once

#include <stddef.h>

#include "ports/files.h"
#include "ports/log.h"

struct static_files {
    struct files files;
    struct log *log;
    size_t max_file_bytes; /* above it 500, and a line in the log */
};

/* Needs no end. */
void static_create(struct static_files *statics, struct log *log, size_t max_file_bytes);
