/* types: media types of files by their extension. */
#pragma once

#include "base/bytes.h"

/* "text/css; charset=utf-8" for "a.css"; "application/octet-stream" for what is not known. */
const char *type_of_file(struct bytes name);
