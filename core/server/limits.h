/* limits: what this process asks of the system before it serves: descriptors, and
 * to live on when nobody reads its log. */
#pragma once

#include <stdint.h>

/* Raises the soft limit of descriptors to the hard one. Returns how many there are then. */
uint64_t limits_raise_files(void);

/* A write to a pipe without a reader fails instead of ending the process. */
void limits_ignore_pipes(void);
