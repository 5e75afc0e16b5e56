/* places: where the parts of an installation are: beside the binary's folder, in a
 * checkout or under a prefix. */
#pragma once

#include "base/buf.h"

struct config;

/* The folder of the Lua library: as the config says (NULL: no config), else where it is installed.
 * NULL: a line in errors. xfree it. */
char *places_scripts(const struct config *config, struct buf *errors);

/* The folder below which the rig's module is, as sluice/core.so; likewise. */
char *places_modules(struct buf *errors);
