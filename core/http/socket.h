/* socket: a stream socket that listens, made of an address as the config writes it (address.h). What
 * is accepted from it is listener.h's. */
#pragma once

#include <sys/stat.h>

#include "http/address.h"

enum socket_use {
    SOCKET_LISTEN, /* nobody else listens there */
    SOCKET_SHARE,  /* others of this user may listen on the same port in the same way, and each new
                      connection is one of theirs (SO_REUSEPORT) */
    SOCKET_HOLD,   /* a port is bound for those that share it, and gets no connection itself: fails
                      if somebody listens there already. A Unix socket listens */
};

/* Returns the descriptor, which blocks nobody and is closed on exec; `address` is as the kernel made it, with
 * the port that it chose for 0. A Unix socket's file that nobody answers on is replaced. -1: one
 * sentence is appended to `error`. */
int socket_open(const char *text, enum socket_use use, struct address *address, struct buf *error);

/* The file of a Unix socket, as it is now, so that none but it is removed at the end; inode 0: none. */
struct socket_file {
    dev_t device;
    ino_t inode;
};

void socket_file_note(struct socket_file *file, const struct address *address);
void socket_file_remove(const struct socket_file *file, const struct address *address);
