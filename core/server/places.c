#include "server/places.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "server/config.h"

#ifndef SLUICE_PREFIX
#define SLUICE_PREFIX "/usr/local"
#endif

/* The folder, if the file is in it; else NULL. */
static char *folder_with(const char *folder, const char *below, const char *file)
{
    struct buf path = BUF_EMPTY;
    buf_printf(&path, "%s%s", folder, below);
    const size_t size = path.size;
    buf_add_text(&path, file);
    const bool there = access(buf_text(&path), R_OK) == 0;
    path.size = size;
    char *found = there ? buf_take(&path) : NULL;
    buf_destroy(&path);
    return found;
}

/* Looks at places relative to the binary's folder, then at the absolute one. */
static char *find(const char *const *places, const char *absolute, const char *file,
                  struct buf *errors)
{
    char binary[PATH_MAX];
    char *found = NULL;
    ssize_t size = readlink("/proc/self/exe", binary, sizeof(binary) - 1);
    while (size > 0 && binary[size - 1] != '/') size--;
    binary[size > 0 ? size : 0] = '\0';
    for (; !found && *places; places++) found = folder_with(binary, *places, file);
    if (!found) found = folder_with(absolute, "", file);
    if (!found) buf_printf(errors, "%s is not found beside %s", file + 1, binary);
    return found;
}

char *places_scripts(const struct config *config, struct buf *errors)
{
    static const char *const places[] = {"../scripts", "../../scripts", "../share/sluice/scripts",
                                         NULL};
    static const char file[] = "/sluice.lua";
    if (config && config->scripts) {
        char *path = config_resolve(config, config->scripts);
        char *found = folder_with(path, "", file);
        if (!found)
            buf_printf(errors, "%s: scripts = \"%s\": there is no sluice.lua in it\n", config->path,
                       config->scripts);
        xfree(path);
        return found;
    }
    char *found = find(places, SLUICE_PREFIX "/share/sluice/scripts", file, errors);
    if (!found) buf_add_text(errors, ": the Lua library is missing; set scripts\n");
    return found;
}

char *places_modules(struct buf *errors)
{
    static const char *const places[] = {"lib", "../lib", NULL};
    char *found = find(places, SLUICE_PREFIX "/lib", "/sluice/core.so", errors);
    if (!found) buf_add_text(errors, ": the rig's module is missing; `make` builds it\n");
    return found;
}
