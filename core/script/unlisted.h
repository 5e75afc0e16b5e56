/* unlisted: triggers of a type that their topic's declaration does not list in `types`. They
 * go out like others; the log says so once a declaration and type, and after UNLISTED_MAX of these, once,
 * that no more of them are told. A VM's own: after a reload it is told again. */
#pragma once

#include "base/bytes.h"
#include "base/dict.h"

enum { UNLISTED_MAX = 100 };

struct log;

struct unlisted {
    struct dict _told; /* by declaration and type; the values say nothing */
};

/* A rule emits it. */
struct unlisted_type {
    const char *app;
    struct bytes topic;   /* the declaration's pattern, */
    const char *declared; /* and where it stands */
    struct bytes type;
};

/* All zero is one that has told nothing yet. */
void unlisted_destroy(struct unlisted *unlisted);

void unlisted_tell(struct unlisted *unlisted, struct log *log, const struct unlisted_type *found);
