/* logs: where the log goes and how it looks, in the config's words. */
#pragma once

#include <stdbool.h>

struct buf;
struct log;

/* log_level and log_format; where it goes stays. */
void logs_set(struct log *log, const char *level, const char *format);

/* Each line says from now on which worker wrote it. */
void logs_name_worker(struct log *log, unsigned index);

/* Opens the file at this path, or goes (back) to stderr with NULL. A file that was renamed
 * is left to who renamed it, a new one begins. False: a line in errors, and the log goes on where it
 * went. */
bool logs_open(struct log *log, const char *path, struct buf *errors);
