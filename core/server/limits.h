/* limits: what this process asks of the system before it serves: descriptors, and
 * to live on when nobody reads its log. */
#pragma once

#include <stdint.h>

#include "ports/log.h"

/* Raises the soft limit of descriptors to the hard one. Warns where that is less than the streams
 * that the config allows. */
void limits_raise_files(struct log *log, uint64_t streams);

/* A write to a pipe without a reader fails instead of ending the process. */
void limits_ignore_pipes(void);
